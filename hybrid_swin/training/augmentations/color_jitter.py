"""Change brightness, contrast, saturation and hue of each image at random."""

from typing import ClassVar

import torch
from torch import Tensor

from hybrid_swin.training.augmentations import Augmentation, Limits, Pixels
from hybrid_swin.training.augmentations._draws import uniform
from hybrid_swin.training.augmentations._pixel_operations import BLENDS, blend, hue_turned

_KINDS = torch.tensor([BLENDS.index(word) for word in ("brightness", "contrast", "color")])
_HUE = len(_KINDS)


class ColorJitter(Augmentation):
    """Blend each image with black, its mean grey and its grey, and turn its hue, in random order.

    A factor is uniform over max(0, 1 - x) to 1 + x, for x of ``brightness``, ``contrast`` and
    ``saturation``; the hue turns by up to ``hue`` of a whole turn either way. torchvision's
    ``ColorJitter``, with the same formulas as ``rand_augment``. Values below 0 or above 1 are cut
    off. Hue changes images of three channels alone, and saturation none of one channel.

    Source: https://github.com/pytorch/vision (transforms/transforms.py)

    Args:
        brightness: how far it changes at most, as a share; 0 for not at all.
        contrast: likewise.
        saturation: likewise.
        hue: in whole turns, at most a half.
    """

    needs_values = True
    limits: ClassVar[Limits] = {
        "brightness": (0, 100),
        "contrast": (0, 100),
        "saturation": (0, 100),
        "hue": (0, 0.5),
    }

    def __init__(
        self,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.4,
        hue: float = 0.0,
    ) -> None:
        self.amounts, self.hue = (brightness, contrast, saturation), hue

    def __call__(self, images: Tensor, pixels: Pixels) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        used = torch.tensor([k for k, most in enumerate((*self.amounts, self.hue)) if most]).long()
        factors_B4, keys_B4 = self.draw(len(images))
        out = pixels.values(images).clamp_(0, 1)
        for kinds in used[keys_B4[:, used].argsort(1)].T:  # of each image, in its order
            factors = factors_B4.gather(1, kinds[:, None])[:, 0]
            for change, rows in ((_turned, kinds == _HUE), (_blended, kinds != _HUE)):
                if rows.any():
                    at = rows.nonzero()[:, 0].to(out.device, non_blocking=True)
                    out[at] = change(out[at], kinds[rows], factors[rows])
        return pixels.normalised(out)

    def draw(self, batch: int) -> tuple[Tensor, Tensor]:
        """Factors of brightness, contrast and saturation and a turn of hue, and their order keys.

        Both (B, 4); what has the lowest key comes first.
        """
        drawn_BF = uniform(batch, 4)
        low = [max(0.0, 1 - x) for x in self.amounts] + [-self.hue]
        high = [1 + x for x in self.amounts] + [self.hue]
        ends = torch.tensor(low), torch.tensor(high)
        return torch.lerp(*ends, drawn_BF), uniform(batch, 4)


def _turned(images: Tensor, kinds: Tensor, turns: Tensor) -> Tensor:
    return hue_turned(images, turns)


def _blended(images: Tensor, kinds: Tensor, factors: Tensor) -> Tensor:
    return blend(images, _KINDS[kinds], factors)
