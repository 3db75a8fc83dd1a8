"""The attention of window attentions while a network runs, and which token each weight is of.

Shapes: B batch, H height, W width, G windows, N tokens per window, K heads, D channels per head.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from hybrid_swin.cost import Grid
from hybrid_swin.network import windows
from hybrid_swin.network.branches._window_attention import _MAX_LOG_SCALE, WindowAttention

Tap = Callable[[Tensor], None]
"""Called with the attention (B, G, K, N, N): each row a query's weights, which add up to 1."""


class Layout(NamedTuple):
    """Where the tokens of each window stand on the map, and which may attend to which.

    Args:
        positions: (G, N, 2) rows and columns on the map before rolling; padding lies outside.
        real: (G, N) whether a token is one of the map's.
        allowed: (G, N, N) whether a query may attend to a key, both of the map.
    """

    positions: Tensor
    real: Tensor
    allowed: Tensor


def layout_of(branch: WindowAttention, grid: Grid) -> Layout:
    """The windows of a branch on a map of ``grid`` tokens, in the order in which it attends.

    Tokens that were rolled from one border to the other look adjacent and are not: positions are
    those of the map as it came.
    """
    window, shift, size, pads_first = branch.lay(grid)
    height, width = size if pads_first else grid
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    positions = torch.stack([rows, columns], dim=-1)[None].roll((-shift[0], -shift[1]), (1, 2))
    bottom, right = size[0] - height, size[1] - width
    positions = F.pad(positions, (0, 0, 0, right, 0, bottom), value=max(size))
    strided = branch.layout == "strided"
    cut = windows.partition_strided if strided else windows.partition
    positions = cut(positions, window)[0]
    real = (positions < torch.tensor(grid)).all(dim=-1)
    allowed = real[:, :, None] & real[:, None, :]
    mask = windows.shift_mask(size, window, shift, torch.device("cpu"))
    if mask is not None:
        allowed = allowed & (mask == 0)
    return Layout(positions, real, allowed)


def period_of(branch: WindowAttention, grid: Grid) -> Grid:
    """Tokens, by axis, after which the windows of a branch repeat on a map of ``grid`` tokens.

    Along an axis a window of M tokens repeats after M; a strided one, whose tokens stand as far
    apart as can be, after H/M of the padded map. One period that is the whole axis repeats nothing.
    """
    window, _, (height, width), _ = branch.lay(grid)
    if branch.layout != "strided":
        return window
    return height // window[0], width // window[1]


@contextmanager
def attention_shown(taps: Mapping[WindowAttention, Tap]) -> Iterator[None]:
    """Show each branch's attention to its tap in every pass made inside; nothing else changes.

    Weights are computed again from the branch's own queries and keys, since fused kernels keep
    none. Whatever calls a branch, as a whole or its ``mix`` alone, is seen.
    """
    changed: list[WindowAttention] = []
    try:
        for branch, tap in taps.items():
            branch._attend = _showing(branch, tap)  # type: ignore[method-assign]  # taken back
            changed.append(branch)
        yield
    finally:
        for branch in changed:
            del branch._attend


def attention_weights(branch: WindowAttention, x_BGNC: Tensor, bias: Tensor) -> Tensor:
    """``softmax(scale q kᵀ + bias)`` of windows; bias (1 or G, K, N, N). -> (B, G, K, N, N)."""
    qkv = torch.unflatten(branch._project(x_BGNC), -1, (3, branch.num_heads, -1))
    q, k, _ = qkv.permute(3, 0, 1, 4, 2, 5).unbind(0)  # each (B, G, K, N, D)
    q, k = q.float(), k.float()
    if branch.cosine:
        q, k = (F.normalize(part, dim=-1) for part in (q, k))
        q = q * branch.logit_scale.clamp(max=_MAX_LOG_SCALE).exp()
    else:
        q = q * q.shape[-1] ** -0.5
    logits = q @ k.transpose(-2, -1) + bias
    return logits.softmax(dim=-1)


def _showing(branch: WindowAttention, tap: Tap) -> Callable[..., Tensor]:
    attend = branch._attend

    def call(x_BGNC: Tensor, bias: Tensor, value_gate: Any) -> Tensor:
        with torch.no_grad():
            tap(attention_weights(branch, x_BGNC, bias))
        return attend(x_BGNC, bias, value_gate)

    return call
