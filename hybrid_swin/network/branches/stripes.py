"""`stripes`: attention within cross-shaped windows, horizontal and vertical stripes of the map.

Shapes: B batch, H height, W width, C channels, G stripes, N tokens per stripe, K heads,
D channels per head.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import Cost, Grid, Window, depthwise, linear
from hybrid_swin.network import windows
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.layers import convolve, depthwise_conv
from hybrid_swin.network.tracing import is_unfused, sides


class Stripes(Branch):
    """Cross-shaped windows (CSWin): half of the heads see rows of the map, half see columns.

    For each stripe and head ``softmax(q kᵀ / sqrt(D)) v + depthwise3x3(v)``. The first half of the
    heads has stripes that are ``width`` rows high and as wide as the map, the other half stripes of
    ``width`` columns. The convolution is CSWin's locally-enhanced positional encoding (LePE): it
    stays within a stripe, with zeros around it. CSWin takes a width of 1, 2, 7 and 7 in its four
    stages; the last one covers its map, and is plain attention.

    If the number of heads is odd, one more of them sees rows: a single head sees rows alone. The
    last stripe is narrower where the width does not divide the map, which CSWin refuses. CSWin's
    code gives columns to the first half of the heads.

    ``positions`` and ``attention`` are the controls that tell its two halves apart: without
    positions it is the attention alone; without the attention (its map is the identity) it is
    ``v + depthwise3x3(v)`` between two linear layers, and queries and keys are not computed.

    Parameters 4C² + 14C; MACs 4NC² + 9NC + NCs(H + W) for N = HW tokens, an even number of heads
    and a width s that divides H and W.

    Source: CSWin Transformer: A General Vision Transformer Backbone with Cross-Shaped Windows,
    2021, https://arxiv.org/abs/2107.00652
    """

    gates_values = True
    mixes_by: ClassVar = ("attention", "positions")

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        width: Literal[1, 2, 4, 7, 8, 12] = 2,
        positions: bool = True,
        attention: bool = True,
    ) -> None:
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim if attention else dim)
        self.halves = nn.ModuleList(
            _Half(heads, dim // num_heads, width, columns, positions)
            for heads, columns in _halves(num_heads)
        )
        self.chunks = 3 if attention else 1
        self.channels = [heads * dim // num_heads for heads, _ in _halves(num_heads)]
        self.proj = nn.Linear(dim, dim)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Attend within stripes. (B, H, W, C) -> (B, H, W, C); ``value_gate`` (B, C)."""
        *queries_and_keys, v = self.qkv(x).chunk(self.chunks, dim=-1)
        if value_gate is not None:
            v = v * value_gate[:, None, None]
        parts = (torch.split(t, self.channels, dim=-1) for t in (*queries_and_keys, v))
        of_halves = zip(*parts, strict=True)
        mixed = [half(*qkv) for half, qkv in zip(self.halves, of_halves, strict=True)]
        return torch.cat(mixed, dim=-1)

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        width: int = 2,
        positions: bool = True,
        attention: bool = True,
    ) -> Cost:
        """Two products per stripe; less for each half that is switched off."""
        tokens = grid_size[0] * grid_size[1]
        total = linear(tokens, dim, 3 * dim if attention else dim) + linear(tokens, dim, dim)
        for heads, columns in _halves(num_heads):
            channels = heads * dim // num_heads
            if positions:
                total += depthwise(tokens, channels, 3)
            if attention:
                length, breadth = reversed(grid_size) if columns else grid_size
                for piece, stripe in _pieces(length, width):
                    here, seen = piece * breadth, stripe * breadth
                    total += Cost(0, 2 * here * seen * channels, here * (seen * heads + channels))
        return total


class _Half(nn.Module):
    """Attention and positional encoding of the heads whose stripes lie in one direction."""

    def __init__(
        self, num_heads: int, head_dim: int, width: int, columns: bool, positions: bool
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.width = width
        self.axis = 2 if columns else 1  # across the stripes
        self.dwconv = depthwise_conv(num_heads * head_dim, 3, bias=True) if positions else None

    def forward(self, *qkv: Tensor) -> Tensor:
        """Queries, keys and values, or values alone, each (B, H, W, C) -> (B, H, W, C)."""
        pieces = _pieces(sides(qkv[0])[self.axis - 1], self.width)
        lengths = [length for length, _ in pieces]
        cut = zip(*(torch.split(t, lengths, self.axis) for t in qkv), strict=True)
        mixed = [
            self._mix(list(piece), stripe) for piece, (_, stripe) in zip(cut, pieces, strict=True)
        ]
        return mixed[0] if len(mixed) == 1 else torch.cat(mixed, dim=self.axis)

    def _mix(self, qkv: list[Tensor], width: int) -> Tensor:
        """The same on a map that stripes of this width divide."""
        size = sides(qkv[0])
        stripe = (width, size[1]) if self.axis == 1 else (size[0], width)
        *queries_and_keys, v_BGNC = (windows.partition(t, stripe) for t in qkv)
        mixed = self._attend(*queries_and_keys, v_BGNC) if queries_and_keys else v_BGNC
        if self.dwconv is not None:
            maps = torch.unflatten(v_BGNC.flatten(0, 1), 1, stripe)
            mixed = mixed + convolve(self.dwconv, maps).reshape(v_BGNC.shape)
        return windows.merge(mixed, stripe, size)

    def _attend(self, *qkv_BGNC: Tensor) -> Tensor:
        """Attention of each stripe with itself. (B, G, N, C)."""
        q, k, v = (
            torch.unflatten(t.flatten(0, 1), -1, (self.num_heads, -1)).transpose(1, 2)
            for t in qkv_BGNC
        )  # (BG, K, N, D)
        if is_unfused(q):
            out = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        else:
            out = F.scaled_dot_product_attention(q, k, v)
        return out.transpose(1, 2).reshape(qkv_BGNC[0].shape)


def _halves(num_heads: int) -> list[tuple[int, bool]]:
    """Heads, and whether these see columns."""
    columns = num_heads // 2
    return [(num_heads - columns, False), *([(columns, True)] if columns else [])]


def _pieces(length: int, width: int) -> list[tuple[int, int]]:
    """A side cut in two, as (length, width of its stripes): whole stripes, then a narrower one."""
    width = min(width, length)
    whole, rest = length - length % width, length % width
    return [(whole, width), *([(rest, rest)] if rest else [])]
