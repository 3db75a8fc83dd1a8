"""`identity`: the control that does nothing."""

from typing import ClassVar

from torch import Tensor, nn

from hybrid_swin.cost import Cost, Grid, Window
from hybrid_swin.network.branches import Branch


class Identity(Branch):
    """Control: gives back what it gets; a block of it is its MLP."""

    mixes_by: ClassVar = ()
    has_projection = False

    def __init__(self, dim: int, num_heads: int, window_size: Window, grid_size: Grid) -> None:
        super().__init__()
        self.proj = nn.Identity()

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Nothing. (B, H, W, C) -> (B, H, W, C)."""
        return x

    @classmethod
    def cost(cls, dim: int, num_heads: int, window_size: Window, grid_size: Grid) -> Cost:
        """Free."""
        return Cost()
