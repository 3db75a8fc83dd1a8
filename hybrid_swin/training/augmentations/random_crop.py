"""Shift each image by padding and cropping, as is usual on CIFAR."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from hybrid_swin.training.augmentations import Augmentation, Limits, Pixels
from hybrid_swin.training.augmentations._draws import uniform, whole_below


class RandomCrop(Augmentation):
    """Pad each image and crop a random part of its size.

    out[y, x] = image[y + dy, x + dx], with dy and dx uniform over -padding to padding. What comes
    in from outside is black (torchvision's ``RandomCrop(size, padding)`` before normalisation), or
    the image mirrored at its edge pixels. The recipe's ``shift`` repeats the edge instead.

    Source: Deep Residual Learning for Image Recognition, 2015, section 4.2,
    https://arxiv.org/abs/1512.03385

    Args:
        padding: pixels on each side.
        mode: what the padding holds.
    """

    needs_values = True
    limits: ClassVar[Limits] = {"padding": (0, 65536)}

    def __init__(self, padding: int = 4, mode: Literal["black", "reflect"] = "black") -> None:
        self.padding, self.mode = padding, mode

    def __call__(self, images: Tensor, pixels: Pixels) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        batch, _, height, width = images.shape
        drawn = whole_below(uniform(batch, 2), 2 * self.padding + 1) - self.padding
        down, right = drawn.to(images.device, non_blocking=True).T[..., None]
        rows = torch.arange(height, device=images.device) + down
        columns = torch.arange(width, device=images.device) + right
        at = torch.arange(batch, device=images.device)[:, None, None]
        rows_in, columns_in = _mirrored(rows, height), _mirrored(columns, width)
        out = images[at, :, rows_in[:, :, None], columns_in[:, None, :]].permute(0, 3, 1, 2)
        if self.mode == "reflect":
            return out.contiguous()
        inside_BH1 = ((rows >= 0) & (rows < height))[:, :, None]
        inside_B1W = ((columns >= 0) & (columns < width))[:, None, :]
        black = pixels.normalised(torch.zeros_like(pixels.mean))
        return torch.where((inside_BH1 & inside_B1W)[:, None], out, black)


def _mirrored(places: Tensor, length: int) -> Tensor:
    """Places outside of 0 to length - 1 mirrored at both ends, without the end itself."""
    period = max(1, 2 * (length - 1))
    folded = places.remainder(period)
    return torch.minimum(folded, period - folded).clamp(max=length - 1)
