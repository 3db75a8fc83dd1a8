"""`sum`: the branches' outputs added. The default."""

from collections.abc import Sequence

from torch import Tensor, nn

from hybrid_swin.cost import BranchCost, Cost, Grid
from hybrid_swin.network.fusions import BranchMaker, Fusion, silence, total


class Sum(Fusion):
    """Add the branches: ``L(x) + G(x)``."""

    symmetric = True

    def __init__(self, dim: int, num_heads: int, makers: Sequence[BranchMaker]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(make(dim, num_heads) for make in makers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        return total(branch(x) for branch in self.branches)

    def identity_start(self, base: int) -> bool:
        """The other branches start silent."""
        return silence(self.branches, base)

    @classmethod
    def cost(cls, dim: int, num_heads: int, grid_size: Grid, makers: Sequence[BranchCost]) -> Cost:
        """The branches' own."""
        return sum((make(dim, num_heads) for make in makers), Cost())
