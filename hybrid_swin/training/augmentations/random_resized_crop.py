"""Crop a random part of each image and resize it to the network's size."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from hybrid_swin.training.augmentations import Augmentation, Limits, Pixels
from hybrid_swin.training.augmentations._draws import between, first_that_fits, uniform, whole_below
from hybrid_swin.training.augmentations._resampling import resized_boxes

_ATTEMPTS = 10


class RandomResizedCrop(Augmentation):
    """Crop a random share of each image's area, of a random shape, and resize it.

    An attempt draws an area a and a shape r, and a box of them whose place is uniform::

        a ~ U(scale) H W    ln r ~ U(ln ratio)    w = round √(a r)    h = round √(a / r)

    The first of ten attempts that fits into the image counts. Where none does, it is the largest
    box in the middle whose shape lies within ``ratio``.

    Boxes are cut from images as they were read, at the network's size. Of files that are larger,
    timm cuts from the file, so that a small box there holds more detail.

    Source: Going deeper with convolutions, 2014, https://arxiv.org/abs/1409.4842;
    ``RandomResizedCropAndInterpolation`` in https://github.com/huggingface/pytorch-image-models

    Args:
        scale: smallest and largest share of the area.
        ratio: smallest and largest width by height.
        interpolation: antialiased, as in Pillow.
    """

    limits: ClassVar[Limits] = {"scale": (0.0001, 1), "ratio": (0.001, 1000)}

    def __init__(
        self,
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (0.75, 1.3333),
        interpolation: Literal["bicubic", "bilinear"] = "bicubic",
    ) -> None:
        self.scale, self.ratio = tuple(scale), tuple(ratio)
        self.interpolation = interpolation

    def __call__(self, images: Tensor, pixels: Pixels) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        height, width = images.shape[2:]
        boxes = draw_boxes(len(images), (height, width), self.scale, self.ratio)
        return resized_boxes(images, boxes, (height, width), self.interpolation)


def draw_boxes(
    batch: int, size: tuple[int, ...], scale: tuple[float, ...], ratio: tuple[float, ...]
) -> Tensor:
    """A box for each image: top, left, height, width. (batch, 4)."""
    height, width = size
    drawn_BA2, place_B2 = uniform(batch, _ATTEMPTS, 2), uniform(batch, 2)
    areas_BA = between(drawn_BA2[..., 0], *scale) * (height * width)
    shapes_BA = between(drawn_BA2[..., 1], math.log(ratio[0]), math.log(ratio[1])).exp()
    widths_BA = (areas_BA * shapes_BA).sqrt().round().long()
    heights_BA = (areas_BA / shapes_BA).sqrt().round().long()
    fits_BA = (widths_BA <= width) & (heights_BA <= height) & (widths_BA > 0) & (heights_BA > 0)
    first_B, fits_B = first_that_fits(fits_BA)
    rows = torch.arange(batch)
    middle_height, middle_width = _largest(height, width, ratio)
    heights_B = torch.where(fits_B, heights_BA[rows, first_B], middle_height)
    widths_B = torch.where(fits_B, widths_BA[rows, first_B], middle_width)
    tops_B = whole_below(place_B2[:, 0], height - heights_B + 1)
    lefts_B = whole_below(place_B2[:, 1], width - widths_B + 1)
    tops_B = torch.where(fits_B, tops_B, (height - middle_height) // 2)
    lefts_B = torch.where(fits_B, lefts_B, (width - middle_width) // 2)
    return torch.stack((tops_B, lefts_B, heights_B, widths_B), 1)


def _largest(height: int, width: int, ratio: tuple[float, ...]) -> tuple[int, int]:
    """Height and width of the largest box whose shape lies within ``ratio``."""
    if width / height < ratio[0]:
        return max(1, round(width / ratio[0])), width
    if width / height > ratio[1]:
        return height, max(1, round(height * ratio[1]))
    return height, width
