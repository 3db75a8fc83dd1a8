"""Norms over channels that lie last, as blocks pass them."""

from typing import Literal

from torch import Tensor, nn


class BatchNorm(nn.BatchNorm1d):
    """Batch norm over all axes but the last. (..., C) -> (..., C).

    In training it needs more than one value a channel: pooled maps fail at a batch of 1.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        out: Tensor = super().forward(input.flatten(0, -2))
        return out.view_as(input)


def channel_norm(kind: Literal["layer", "batch"], dim: int) -> nn.Module:
    """A layer norm, or a batch norm, of the last axis."""
    return nn.LayerNorm(dim) if kind == "layer" else BatchNorm(dim)
