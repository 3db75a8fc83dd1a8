"""RandAugment: each image gets some of 15 operations, all about as strong."""

from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor

from hybrid_swin.training.augmentations import Augmentation, Limits, Pixels
from hybrid_swin.training.augmentations._draws import normal, uniform, whole_below
from hybrid_swin.training.augmentations._pixel_operations import BLENDS, TABLES, blend, table
from hybrid_swin.training.augmentations._warping import WARPS, warp

OPERATIONS = (*WARPS, *BLENDS, *TABLES)
_MOST = 10  # the magnitude at which an operation is strongest


class RandAugment(Augmentation):
    """Apply random operations to each image, all about as strong.

    Each layer draws one of 15 operations, whether it happens, and its magnitude m ~ N(magnitude,
    magnitude_std²), cut to 0 to 10. With l = m / 10 and a random sign ±::

        rotate                   ±30 l degrees        posterize      4 - ⌊4 l⌋ bits are kept
        shear_x, shear_y         ±0.3 l               solarize       from level 256 - ⌊256 l⌋ on
        translate_x, _y          ±0.45 l of a side    solarize_add   ⌊110 l⌋ levels more
        brightness, contrast,    max(.1, 1 ± .9 l)    auto_contrast, equalize, invert
        color, sharpness

    That is timm's ``rand-m9-n2-p0.5-mstd0.5-inc1``, Swin's recipe (``rand-m9-mstd0.5-inc1``). With
    ``increasing=false`` (``inc0``) the blends have .1 + 1.8 l, posterize keeps ⌊4 l⌋ bits and
    solarize starts from level ⌊256 l⌋.

    What is turned or shifted in from outside has the train split's mean colour. Values below 0 or
    above 1 are cut off. An image of one channel has no colour, which ``color`` leaves as it is; of
    another number of channels than three, grey is their mean.

    Source: RandAugment: Practical automated data augmentation with a reduced search space, 2019,
    https://arxiv.org/abs/1909.13719; timm/data/auto_augment.py in
    https://github.com/huggingface/pytorch-image-models

    Args:
        magnitude: mean strength, 0 to 10.
        layers: operations per image, one after another.
        magnitude_std: standard deviation of the strength; 0 for none.
        increasing: every operation grows with the magnitude.
        probability: of each operation.
        interpolation: of what is turned, sheared or shifted.
    """

    needs_values = True
    limits: ClassVar[Limits] = {
        "magnitude": (0, 10),
        "layers": (1, 15),
        "magnitude_std": (0, 100),
        "probability": (0, 1),
    }

    def __init__(
        self,
        magnitude: float = 9.0,
        layers: int = 2,
        magnitude_std: float = 0.5,
        increasing: bool = True,
        probability: float = 0.5,
        interpolation: Literal["bicubic", "bilinear"] = "bicubic",
    ) -> None:
        self.magnitude, self.magnitude_std = magnitude, magnitude_std
        self.layers, self.probability, self.increasing = layers, probability, increasing
        self.interpolation = interpolation

    def __call__(self, images: Tensor, pixels: Pixels) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        fill = pixels.mean.clamp(0, 1)
        warped = partial(warp, fill=fill, interpolation=self.interpolation)
        out = pixels.values(images).clamp_(0, 1)
        for _ in range(self.layers):
            kinds, arguments = self.draw(len(images))
            first = 0
            for words, apply in ((WARPS, warped), (BLENDS, blend), (TABLES, table)):
                # The draws lie on the CPU, so that no GPU is waited for.
                rows = ((kinds >= first) & (kinds < first + len(words))).nonzero()[:, 0]
                if len(rows):
                    at = rows.to(out.device, non_blocking=True)
                    out[at] = apply(out[at], kinds[rows] - first, arguments[rows])
                first += len(words)
        return pixels.normalised(out)

    def draw(self, batch: int) -> tuple[Tensor, Tensor]:
        """One layer for each image: its operation, counted in ``OPERATIONS``, and its argument.

        The operation is -1 where none happens.
        """
        drawn_B3, strength_B = uniform(batch, 3), normal(batch, 1)[:, 0]
        kinds = whole_below(drawn_B3[:, 1], len(OPERATIONS))
        magnitude = (self.magnitude + self.magnitude_std * strength_B).clamp(0, _MOST)
        sign = torch.where(drawn_B3[:, 2] < 0.5, -1.0, 1.0)
        arguments = arguments_of(kinds, magnitude / _MOST, sign, self.increasing)
        return torch.where(drawn_B3[:, 0] < self.probability, kinds, -1), arguments


def arguments_of(kinds: Tensor, level: Tensor, sign: Tensor, increasing: bool) -> Tensor:
    """What each operation takes at a level from 0 to 1. All are (B,)."""
    if increasing:
        blended = (1 + sign * 0.9 * level).clamp(min=0.1)
        bits, threshold = 4 - (4 * level).floor(), 256 - (256 * level).floor()
    else:
        blended = 0.1 + 1.8 * level
        bits, threshold = (4 * level).floor(), (256 * level).floor()
    of_words = {
        "rotate": sign * 30 * level,
        "shear_x": sign * 0.3 * level,
        "shear_y": sign * 0.3 * level,
        "translate_x": sign * 0.45 * level,
        "translate_y": sign * 0.45 * level,
        **dict.fromkeys(BLENDS, blended),
        "posterize": bits,
        "solarize": threshold,
        "solarize_add": (110 * level).floor(),
    }
    none = torch.zeros_like(level)
    table_AB = torch.stack([of_words.get(word, none) for word in OPERATIONS])
    return table_AB.gather(0, kinds[None])[0]
