"""Shear, shift and turn each image of a batch by an affine map of its own.

The pixel at (x, y) gets the value of the image at A (x, y, 1)ᵀ, in pixels, with pixel centres at
halves. What lies outside of the image is filled.

- ``rotate``: by degrees, against the clock, around the centre
- ``shear_x``, ``shear_y``: x + f y, or y + f x, from the upper left corner
- ``translate_x``, ``translate_y``: by shares of the width, or of the height

Bilinear values are Pillow's ``transform``. The bicubic kernel is torch's, of a = -3/4; Pillow's has
a = -1. What it overshoots is cut off, as values go from 0 to 1.

Shapes: B batch, C channels, H height, W width.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from hybrid_swin.training.augmentations._resampling import Interpolation

WARPS = "rotate", "shear_x", "shear_y", "translate_x", "translate_y"


def warp(
    images: Tensor, kinds: Tensor, arguments: Tensor, fill: Tensor, interpolation: Interpolation
) -> Tensor:
    """``kinds`` count in ``WARPS``; ``fill`` is (C, 1, 1). (B, C, H, W) -> (B, C, H, W).

    Kinds and arguments are (B,), on the CPU.
    """
    _, _, height, width = images.shape
    device = images.device
    x = torch.arange(width, device=device) + 0.5
    y = torch.arange(height, device=device)[:, None] + 0.5
    m = maps(kinds, arguments, height, width).to(device, non_blocking=True)[..., None, None]
    from_x = m[:, 0, 0] * x + m[:, 0, 1] * y + m[:, 0, 2]
    from_y = m[:, 1, 0] * x + m[:, 1, 1] * y + m[:, 1, 2]
    grid = torch.stack((from_x * 2 / width - 1, from_y * 2 / height - 1), -1)
    out = functional.grid_sample(images, grid, interpolation, "border", align_corners=False)
    inside = (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height)
    return torch.where(inside[:, None], out.clamp(0, 1), fill)


def maps(kinds: Tensor, arguments: Tensor, height: int, width: int) -> Tensor:
    """The matrices A. (B,) -> (B, 2, 3)."""
    zero = torch.zeros_like(arguments)
    angle, shear_x, shear_y, shift_x, shift_y = (
        torch.where(kinds == kind, arguments, zero) for kind in range(len(WARPS))
    )
    angle = angle * (-math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    centre_x, centre_y = width / 2, height / 2
    across = centre_x - cos * centre_x - sin * centre_y + shift_x * width
    down = centre_y + sin * centre_x - cos * centre_y + shift_y * height
    rows = (cos, sin + shear_x, across), (shear_y - sin, cos, down)
    return torch.stack([torch.stack(row, -1) for row in rows], 1)
