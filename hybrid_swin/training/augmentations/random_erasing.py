"""Cover a random box of some images with noise or a plain colour."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from hybrid_swin.network.whole_batch import for_batch
from hybrid_swin.training.augmentations import Augmentation, Limits, Pixels
from hybrid_swin.training.augmentations._draws import between, first_that_fits, uniform, whole_below

_ATTEMPTS = 10
_RATIO = 0.3, 1 / 0.3  # of height to width


class RandomErasing(Augmentation):
    """Erase random boxes of an image, with a probability.

    An attempt draws the share of the image that a box covers and its shape::

        a ~ U(area) H W / count    ln r ~ U(ln .3, ln 1/.3)
        h = round √(a r)           w = round √(a / r)

    The first of ten that is lower and narrower than the image counts; its place is uniform. The
    box gets values of mean 0 and variance 1 as the network sees them: of their own for each pixel
    (``pixel``), or one for each channel (``rand``), or zeros, the train split's mean (``const``).

    Source: Random Erasing Data Augmentation, 2017, https://arxiv.org/abs/1708.04896;
    timm/data/random_erasing.py in https://github.com/huggingface/pytorch-image-models

    Args:
        probability: of an image to be erased.
        mode: what a box is filled with.
        count: boxes of an image.
        area: smallest and largest share of the image, over all its boxes.
    """

    limits: ClassVar[Limits] = {"probability": (0, 1), "count": (1, 100), "area": (0, 1)}

    def __init__(
        self,
        probability: float = 0.25,
        mode: Literal["pixel", "rand", "const"] = "pixel",
        count: int = 1,
        area: tuple[float, float] = (0.02, 0.3333),
    ) -> None:
        self.probability, self.mode, self.count, self.area = probability, mode, count, tuple(area)

    def __call__(self, images: Tensor, pixels: Pixels) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        batch, channels, height, width = images.shape
        device = images.device
        rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
        grain = (height, width) if self.mode == "pixel" else (1, 1)
        for box_B4 in self.draw(batch, (height, width)).unbind(1):
            box_4B1 = box_B4.to(device, non_blocking=True).T[..., None]
            top, left, box_height, box_width = box_4B1
            inside_BH = (rows >= top) & (rows < top + box_height)
            inside_BW = (columns >= left) & (columns < left + box_width)
            inside = inside_BH[:, None, :, None] & inside_BW[:, None, None, :]
            if self.mode == "const":
                images = images.masked_fill(inside, 0)
            else:
                noise = for_batch(
                    lambda whole: torch.randn(whole, channels, *grain, device=device), batch
                )
                images = torch.where(inside, noise, images)
        return images

    def draw(self, batch: int, size: tuple[int, int]) -> Tensor:
        """Boxes (top, left, height, width), of no pixels where none is erased. (B, count, 4)."""
        height, width = size
        drawn_BNA2 = uniform(batch, self.count, _ATTEMPTS, 2).flatten(0, 1)
        place_B2 = uniform(batch, self.count, 2).flatten(0, 1)
        areas = between(drawn_BNA2[..., 0], *self.area) * (height * width) / self.count
        shapes = between(drawn_BNA2[..., 1], *map(math.log, _RATIO)).exp()
        heights, widths = (areas * shapes).sqrt().round(), (areas / shapes).sqrt().round()
        first, fits = first_that_fits((heights < height) & (widths < width))
        chosen = torch.arange(len(first)), first
        happens = (uniform(batch, 1) < self.probability).repeat_interleave(self.count)
        heights, widths = heights[chosen].long(), widths[chosen].long()
        heights = torch.where(fits & happens, heights, 0)
        tops = whole_below(place_B2[:, 0], height - heights + 1)
        lefts = whole_below(place_B2[:, 1], width - widths + 1)
        return torch.stack((tops, lefts, heights, widths), 1).view(batch, self.count, 4)
