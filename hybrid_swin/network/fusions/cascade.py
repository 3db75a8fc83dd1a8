"""`cascade`: one branch after the other, each with a residual."""

from collections.abc import Sequence

from torch import Tensor, nn

from hybrid_swin.cost import BranchCost, Cost, Grid
from hybrid_swin.network.fusions import BranchMaker, Fusion, silence


class Cascade(Fusion):
    """Each branch sees what the ones before it added: ``L(x) + G(x + L(x))``.

    The order matters: ``w_msa+mdta`` and ``mdta+w_msa`` are different networks. No parameters of
    its own.

    DaViT takes its two attentions one after the other in blocks of their own, with a norm, an MLP
    and the residual of the stream for each (write two words for that); here they share the block's,
    so x is the normalised map. ``norm: branch`` gives each its norm.

    Source: after DaViT: Dual Attention Vision Transformers, 2022, https://arxiv.org/abs/2204.03645
    """

    ordered = True

    def __init__(self, dim: int, num_heads: int, makers: Sequence[BranchMaker]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(make(dim, num_heads) for make in makers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        first, *others = self.branches
        added: Tensor = first(x)
        for branch in others:
            added = added + branch(x + added)
        return added

    def identity_start(self, base: int) -> bool:
        """The other branches start silent."""
        return silence(self.branches, base)

    @classmethod
    def cost(cls, dim: int, num_heads: int, grid_size: Grid, makers: Sequence[BranchCost]) -> Cost:
        """The branches' own."""
        return sum((make(dim, num_heads) for make in makers), Cost())
