"""`linear`: attention without softmax, whose cost grows with the map, not with its square."""

from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from hybrid_swin.cost import Cost, Grid, Window
from hybrid_swin.network.branches import _channel_attention as channel_attention
from hybrid_swin.network.branches import _dot_attention as dot_attention
from hybrid_swin.network.branches._convolved_attention import ConvolvedAttention
from hybrid_swin.network.tracing import made_like, sides

_POWER = 3  # of the focused function, in all networks of its authors
_EPSILON = 1e-6  # as in both sources
_BASE = 10_000  # of the frequencies of rotary positions


class LinearAttention(ConvolvedAttention):
    """Linear attention with a depthwise convolution: ``φ(q) (φ(k)ᵀ v) / norm + depthwise3x3(v)``.

    For each head ``norm = φ(q) Σ_n φ(k_n)ᵀ``. Every token attends to the whole map, never to
    windows, and nothing is as large as N x N. The convolution restores what a map of rank D blurs,
    and tells positions.

    ``feature`` is φ: ``elu``, which is ``ELU(x) + 1`` (MILA); or ``focused`` (FLatten), which keeps
    the length of ``r = ReLU(x)``, over all channels, and sharpens its direction:
    ``|r| r³ / |r³|``.

    ``rotary`` turns φ(q) and φ(k) by where a token stands, but not in the norm (MILA): the first
    half of the channels by its row, the second by its column, in pairs i = 0, 1, ... of each half,
    by the angle ``position / 10000^(4i/C)``. If 4 does not divide C, its last channels stay as they
    are. Any map has its own angles; nothing is stored. Without it an output is a mean of values;
    with it weights may be negative, and exceed 1 where φ(q) and φ(k) have little in common.

    ``depthwise`` and ``attention`` switch its two halves off: see `ConvolvedAttention`.

    FLatten-Swin-T has whole maps in its first two stages and plain windows in the others; its
    convolution is 5 x 5 and shared by all heads, its q and k are divided by learned scales, and k
    has a learned position of each token, which would fix the map. MILA's block has no linear layer
    for v, a convolution and SiLU in front, and a gate behind. All of that is left out.

    Parameters 4C² + 14C; MACs 4NC² + 2NC²/K + 10NC for N tokens.

    Shapes: B batch, H height, W width, C channels, N tokens, K heads, D channels per head.

    Sources: FLatten Transformer: Vision Transformer using Focused Linear Attention, 2023,
    https://arxiv.org/abs/2308.00442; Demystify Mamba in Vision: A Linear Attention Perspective,
    2024, https://arxiv.org/abs/2405.16605
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        feature: Literal["elu", "focused"] = "elu",
        rotary: bool = False,
        **halves: Any,
    ) -> None:
        super().__init__(dim, num_heads, window_size, grid_size, **halves)
        self.feature = feature
        self.rotary = rotary

    def attend(self, qk: Tensor, v: Tensor) -> Tensor:
        """Linear attention, in float32 at least: sums over a map overflow half precision.

        φ of queries and keys at once takes less time.
        """
        if v.dtype in (torch.float16, torch.bfloat16):
            with torch.autocast(v.device.type, enabled=False):
                return self.attend(qk.float(), v.float()).to(v.dtype)
        q, k = self._positive(torch.unflatten(qk, -1, (2, -1))).unbind(dim=-2)
        q_BKND, k_BKND, v_BKND = (self._heads(part) for part in (q, k, v))
        norm_BKN1 = q_BKND @ k_BKND.mean(dim=-2, keepdim=True).transpose(-2, -1)
        if self.rotary:
            q_BKND, k_BKND = self._heads(rotated(q)), self._heads(rotated(k))
        map_BKDD = channel_attention.products(k_BKND, v_BKND) / k_BKND.shape[-2]
        out_BKND = q_BKND @ map_BKDD / (norm_BKN1 + _EPSILON)
        return torch.unflatten(out_BKND.transpose(1, 2).flatten(2), 1, v.shape[1:3])

    def _positive(self, x: Tensor) -> Tensor:
        """The feature map φ. (..., C) -> (..., C)."""
        if self.feature == "elu":
            return F.elu(x) + 1
        x = x.relu() + _EPSILON
        return x.norm(dim=-1, keepdim=True) * F.normalize(F.normalize(x, dim=-1) ** _POWER, dim=-1)

    def _heads(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, K, N, D)."""
        return dot_attention.heads(x.flatten(1, 2), self.num_heads)

    @classmethod
    def attention_cost(
        cls,
        dim: int,
        num_heads: int,
        grid_size: Grid,
        feature: Literal["elu", "focused"] = "elu",
        rotary: bool = False,
    ) -> Cost:
        """Two products, and the norm."""
        tokens = grid_size[0] * grid_size[1]
        norm = Cost(0, tokens * dim, tokens * num_heads)
        return channel_attention.cost(tokens, dim, num_heads) + norm


def rotated(x_BHWC: Tensor) -> Tensor:
    """Each pair of channels turned by an angle of the token's row or column (rotary positions)."""
    height, width = sides(x_BHWC)
    count = x_BHWC.shape[-1] // 4  # frequencies of each axis
    pairs = torch.unflatten(x_BHWC[..., : 4 * count], -1, (2 * count, 2))
    first, second = pairs[..., 0], pairs[..., 1]

    def angles() -> Tensor:
        upto = partial(torch.arange, dtype=x_BHWC.dtype, device=x_BHWC.device)
        frequencies = _BASE ** (-upto(count) / max(count, 1))
        rows = upto(height)[:, None, None] * frequencies
        columns = upto(width)[None, :, None] * frequencies
        shape = height, width, count
        return torch.cat([rows.expand(shape), columns.expand(shape)], dim=-1)

    angle_HWP = made_like(x_BHWC, angles)
    cos, sin = angle_HWP.cos(), angle_HWP.sin()
    turned = torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return torch.cat([turned.flatten(-2), x_BHWC[..., 4 * count :]], dim=-1)
