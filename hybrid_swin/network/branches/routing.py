"""`routing`: each region of the map attends to the few regions that suit it best."""

from contextlib import nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from hybrid_swin.cost import Cost, Grid, Window
from hybrid_swin.network import windows
from hybrid_swin.network.branches._convolved_attention import ConvolvedAttention
from hybrid_swin.network.tracing import is_unfused, made_like, sides
from hybrid_swin.spec.window_rules import RegionLayout, lay_regions


class Routing(ConvolvedAttention):
    """Bi-level routing attention (BiFormer): coarse attention chooses regions for the fine.

    The map is cut into S x S regions, ``regions`` = S. Of each region the mean query and the mean
    key are taken, and ``topk`` = k regions with the largest products of means are chosen for it.
    Its tokens attend to all tokens of these: for each head ``softmax(q kᵀ / sqrt(C)) v``, and
    ``depthwise5x5(v)`` is added. The choice has no gradient; among equals the first is taken, and
    what is nearly equal another precision may choose otherwise. With k of all regions it is global
    attention. The scale is the authors': C, not D.

    ``depthwise`` and ``attention`` switch its two halves off: see `ConvolvedAttention`.

    Regions have ⌈H/S⌉ x ⌈W/S⌉ tokens; a smaller map has fewer. Where they do not divide the map,
    the last ones are filled up by padding, which counts in no mean and which nothing attends to.

    Parameters 4C² + 30C; MACs 4NC² + 25NC + S⁴C + 2kN²C/S² for maps that S divides, without S⁴C if
    all regions are chosen.

    Shapes: B batch, H height, W width, C channels, R regions, N tokens per region, T chosen
    regions, K heads, D channels per head.

    Source: BiFormer: Vision Transformer with Bi-Level Routing Attention, 2023,
    https://arxiv.org/abs/2303.08810 (``bra_legacy.py`` in the authors' code)
    """

    kernel = 5
    chooses = True
    limits: ClassVar = {"regions": (1, 65536), "topk": (1, 65536)}

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        regions: int = 7,
        topk: int = 4,
        **halves: Any,
    ) -> None:
        super().__init__(dim, num_heads, window_size, grid_size, **halves)
        self.regions, self.topk = regions, topk

    def attend(self, qk: Tensor, v: Tensor) -> Tensor:
        """Attention of each region to those chosen for it. -> (B, H, W, C)."""
        q, k = qk.chunk(2, dim=-1)
        size = sides(q)
        laid = lay_regions(size, self.regions)
        fill = (0, 0, 0, laid.padded[1] - size[1], 0, laid.padded[0] - size[0])
        q, k, v = (
            windows.partition(F.pad(t, fill), laid.region) for t in (q, k, v)
        )  # (B, R, N, C)
        real_RN = made_like(q, lambda: _real_tokens(size, laid, q.device))
        if self.topk < laid.total:
            index_BRT = choose(means(q, real_RN), means(k, real_RN), self.topk)
            k, v = gather(k, index_BRT), gather(v, index_BRT)  # (B, R, TN, C)
            mask = real_RN[index_BRT].flatten(2)[:, :, None, None]
        else:
            q, k, v = (t.flatten(1, 2)[:, None] for t in (q, k, v))  # as if one region held all
            mask = real_RN.view(1, 1, 1, 1, -1)
        q, k, v = (
            torch.unflatten(t, -1, (self.num_heads, -1)).transpose(2, 3) for t in (q, k, v)
        )  # (B, R, K, N or TN, D)
        out = _attention(q, k, v, None if laid.padded == size else mask, q.shape[2] * q.shape[-1])
        out_BRNC = torch.unflatten(
            out.transpose(2, 3).flatten(3).flatten(1, 2), 1, (laid.total, -1)
        )
        return windows.merge(out_BRNC, laid.region, laid.padded)[:, : size[0], : size[1]]

    @classmethod
    def attention_cost(
        cls, dim: int, num_heads: int, grid_size: Grid, regions: int = 7, topk: int = 4
    ) -> Cost:
        """Regions that are filled up cost their full size."""
        laid, total = lay_regions(grid_size, regions), Cost()
        filled, chosen = laid.padded[0] * laid.padded[1], min(topk, laid.total)
        if chosen < laid.total:
            total += Cost(0, laid.total**2 * dim, laid.total**2)
        keys = chosen * laid.region[0] * laid.region[1]
        return total + Cost(0, 2 * filled * keys * dim, filled * (keys * num_heads + dim))


def _real_tokens(size: Grid, laid: RegionLayout, device: torch.device) -> Tensor:
    """Which tokens of each region are the map's. (R, N)."""
    below, right = (
        torch.arange(whole, device=device) < side
        for whole, side in zip(laid.padded, size, strict=True)
    )
    real = (below[:, None] & right[None, :])[None, :, :, None]
    return windows.partition(real, laid.region)[0, :, :, 0]


def means(x_BRNC: Tensor, real_RN: Tensor) -> Tensor:
    """The mean of each region's tokens of the map, in float32 at least. (B, R, C)."""
    exact = x_BRNC.detach().to(torch.promote_types(x_BRNC.dtype, torch.float32))
    real = real_RN[..., None].to(exact.dtype)
    return (exact * real).sum(dim=2) / real.sum(dim=1)


def choose(q_BRC: Tensor, k_BRC: Tensor, topk: int) -> Tensor:
    """The regions with the largest products of means, of equals the first. (B, R, T)."""
    device = q_BRC.device.type
    known = torch.amp.is_autocast_available(device)  # not to counters on the meta device
    with torch.autocast(device, enabled=False) if known else nullcontext():
        affinity_BRR = q_BRC @ k_BRC.transpose(-2, -1)
    if torch.compiler.is_exporting():  # ONNX has no stable sort; its TopK takes the first as well
        return affinity_BRR.topk(topk, dim=-1).indices
    best = affinity_BRR.sort(dim=-1, descending=True, stable=True).indices
    return best[..., :topk]


def gather(x_BRNC: Tensor, index_BRT: Tensor) -> Tensor:
    """For each region the tokens of those chosen for it. (B, R, TN, C)."""
    batch, count = x_BRNC.shape[:2]
    image = made_like(x_BRNC, lambda: torch.arange(batch, device=x_BRNC.device))
    rows_BRT = index_BRT + image[:, None, None] * count
    rows = x_BRNC.flatten(0, 1).index_select(0, rows_BRT.flatten())
    return rows.view(*index_BRT.shape, *x_BRNC.shape[2:]).flatten(2, 3)


def _attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dim: int) -> Tensor:
    """``softmax(q kᵀ / sqrt(C)) v``, the mask true where a key is one of the map's tokens."""
    if is_unfused(q):
        logits = q * dim**-0.5 @ k.transpose(-2, -1)
        if mask is not None:
            logits = logits.masked_fill(~mask, float("-inf"))
        return logits.softmax(dim=-1) @ v
    # Fused in training too, as in `pooled`: there is no bias to learn.
    shape = q.shape
    q, k, v = (t.flatten(0, 1) for t in (q, k, v))
    if mask is not None:
        mask = mask.expand(*shape[:2], -1, -1, -1).flatten(0, 1)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=dim**-0.5)
    return out.view(shape)
