"""Windows: partition, merge, the mask of shifted windows, relative positions.

Shapes: B batch, H height, W width, C channels, G windows, N tokens per window, K heads.
Everything here is a function of the size it is given; nothing is remembered but the last few
index tables and masks, and of those only what every later call can use.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec

import torch
from torch import Tensor

from hybrid_swin.network.tracing import is_plain
from hybrid_swin.spec.window_rules import Grid
from hybrid_swin.spec.window_rules import padded as padded  # for branches of others

MASKED = -100.0  # as Swin's: enough to silence a pair, and finite where a whole row is masked
PADDING = -1e4  # below any logit, where Swin's is not: cosines reach 100; finite in half precision


def partition(x: Tensor, window: Grid, strided: bool = False) -> Tensor:
    """Cut a map into windows. (B, H, W, C) -> (B, G, N, C).

    Tokens of a window are neighbours, or as far apart as can be: token (i, j) of strided window
    (y, x) is the map's (iH/h + y, jW/w + x), for windows of h x w tokens.
    """
    wh, ww = window
    if strided:
        x = torch.unflatten(torch.unflatten(x, 2, (ww, -1)), 1, (wh, -1))
        return x.permute(0, 2, 4, 1, 3, 5).flatten(3, 4).flatten(1, 2)
    x = torch.unflatten(torch.unflatten(x, 2, (-1, ww)), 1, (-1, wh))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def partition_overlapping(x: Tensor, window: Grid, margin: Grid) -> Tensor:
    """Cut a map into windows with what lies within a margin around each. -> (B, G, M, C).

    Beyond the map there are zeros, as ``torch.nn.Unfold`` pads. Without a margin: ``partition``.
    """
    if not any(margin):
        return partition(x, window)
    wh, ww = window
    x = torch.unflatten(torch.unflatten(x, 2, (-1, ww)), 1, (-1, wh))
    x = _with_neighbours(x, 1, 2, margin[0])
    x = _with_neighbours(x.transpose(2, 3), 2, 4, margin[1])
    return x.flatten(3, 4).flatten(1, 2)


def _with_neighbours(x: Tensor, windows: int, tokens: int, margin: int) -> Tensor:
    """Put the nearest tokens of the windows before and after beside each window's, on one axis.

    ``windows`` and ``tokens`` are axes of x; a window has at least ``margin`` tokens there. Slices
    have what ``Tensor.unfold`` has not: a backward pass under ``vmap``, and for ``DTensor``.
    """
    if not margin:
        return x
    count, side = x.shape[windows], x.shape[tokens]
    first, last = x.narrow(tokens, 0, margin), x.narrow(tokens, side - margin, margin)
    zeros = torch.zeros_like(first.narrow(windows, 0, 1))
    before = torch.cat([zeros, last.narrow(windows, 0, count - 1)], dim=windows)
    after = torch.cat([first.narrow(windows, 1, count - 1), zeros], dim=windows)
    return torch.cat([before, x, after], dim=tokens)


def merge(windows: Tensor, window: Grid, size: Grid, strided: bool = False) -> Tensor:
    """Undo ``partition`` on a map of this size. (B, G, N, C) -> (B, H, W, C)."""
    wh, ww = window
    x = torch.unflatten(windows, 1, (size[0] // wh, size[1] // ww))
    x = torch.unflatten(x, 3, (wh, ww))
    x = x.permute(0, 3, 1, 4, 2, 5) if strided else x.transpose(2, 3)
    return x.flatten(3, 4).flatten(1, 2)


_P = ParamSpec("_P")


def _made_once(make: Callable[_P, Tensor]) -> Callable[_P, Tensor]:
    """Keep the last 64 tables for later calls, which may be in any mode.

    A fake or wrapped tensor would break them, and ordinary ones break fakes: where tensors are not
    plain, tables are made anew. Nor may a table be born in inference mode, which could never serve
    in training, or be of torch's default type, which may have changed.
    """

    def make_for_all(*arguments: _P.args, **options: _P.kwargs) -> Tensor:
        with torch.inference_mode(False), torch.no_grad():
            return make(*arguments, **options)

    kept = lru_cache(maxsize=64)(make_for_all)

    @wraps(make)
    def table(*arguments: _P.args, **options: _P.kwargs) -> Tensor:
        # mypy takes what is hashable for what lru_cache wants
        return (kept if is_plain() else make_for_all)(*arguments, **options)  # type: ignore[arg-type]

    return table


@_made_once
def shift_mask(size: Grid, window: Grid, shift: Grid, device: torch.device) -> Tensor:
    """What to add to the logits so that rolled windows attend only within one region. (G, N, N).

    ``size`` is the padded map.
    """
    rows, columns = (_regions(s, w, d, device) for s, w, d in zip(size, window, shift, strict=True))
    regions = (rows[:, None] * 3 + columns[None, :])[None, :, :, None]
    ids = partition(regions, window)[0, :, :, 0]
    return (ids[:, :, None] != ids[:, None, :]).to(torch.float32) * MASKED


@_made_once
def padding_mask(
    size: Grid, whole: Grid, window: Grid, shift: Grid, strided: bool, device: torch.device
) -> Tensor:
    """What to add to the logits so that no token attends to padding. (G, 1, N).

    ``size`` is the map before padding, ``shift`` by how much the padding is rolled with it. Every
    window holds at least one token that is none.
    """
    # Nothing in place: what `torch.func.linearize` records would lose it.
    below, right = (torch.arange(w, device=device) >= s for w, s in zip(whole, size, strict=True))
    mask = (below[:, None] | right[None, :]).to(torch.float32) * PADDING
    mask = mask[None, :, :, None].roll((-shift[0], -shift[1]), dims=(1, 2))
    return partition(mask, window, strided)[0].transpose(1, 2)


@_made_once
def overlapping_padding_mask(
    size: Grid, whole: Grid, window: Grid, margin: Grid, device: torch.device
) -> Tensor:
    """The same for windows that reach beyond themselves: over the map's borders too. (G, 1, M)."""
    below, right = (torch.arange(w, device=device) < s for w, s in zip(whole, size, strict=True))
    real = (below[:, None] & right[None, :]).to(torch.float32)[None, :, :, None]
    return (1 - partition_overlapping(real, window, margin)[0].transpose(1, 2)) * PADDING


def _regions(size: int, window: int, shift: int, device: torch.device) -> Tensor:
    """Region 0, 1 or 2 of each position: the last window holds what was rolled around."""
    position = torch.arange(size, device=device)
    if not shift:
        return torch.zeros_like(position)
    return (position >= size - window).long() + (position >= size - shift).long()


@_made_once
def relative_position_index(
    window: Grid, table: Grid, device: torch.device, margin: Grid = (0, 0)
) -> Tensor:
    """Row of the bias table for each pair of tokens. (N, M), N tokens of ``window``.

    ``table`` is the window that the table was made for; a smaller window reads its middle. The M
    keys are the window's tokens and those within ``margin`` around it.
    """
    y, x = _positions(window, (0, 0), device)
    key_y, key_x = _positions(window, margin, device)
    dy = y[:, None] - key_y[None, :] + table[0] - 1
    dx = x[:, None] - key_x[None, :] + table[1] - 1
    return dy * (2 * table[1] - 1) + dx


def _positions(window: Grid, margin: Grid, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows and columns of the tokens of a window, with those within a margin around it."""
    axes = (
        torch.arange(-around, side + around, device=device)
        for side, around in zip(window, margin, strict=True)
    )
    y, x = torch.meshgrid(*axes, indexing="ij")
    return y.flatten(), x.flatten()


@_made_once
def log_offsets(window: Grid, device: torch.device, scale_window: Grid | None = None) -> Tensor:
    """Relative positions in a window on a log scale, ordered as a table. ((2h-1)(2w-1), 2).

    Offsets d over the largest of ``scale_window``, or of the window itself, times 8, then
    ``sign(d) log2(1 + |d|) / log2(8)``.

    Source: Swin Transformer V2, 2021, https://arxiv.org/abs/2111.09883
    """
    axes = [
        torch.arange(1 - side, side, dtype=torch.float32, device=device) * (8 / max(scale - 1, 1))
        for side, scale in zip(window, scale_window or window, strict=True)
    ]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 1)
    return offsets.sign() * (1 + offsets.abs()).log2() / 3
