"""`scale`: the branches added, each channel of each weighed by a learned number."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from hybrid_swin.cost import BranchCost, Cost, Grid
from hybrid_swin.network.fusions import BranchMaker, Fusion, total


class Scale(Fusion):
    """Weigh every channel of every branch and add: ``Σ_i s_i ⊙ b_i(x)``, with s from ``init``.

    At the default of 1 it starts as ``sum``. nC parameters of its own for n branches, which weight
    decay leaves alone.

    ACmix has one number for each branch, from .5 in its code, and both branches start from the same
    queries, keys and values; LayerScale has one for each channel, from .1 down to 1e-6 with depth,
    of a residual branch as a whole.

    Source: after On the Integration of Self-Attention and Convolution (ACmix), 2021,
    https://arxiv.org/abs/2111.14556; Going deeper with Image Transformers (LayerScale), 2021,
    https://arxiv.org/abs/2103.17239
    """

    symmetric = True
    limits: ClassVar = {"init": (-1000, 1000)}

    def __init__(
        self, dim: int, num_heads: int, makers: Sequence[BranchMaker], init: float = 1.0
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(make(dim, num_heads) for make in makers)
        self.init = float(init)
        self.scales = nn.Parameter(torch.empty(len(makers), dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The scales start at ``init``."""
        nn.init.constant_(self.scales, self.init)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        return total(s * branch(x) for s, branch in zip(self.scales, self.branches, strict=True))

    def identity_start(self, base: int) -> bool:
        """The base is weighed by 1, the others by 0.

        A zero there has the branch's output as its gradient, so it does not stay zero.
        """
        with torch.no_grad():
            self.scales.zero_()
            self.scales[base] = 1
        return True

    def no_weight_decay(self) -> set[str]:
        """The scales."""
        return {"scales"}

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        grid_size: Grid,
        makers: Sequence[BranchCost],
        init: float = 1.0,
    ) -> Cost:
        """The branches' own and nC parameters."""
        scales = Cost(parameters=len(makers) * dim)
        return sum((make(dim, num_heads) for make in makers), scales)
