"""The attention of window attentions while a network runs, and which token each weight is of.

Shapes: B batch, H height, W width, G windows, N tokens per window, K heads, D channels per head.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from hybrid_swin.cost import Grid
from hybrid_swin.inspection.measures.branch_hooks import replaced_methods
from hybrid_swin.network import windows
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.branches._registers import bias_for_all
from hybrid_swin.network.branches._window_attention import WindowAttention

Tap = Callable[[Tensor], None]
"""Called with the attention (B, G, K, N, N + n): each row a query's weights, which add up to 1.

The last n are of registers, which stand nowhere; most branches have none.
"""


class Layout(NamedTuple):
    """Where the tokens of each window stand on the map, and which may attend to which."""

    positions: Tensor  # (G, N, 2) rows and columns on the map before rolling; padding lies outside
    real: Tensor  # (G, N) whether a token is one of the map's
    allowed: Tensor  # (G, N, N) whether a query may attend to a key, both of the map


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
    positions = windows.partition(positions, window, branch.layout == "strided")[0]
    real = (positions < torch.tensor(grid)).all(dim=-1)
    allowed = real[:, :, None] & real[:, None, :]
    if any(shift):
        allowed = allowed & (windows.shift_mask(size, window, shift, torch.device("cpu")) == 0)
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
def attention_taps(taps: Mapping[WindowAttention, Tap]) -> Iterator[None]:
    """Show each branch's attention to its tap in every pass made inside; nothing else changes.

    Weights are computed again from the branch's own queries and keys, since fused kernels keep
    none. Whatever calls a branch, as a whole or its ``mix`` alone, is seen.
    """

    def show(branch: Branch, attend: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def call(x_BGNC: Tensor, bias: Tensor | None, value_gate: Any) -> Tensor:
            attention = cast(WindowAttention, branch)
            with torch.no_grad():
                taps[attention](attention_weights(attention, x_BGNC, bias))
            return attend(x_BGNC, bias, value_gate)

        return call

    with replaced_methods(list(taps), ("_attend",), show):
        yield


def attention_weights(branch: WindowAttention, x_BGNC: Tensor, bias: Tensor | None) -> Tensor:
    """``softmax(scale q kᵀ + bias)`` of windows, as ``attend`` has it. -> (B, G, K, N, N + n)."""
    q, k, _, scale = branch.heads(x_BGNC)
    logits = (q.float() * scale) @ k.float().transpose(-2, -1)
    if bias is not None:
        logits = logits + bias_for_all(bias, k)
    return logits.softmax(dim=-1)
