"""Random changes to train images, one file each. A file's name is the augmentation's word.

To add one, write a file here (or a plug-in anywhere) with one class that derives from
``Augmentation``.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Augmentation(nn.Module, ABC):
    """One random change to a whole batch of train images, on the device that holds it.

    Options are typed keyword arguments of ``__init__`` with literal defaults.
    """

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W). Draws from torch's generators by ``for_batch``."""
