"""Images cut into a grid of equal patches that change places or are covered.

Shapes: B images, C channels, H height, W width; G patches of a side, P = G² patches.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hybrid_swin.errors import InputError


def possible_grids(size: tuple[int, int], smallest: int = 1) -> list[int]:
    """Every G above 1 that cuts both sides into equal patches of at least ``smallest`` pixels."""
    common = math.gcd(*size)
    return [g for g in range(2, common + 1) if common % g == 0 and min(size) // g >= smallest]


def fitting_grids(size: tuple[int, int], smallest: int) -> list[int]:
    """The same, or of smaller patches if those are too large. Raises InputError if none fits."""
    possible = possible_grids(size, smallest) or possible_grids(size)
    if not possible:
        raise InputError(
            f"images of {size[0]} x {size[1]} pixels cannot be cut into equal patches; "
            "give images whose sides have a common divisor"
        )
    return possible


def spread_grids(size: tuple[int, int], smallest: int, count: int) -> list[int]:
    """At most ``count`` fitting grids, from coarse to fine, in about equal ratios."""
    possible = fitting_grids(size, smallest)
    wanted = np.geomspace(possible[0], possible[-1], count)
    return sorted({min(possible, key=lambda g: abs(math.log(g / w))) for w in wanted})


def check_grid(grid: int, size: tuple[int, int], where: str) -> int:
    """The grid, where it cuts both sides into equal patches; raises InputError else."""
    allowed = [1, *possible_grids(size)]
    if grid not in allowed:
        raise InputError(
            f"{where}: a grid of {grid} x {grid} does not cut {size[0]} x {size[1]} pixels into "
            f"equal patches; choose from {', '.join(map(str, allowed))}"
        )
    return grid


def orders(seed: int, grid: int, indices: range) -> Tensor:
    """A random order of the patches for each image. (B, P) int64.

    It depends on the seed, the grid and the image's index, and on nothing else.
    """
    drawn: list[NDArray[np.int64]] = [
        np.random.Generator(np.random.Philox(key=[(seed << 16) | grid, index])).permutation(grid**2)
        for index in indices
    ]
    return torch.from_numpy(np.stack(drawn))


def shuffle(images: Tensor, order_BP: Tensor, grid: int) -> Tensor:
    """Place p gets the patch that stood at ``order[p]``. (B, C, H, W) -> the same."""
    patches_BPX = _cut(images, grid)
    order = order_BP.to(images.device)[:, :, None].expand_as(patches_BPX)
    return _join(patches_BPX.gather(1, order), images.shape, grid)


def cover(images: Tensor, order_BP: Tensor, grid: int, count: int, fill_C: Tensor) -> Tensor:
    """Fill the first ``count`` patches of the order with one colour. (B, C, H, W) -> the same."""
    if not count:
        return images
    mask_BP = torch.zeros(order_BP.shape, dtype=torch.bool)
    mask_BP.scatter_(1, order_BP[:, :count], True)
    height, width = images.shape[-2:]
    mask = torch.unflatten(mask_BP, 1, (1, grid, grid))
    mask = mask.repeat_interleave(height // grid, 2).repeat_interleave(width // grid, 3)
    return torch.where(mask.to(images.device), fill_C.to(images)[:, None, None], images)


def _cut(images: Tensor, grid: int) -> Tensor:
    """(B, C, H, W) -> (B, P, C · pixels of a patch)."""
    x = torch.unflatten(torch.unflatten(images, 3, (grid, -1)), 2, (grid, -1))  # (B, C, G, h, G, w)
    return x.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def _join(patches_BPX: Tensor, shape: torch.Size, grid: int) -> Tensor:
    """Undo ``_cut`` for images of this shape."""
    channels, height, width = shape[1:]
    x = torch.unflatten(patches_BPX, 2, (channels, height // grid, width // grid))
    x = torch.unflatten(x, 1, (grid, grid)).permute(0, 3, 1, 4, 2, 5)
    return x.reshape(shape)
