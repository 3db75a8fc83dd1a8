"""Weights for another window or another number of image channels."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from hybrid_swin.cost import Grid


def resize_table(table: Tensor, before: Grid, after: Grid) -> Tensor:
    """A bias table for another window, bicubic in each head. (offsets, K) -> (offsets', K).

    A window of (h, w) has (2h-1)(2w-1) offsets, which lie on a grid; (0, 0) stays its middle.

    Source: Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, 2021,
    https://arxiv.org/abs/2103.14030 (windows of 12 from windows of 7)
    """
    exact = table.to(torch.promote_types(table.dtype, torch.float32))
    grid = torch.unflatten(exact.T, -1, _offsets(before))[None]
    resized = F.interpolate(grid, size=_offsets(after), mode="bicubic", align_corners=False)
    return resized[0].flatten(1).T.to(table.dtype).contiguous()  # as safetensors wants them


def crop_table(table: Tensor, before: Grid, after: Grid) -> Tensor:
    """The biases of the offsets in a window that is no larger. (offsets, K) -> (offsets', K)."""
    grid = torch.unflatten(table, 0, _offsets(before))
    top, left = before[0] - after[0], before[1] - after[1]
    height, width = _offsets(after)
    return grid[top : top + height, left : left + width].flatten(0, 1).clone()


def windows_of(offsets: int) -> tuple[Grid, ...]:
    """The windows (h, w) of a table of (2h-1)(2w-1) offsets, the most square first."""
    if offsets < 1 or offsets % 2 == 0:
        return ()
    sides = [n for n in range(math.isqrt(offsets), 0, -1) if offsets % n == 0]
    pairs = [((n + 1) // 2, (offsets // n + 1) // 2) for n in sides]
    return tuple(dict.fromkeys(w for pair in pairs for w in (pair, pair[::-1])))


def window_of_table(offsets: int, ours: Grid, theirs: Grid | None = None) -> Grid | None:
    """The window of a bias table, which its length alone does not tell; None if nothing does.

    ``ours`` is the window that it is to serve, ``theirs`` what the source says of its windows,
    which shrink to small maps.
    """
    possible = windows_of(offsets)
    if theirs is not None and theirs in possible:
        return theirs
    if theirs is not None:
        possible = tuple(w for w in possible if w[0] <= theirs[0] and w[1] <= theirs[1]) or possible
    if ours in possible:
        return ours
    square = possible and possible[0][0] == possible[0][1]
    return possible[0] if square or len(possible) == 1 else None


def offsets(window: Grid) -> int:
    """Rows of a window's bias table."""
    height, width = _offsets(window)
    return height * width


def _offsets(window: Grid) -> Grid:
    return 2 * window[0] - 1, 2 * window[1] - 1


def channels_rule(before: int, after: int) -> str:
    """What ``resize_channels`` does, for the report."""
    if after == 1:
        return (
            f"the first layer's weights of {before} channels are summed to one, so that a grey "
            "image gives what it gave with that many equal channels"
        )
    return (
        f"the first layer's weights of {before} channels are repeated for {after} and scaled by "
        f"{before}/{after}, so that equal channels give what they gave"
        + ("" if after % before == 0 or before == 1 else ", nearly")
    )


def resize_channels(weight: Tensor, channels: int) -> Tensor:
    """A patch embedding for images of other channels. (C, I, p, p) -> (C, channels, p, p).

    To one channel: the sum over all, so that a grey image gives what it gave as RGB. To others: the
    channels repeated in order and scaled by I / channels, so that an image whose channels are equal
    gives what it gave before (exactly where ``channels`` is a multiple of I).
    """
    before = weight.shape[1]
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    repeated = torch.cat([weight] * math.ceil(channels / before), dim=1)[:, :channels]
    return repeated * (before / channels)
