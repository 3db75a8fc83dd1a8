"""Windows: partition, merge, the mask of shifted windows, relative positions.

Shapes: B batch, H height, W width, C channels, G windows, N tokens per window, K heads.
Everything here is a function of the size it is given; nothing is remembered but small bounded
caches of index tables and masks.
"""

from functools import lru_cache

import torch
from torch import Tensor

from hybrid_swin.tracing import is_recorded
from hybrid_swin.window_rules import Grid
from hybrid_swin.window_rules import padded as padded  # for branches of others

MASKED = -100.0  # as Swin's: enough to silence a pair, and finite where a whole row is masked
PADDING = -1e4  # below any logit, where Swin's is not: cosines reach 100; finite in half precision


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


def partition_strided(x: Tensor, window: Grid) -> Tensor:
    """Cut a map into windows of tokens as far apart as can be. (B, H, W, C) -> (B, G, N, C).

    Token (i, j) of window (y, x) is the map's (iH/h + y, jW/w + x), for windows of h x w tokens.
    """
    wh, ww = window
    x = torch.unflatten(torch.unflatten(x, 2, (ww, -1)), 1, (wh, -1))
    return x.permute(0, 2, 4, 1, 3, 5).flatten(3, 4).flatten(1, 2)


def merge_strided(windows: Tensor, window: Grid, size: Grid) -> Tensor:
    """Undo ``partition_strided`` on a map of this size. (B, G, N, C) -> (B, H, W, C)."""
    wh, ww = window
    x = torch.unflatten(windows, 1, (size[0] // wh, size[1] // ww))
    x = torch.unflatten(x, 3, (wh, ww))
    return x.permute(0, 3, 1, 4, 2, 5).flatten(3, 4).flatten(1, 2)


def shift_mask(size: Grid, window: Grid, shift: Grid, device: torch.device) -> Tensor | None:
    """What to add to the logits so that rolled windows attend only within one region. (G, N, N).

    ``size`` is the padded map. None where nothing is shifted.
    """
    if not any(shift):
        return None
    # Once cached, what a recorder makes would break every later call.
    make = _make_shift_mask if is_recorded() else _shift_mask
    return make(size, window, shift, device)


@lru_cache(maxsize=64)
def _shift_mask(size: Grid, window: Grid, shift: Grid, device: torch.device) -> Tensor:
    # A cached tensor born in inference mode could never serve in training.
    with torch.inference_mode(False):
        return _make_shift_mask(size, window, shift, device)


def _make_shift_mask(size: Grid, window: Grid, shift: Grid, device: torch.device) -> Tensor:
    rows, columns = (_regions(s, w, d, device) for s, w, d in zip(size, window, shift, strict=True))
    regions = (rows[:, None] * 3 + columns[None, :])[None, :, :, None]
    ids = partition(regions, window)[0, :, :, 0]
    return torch.where(ids[:, :, None] == ids[:, None, :], 0.0, MASKED)


def padding_mask(
    size: Grid, whole: Grid, window: Grid, shift: Grid, strided: bool, device: torch.device
) -> Tensor:
    """What to add to the logits so that no token attends to padding. (G, 1, N).

    ``size`` is the map before padding, ``shift`` by how much the padding is rolled with it. Every
    window holds at least one token that is none.
    """
    make = _make_padding_mask if is_recorded() else _padding_mask  # as above
    return make(size, whole, window, shift, strided, device)


def _make_padding_mask(
    size: Grid, whole: Grid, window: Grid, shift: Grid, strided: bool, device: torch.device
) -> Tensor:
    with torch.inference_mode(False), torch.no_grad():
        mask = torch.full((1, *whole, 1), PADDING, device=device)
        mask[:, : size[0], : size[1]] = 0
        mask = mask.roll((-shift[0], -shift[1]), dims=(1, 2))
        cut = partition_strided if strided else partition
        return cut(mask, window)[0].transpose(1, 2)


_padding_mask = lru_cache(maxsize=64)(_make_padding_mask)


def _regions(size: int, window: int, shift: int, device: torch.device) -> Tensor:
    """Region 0, 1 or 2 of each position: the last window holds what was rolled around."""
    position = torch.arange(size, device=device)
    if not shift:
        return torch.zeros_like(position)
    return (position >= size - window).long() + (position >= size - shift).long()


def relative_position_index(window: Grid, table: Grid, device: torch.device) -> Tensor:
    """Row of the bias table for each pair of tokens. (N, N), N tokens of ``window``.

    ``table`` is the window that the table was made for; a smaller window reads its middle.
    """
    make = _make_position_index if is_recorded() else _position_index  # as above
    return make(window, table, device)


@lru_cache(maxsize=64)
def _position_index(window: Grid, table: Grid, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return _make_position_index(window, table, device)


def _make_position_index(window: Grid, table: Grid, device: torch.device) -> Tensor:
    y, x = torch.meshgrid(*(torch.arange(side, device=device) for side in window), indexing="ij")
    y, x = y.flatten(), x.flatten()
    dy = y[:, None] - y[None, :] + table[0] - 1
    dx = x[:, None] - x[None, :] + table[1] - 1
    return dy * (2 * table[1] - 1) + dx


def log_offsets(window: Grid, device: torch.device) -> Tensor:
    """Relative positions in a window on a log scale, ordered as a table. ((2h-1)(2w-1), 2).

    Offsets d over the largest, times 8, then ``sign(d) log2(1 + |d|) / log2(8)``.

    Source: Swin Transformer V2, 2021, https://arxiv.org/abs/2111.09883
    """
    make = _make_log_offsets if is_recorded() else _log_offsets  # as above
    return make(window, device)


def _make_log_offsets(window: Grid, device: torch.device) -> Tensor:
    with torch.inference_mode(False), torch.no_grad():
        axes = [torch.arange(1 - s, s, device=device) * (8 / max(s - 1, 1)) for s in window]
        offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 1)
        return offsets.sign() * (1 + offsets.abs()).log2() / 3


_log_offsets = lru_cache(maxsize=64)(_make_log_offsets)
