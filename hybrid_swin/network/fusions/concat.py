"""`concat`: outputs side by side, then projected."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hybrid_swin.cost import BranchCost, Cost, Grid, linear
from hybrid_swin.network.fusions import BranchMaker, Fusion


class Concat(Fusion):
    """Concatenate the branches and project back: ``W [L(x); G(x)] + b``.

    For n branches nC² + C parameters of its own.
    """

    symmetric = True

    def __init__(self, dim: int, num_heads: int, makers: Sequence[BranchMaker]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(make(dim, num_heads) for make in makers)
        self.join = nn.Linear(len(makers) * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        return self.join(torch.cat([branch(x) for branch in self.branches], dim=-1))

    def identity_start(self, base: int) -> bool:
        """The projection starts as the identity of one branch and zero for the others.

        A zero there has the branch's output as its gradient's factor, so it does not stay zero.
        """
        dim = self.join.out_features
        with torch.no_grad():
            self.join.weight.zero_()
            one = torch.eye(dim, device=self.join.weight.device)
            self.join.weight[:, base * dim : (base + 1) * dim].copy_(one)
            self.join.bias.zero_()
        return True

    @classmethod
    def cost(cls, dim: int, num_heads: int, grid_size: Grid, makers: Sequence[BranchCost]) -> Cost:
        """The branches' own and the projection."""
        join = linear(grid_size[0] * grid_size[1], len(makers) * dim, dim)
        return sum((make(dim, num_heads) for make in makers), join)
