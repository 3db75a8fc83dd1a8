"""Random numbers of augmentations: one row per image, on the CPU, whatever device holds the images.

The host then knows which image gets which operation without waiting for a GPU, and a GPU draws what
a CPU draws. In a share of a batch these are its rows of what the whole batch draws.
"""

import torch
from torch import Tensor

from hybrid_swin.network.whole_batch import for_batch


def uniform(batch: int, *shape: int) -> Tensor:
    """Uniform over [0, 1). (batch, *shape)."""
    return for_batch(lambda count: torch.rand(count, *shape), batch)


def normal(batch: int, *shape: int) -> Tensor:
    """Of mean 0 and variance 1. (batch, *shape)."""
    return for_batch(lambda count: torch.randn(count, *shape), batch)


def between(drawn: Tensor, low: float, high: float) -> Tensor:
    """Uniform numbers over [0, 1) as such over [low, high)."""
    return low + (high - low) * drawn


def whole_below(drawn: Tensor, count: Tensor | int) -> Tensor:
    """Uniform numbers over [0, 1) as whole ones over 0 to count - 1."""
    return (drawn * count).long().clamp(max=count - 1)


def first_that_fits(fits_BA: Tensor) -> tuple[Tensor, Tensor]:
    """The first of A attempts that fits, and whether there is one. Both (B,)."""
    return fits_BA.int().argmax(1), fits_BA.any(1)
