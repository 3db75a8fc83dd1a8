"""`overlap`: windows whose keys and values reach beyond them."""

from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import Cost, Grid, Window, linear
from hybrid_swin.network import windows
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.branches._registers import Registers, bias_for_all, registers_cost
from hybrid_swin.network.branches._window_attention import attend
from hybrid_swin.network.resizing import crop_table, offsets, resize_table
from hybrid_swin.network.tracing import made_like, sides
from hybrid_swin.spec.window_rules import lay_windows, overlap_margin, sides_of


class Overlap(Branch):
    """Overlapping cross-attention (OCA of HAT): queries of a window, keys from a wider one.

    For each window and head ``softmax(q kᵀ / sqrt(D) + bias) v``: q of the window's h x w tokens, k
    and v of the (h + 2m) x (w + 2m) tokens around it, ``bias`` read from a table by the relative
    position of query and key. The margin m is h · ``overlap`` / 2, rounded (for each axis its own):
    4 for HAT's windows of 16, 2 for windows of 7. With ``overlap=0`` it is ``w_msa``, which is the
    control: what do the neighbours' tokens bring?

    Where a margin leaves the map, keys and values are zeros, as HAT's ``Unfold`` pads. They are
    attended to, with the bias alone as logit. ``mask_padding`` lets no token attend to them, nor to
    what fills the last windows up. An axis that one window covers has no neighbours and no margin.
    ``registers`` are so many learned tokens that every window attends to as well: see `Registers`.

    Parameters 4C² + 4C + (2(h + m) - 1)(2(w + m) - 1)K; MACs 4NC² + 2N(h + 2m)(w + 2m)C.

    Shapes: B batch, H height, W width, C channels, G windows, N tokens per window, M keys per
    window, K heads, D channels per head.

    Source: Activating More Pixels in Image Super-Resolution Transformer, 2022,
    https://arxiv.org/abs/2205.04437 (``OCAB`` in the authors' code)
    """

    gates_values = True
    has_windows = True
    limits: ClassVar = {"overlap": (0, 1), "registers": (0, 1000)}

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        overlap: float = 0.5,
        mask_padding: bool = False,
        registers: int = 0,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.overlap = overlap
        self.mask_padding = mask_padding
        self.window = _fitted(window_size, grid_size)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.registers = Registers(registers, dim) if registers else None
        rows = offsets(_reach(self.window, overlap))
        self.bias_table = nn.Parameter(torch.empty(rows, num_heads))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """First weights of the table."""
        nn.init.trunc_normal_(self.bias_table, std=0.02)

    def resize(self, window_size: Window, grid_size: Grid) -> None:
        """Take another window; its table is the old one's middle where it shrinks to the map."""
        window, table = _fitted(window_size, grid_size), self.bias_table
        if window != self.window:
            resize = crop_table if window == _fitted(self.window, grid_size) else resize_table
            before, after = (_reach(side, self.overlap) for side in (self.window, window))
            resized = resize(table.detach(), before, after)
            self.bias_table = nn.Parameter(resized, table.requires_grad)
        self.window = window

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Attend to windows and their margins. (B, H, W, C) -> (B, H, W, C); the gate (B, C)."""
        size = sides(x)
        window, whole = lay_windows(size, self.window)[::2]
        margin = _margin(window, size, self.overlap)
        if whole != size:
            x = F.pad(x, (0, 0, 0, whole[1] - size[1], 0, whole[0] - size[0]))
        q, kv = self.qkv(x).tensor_split((x.shape[-1],), dim=-1)
        kv_BGMC = windows.partition_overlapping(kv, window, margin)
        q, k, v = (
            torch.unflatten(part, -1, (self.num_heads, -1)).transpose(2, 3)
            for part in (windows.partition(q, window), *kv_BGMC.chunk(2, dim=-1))
        )  # (B, G, K, N or M, D)
        if self.registers is not None:
            k, v = self.registers.beside(k, v, self.qkv)
        if value_gate is not None:
            v = v * torch.unflatten(value_gate, -1, (self.num_heads, 1, -1))[:, None]
        bias = self._bias(window, margin)
        if self.mask_padding and (any(margin) or whole != size):
            mask = partial(windows.overlapping_padding_mask, size, whole, window, margin, x.device)
            bias = bias + made_like(x, mask)[:, None]
        out_BGNC = (
            attend(q, k, v, bias_for_all(bias, k), q.shape[-1] ** -0.5).transpose(2, 3).flatten(3)
        )
        return windows.merge(out_BGNC, window, whole)[:, : size[0], : size[1]]

    def _bias(self, window: Grid, margin: Grid) -> Tensor:
        """Position bias of a window no larger than the nominal one. (1, K, N, M)."""
        table = self.bias_table
        reach = _reach(self.window, self.overlap)
        of = partial(windows.relative_position_index, window, reach, table.device, margin)
        return table[made_like(table, of)].permute(2, 0, 1)[None]

    def padded(self, size: Grid) -> Grid:
        """Whole windows; the map itself where padding is masked."""
        return size if self.mask_padding else lay_windows(size, self.window).padded

    @classmethod
    def padded_grid(
        cls, window_size: Window, grid_size: Grid, mask_padding: bool = False, **_: Any
    ) -> Grid:
        """Whole windows; the map itself where padding is masked."""
        return grid_size if mask_padding else lay_windows(grid_size, sides_of(window_size)).padded

    @classmethod
    def fitted_window(cls, window_size: Window, grid_size: Grid, **_: Any) -> Window:
        """The window as it is on the nominal grid."""
        return _fitted(window_size, grid_size)

    @classmethod
    def table_window(
        cls, window_size: Window, grid_size: Grid, overlap: float = 0.5, **_: Any
    ) -> Grid:
        """The window whose offsets are those of queries and keys, margins included."""
        return _reach(_fitted(window_size, grid_size), overlap)

    def bias_tables(self) -> dict[str, Grid]:
        """The table of the window with its margin."""
        return {"bias_table": _reach(self.window, self.overlap)}

    def no_weight_decay(self) -> set[str]:
        """The table of position biases."""
        return {"bias_table"} | ({"registers.tokens"} if self.registers is not None else set())

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        overlap: float = 0.5,
        mask_padding: bool = False,
        registers: int = 0,
    ) -> Cost:
        """As `w_msa`, with more keys for each query."""
        window, size = lay_windows(grid_size, sides_of(window_size))[::2]
        tokens, margin = size[0] * size[1], _margin(window, grid_size, overlap)
        keys = (window[0] + 2 * margin[0]) * (window[1] + 2 * margin[1])
        total = Cost(offsets(_reach(window, overlap)) * num_heads)
        total += linear(tokens, dim, 3 * dim)
        total += Cost(0, 2 * tokens * keys * dim, tokens * (keys * num_heads + dim))
        total += registers_cost(registers, tokens, dim, num_heads)
        return total + linear(grid_size[0] * grid_size[1], dim, dim)


def _fitted(window_size: Window, grid_size: Grid) -> Grid:
    return lay_windows(grid_size, sides_of(window_size)).window


def _reach(window: Grid, overlap: float) -> Grid:
    """The window whose offsets are those of queries and keys, margins included."""
    rows, columns = overlap_margin(window, overlap)
    return window[0] + rows, window[1] + columns


def _margin(window: Grid, size: Grid, overlap: float) -> Grid:
    """The margin on a map of this size: none along an axis that one window covers."""
    rows, columns = overlap_margin(window, overlap)
    return (rows if size[0] > window[0] else 0), (columns if size[1] > window[1] else 0)
