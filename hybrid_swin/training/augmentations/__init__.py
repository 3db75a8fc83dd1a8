"""Random changes to train images, one file each. A file's name is the augmentation's word.

To add one, write a file here (or a plug-in anywhere) with one class that derives from
``Augmentation``.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from hybrid_swin.spec.options import Limits as Limits


class Pixels(NamedTuple):
    """What the numbers of an image mean: (values - mean) / std, with values from 0 to 1."""

    mean: Tensor  # (C, 1, 1), of the values
    std: Tensor  # (C, 1, 1)

    def to(self, device: torch.device) -> "Pixels":
        """The same on another device."""
        return self._replace(mean=self.mean.to(device), std=self.std.to(device))

    def values(self, images: Tensor) -> Tensor:
        """From 0, black, to 1 in images of 8 or 16 bits."""
        return images * self.std + self.mean

    def normalised(self, values: Tensor) -> Tensor:
        """As the network sees them."""
        return (values - self.mean) / self.std


class Augmentation(ABC):
    """One random change to a whole batch of train images, on the device that holds it.

    Options are typed keyword arguments of ``__init__`` with literal defaults. ``limits`` gives the
    least and the largest value of those that have any; both ends of a range lie within.
    """

    limits: ClassVar[Limits] = {}
    needs_values: ClassVar[bool] = False  # from 0 to 1, so not just any normalised numbers

    @abstractmethod
    def __call__(self, images: Tensor, pixels: Pixels) -> Tensor:
        """(B, C, H, W), normalised, -> (B, C, H, W). Draws by ``for_batch`` alone."""
