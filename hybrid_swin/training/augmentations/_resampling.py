"""Cut a box out of each image and resize it, antialiased, as two matrix products.

out = R x Cᵀ for each channel x (H, W), with rows R (H', H) and columns C (W', W) that hold the
kernel's weights. A box of length l from s, resized to n, has step t = l / n and f = max(t, 1)::

    R[i, j] = k((j + 1/2 - c_i) / f) / Σ_j ...     c_i = s + (i + 1/2) t     for s <= j < s + l

k is the triangle, or the cubic of a = -1/2: Pillow's ``resize`` of a cropped image in floating
point. Pillow also rounds and clips to 8 bits after each of the two products; these are not clipped,
so the cubic's overshoots stay.

Source: Keys, Cubic convolution interpolation for digital image processing, 1981,
https://doi.org/10.1109/TASSP.1981.1163711; https://github.com/python-pillow/Pillow (Resample.c)

Shapes: B batch, C channels, H height, W width; H' and W' of the result.
"""

from typing import Literal

import torch
from torch import Tensor

Interpolation = Literal["bicubic", "bilinear"]
_CUBIC = -0.5


def resized_boxes(
    images: Tensor, boxes_B4: Tensor, size: tuple[int, int], interpolation: Interpolation
) -> Tensor:
    """Each image's box (top, left, height, width) at ``size``. (B, C, H, W) -> (B, C, H', W')."""
    device, (height, width) = images.device, images.shape[2:]
    top, left, box_height, box_width = boxes_B4.to(device, torch.float32, non_blocking=True).T
    rows = weights(top, box_height, height, size[0], interpolation)
    columns = weights(left, box_width, width, size[1], interpolation)
    return rows[:, None] @ images @ columns[:, None].mT


def weights(
    start_B: Tensor, length_B: Tensor, before: int, after: int, interpolation: Interpolation
) -> Tensor:
    """Of ``before`` pixels for each of ``after`` pixels, along one axis. (B, after, before)."""
    device = start_B.device
    step_B11 = (length_B / after)[:, None, None]
    centres_BA1 = start_B[:, None, None] + (torch.arange(after, device=device)[:, None] + 0.5) * (
        step_B11
    )
    pixels = torch.arange(before, device=device)
    distances = (pixels + 0.5 - centres_BA1) / step_B11.clamp(min=1)
    end_B11 = (start_B + length_B)[:, None, None]
    inside = (pixels >= start_B[:, None, None]) & (pixels < end_B11)
    kernel = _triangle if interpolation == "bilinear" else _cubic
    raw = kernel(distances.abs()) * inside
    return raw / raw.sum(-1, keepdim=True)


def _triangle(x: Tensor) -> Tensor:
    return (1 - x).clamp(min=0)


def _cubic(x: Tensor) -> Tensor:
    near = ((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * _CUBIC
    return torch.where(x < 1, near, torch.where(x < 2, far, 0))
