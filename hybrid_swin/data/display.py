"""Normalised images as a picture shows them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_DARK = 0.25  # of the full scale, which less than that would show as black


class Display:
    """How normalised values are shown: as the source has them, 0 as black and 1 as white.

    Values that lie beyond, such as floats of any range, or that would all be dark, such as 12 bits
    in 16, are stretched between the smallest and the largest one.

    Args:
        mean: of each channel, in full scales.
        std: of each channel, in full scales.
        normalised: (B, C, H, W), the images by which it is seen what has to be stretched.
    """

    def __init__(
        self, mean: Sequence[float], std: Sequence[float], normalised: torch.Tensor
    ) -> None:
        self._mean = torch.tensor(mean, dtype=torch.float64).view(-1, 1, 1)
        self._std = torch.tensor(std, dtype=torch.float64).view(-1, 1, 1)
        values = normalised * self._std + self._mean
        low, high = float(values.min()), float(values.max())
        fits = low > -1e-3 and high < 1 + 1e-3 and (high > _DARK or high - low < 1e-6)
        self.limits = (0.0, 1.0) if fits else (low, high)

    def images(self, normalised: torch.Tensor) -> list[NDArray[Any]]:
        """(B, C, H, W) -> (H, W, 3) each, from 0 to 1; of more than 3 channels the first 3."""
        low, high = self.limits
        values = (normalised * self._std + self._mean - low) / max(high - low, 1e-12)
        images = values.clamp(0, 1).permute(0, 2, 3, 1).float().numpy()
        is_grey = images.shape[-1] < 3
        return [np.repeat(x[..., :1], 3, axis=-1) if is_grey else x[..., :3] for x in images]
