"""Windows: partition, merge, the mask of shifted windows, relative positions.

Shapes: B batch, H height, W width, C channels, G windows, N tokens per window, K heads.
Everything here is a function of the size it is given; nothing is remembered but small bounded
caches of index tables and masks.
"""

from functools import lru_cache

import torch
from torch import Tensor

from hybrid_swin.cost import Grid

MASKED = -100.0  # as Swin's: enough to silence a pair, and finite where a whole row is masked


def fit_window(window: Grid, size: Grid) -> Grid:
    """The window on a map of this size: never larger than the map, axis by axis."""
    return min(window[0], size[0]), min(window[1], size[1])


def shift_of(window: Grid, size: Grid) -> Grid:
    """Half a window on each axis, none where one window covers the axis."""
    height, width = (w // 2 if s > w else 0 for w, s in zip(window, size, strict=True))
    return height, width


def padded(size: Grid, window: Grid) -> Grid:
    """The size rounded up to whole windows."""
    height, width = (-(-s // w) * w for s, w in zip(size, window, strict=True))
    return height, width


def partition(x: Tensor, window: Grid) -> Tensor:
    """Cut a map into windows. (B, H, W, C) -> (B, G, N, C)."""
    wh, ww = window
    x = torch.unflatten(torch.unflatten(x, 2, (-1, ww)), 1, (-1, wh))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def merge(windows: Tensor, window: Grid, size: Grid) -> Tensor:
    """Undo ``partition`` on a map of this size. (B, G, N, C) -> (B, H, W, C)."""
    wh, ww = window
    x = torch.unflatten(windows, 1, (size[0] // wh, size[1] // ww))
    x = torch.unflatten(x, 3, (wh, ww))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def shift_mask(size: Grid, window: Grid, shift: Grid, device: torch.device) -> Tensor | None:
    """What to add to the logits so that rolled windows attend only within one region. (G, N, N).

    ``size`` is the padded map. None where nothing is shifted.
    """
    return _shift_mask(size, window, shift, device) if any(shift) else None


@lru_cache(maxsize=64)
def _shift_mask(size: Grid, window: Grid, shift: Grid, device: torch.device) -> Tensor:
    # A cached tensor born in inference mode could never serve in training.
    with torch.inference_mode(False), torch.no_grad():
        rows, columns = (
            _regions(s, w, d, device) for s, w, d in zip(size, window, shift, strict=True)
        )
        regions = (rows[:, None] * 3 + columns[None, :])[None, :, :, None]
        ids = partition(regions, window)[0, :, :, 0]
        return torch.where(ids[:, :, None] == ids[:, None, :], 0.0, MASKED)


def _regions(size: int, window: int, shift: int, device: torch.device) -> Tensor:
    """Region 0, 1 or 2 of each position: the last window holds what was rolled around."""
    position = torch.arange(size, device=device)
    if not shift:
        return torch.zeros_like(position)
    return (position >= size - window).long() + (position >= size - shift).long()


@lru_cache(maxsize=64)
def relative_position_index(window: Grid, table: Grid, device: torch.device) -> Tensor:
    """Row of the bias table for each pair of tokens. (N, N), N tokens of ``window``.

    ``table`` is the window that the table was made for; a smaller window reads its middle.
    """
    with torch.inference_mode(False), torch.no_grad():
        y, x = torch.meshgrid(
            *(torch.arange(side, device=device) for side in window), indexing="ij"
        )
        y, x = y.flatten(), x.flatten()
        dy = y[:, None] - y[None, :] + table[0] - 1
        dx = x[:, None] - x[None, :] + table[1] - 1
        return dy * (2 * table[1] - 1) + dx
