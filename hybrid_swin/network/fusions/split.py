"""`split`: each branch works on channels of its own, which makes dual branches cheap."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hybrid_swin.cost import BranchCost, Cost, Grid, linear
from hybrid_swin.network.fusions import BranchMaker, Fusion
from hybrid_swin.spec.branch_shapes import share_heads


class Split(Fusion):
    """Share the channels out by whole heads, mix each share, concatenate and project.

    ``W [L(x_L); G(x_G)] + b``. ``ratio=1-3`` gives the second branch three heads for each one of
    the first; ``equal`` shares alike. The head dimension is kept, every branch gets at least one
    head, and a head that does not divide goes to the branch whose word comes first by the alphabet.

    The inception mixer shares channels out to attention (on a pooled map in its first two stages),
    to a depthwise convolution and to max pooling, widens the last two to twice their share, and
    adds a 3 x 3 convolution of all in front of W. Here each branch keeps its width and its own
    last layer, and nothing is added.

    Source: after Inception Transformer, 2022, https://arxiv.org/abs/2205.12956
    """

    symmetric = True
    per_branch = ("ratio",)
    heads_per_branch = True

    def __init__(
        self, dim: int, num_heads: int, makers: Sequence[BranchMaker], ratio: str = "equal"
    ) -> None:
        super().__init__()
        heads = share_heads(num_heads, len(makers), ratio)
        self.widths = [n * (dim // num_heads) for n in heads]
        self.branches = nn.ModuleList(
            make(width, n) for make, width, n in zip(makers, self.widths, heads, strict=True)
        )
        self.join = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        shares = torch.split_with_sizes(x, self.widths, dim=-1)
        mixed = [branch(share) for branch, share in zip(self.branches, shares, strict=True)]
        return self.join(torch.cat(mixed, dim=-1))

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        grid_size: Grid,
        makers: Sequence[BranchCost],
        ratio: str = "equal",
    ) -> Cost:
        """Narrow branches and the projection."""
        heads = share_heads(num_heads, len(makers), ratio)
        narrow = (make(n * (dim // num_heads), n) for make, n in zip(makers, heads, strict=True))
        return sum(narrow, linear(grid_size[0] * grid_size[1], dim, dim))
