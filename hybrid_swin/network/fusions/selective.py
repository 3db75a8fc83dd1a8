"""`selective`: the sum of the branches decides how much of each to take, channel by channel."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import BranchCost, Cost, Grid, layer_norm, linear
from hybrid_swin.network.fusions import BranchMaker, Fusion, silence, total
from hybrid_swin.network.layers import channel_norm


class Selective(Fusion):
    """Selective kernel fusion: ``Σ_i n softmax_i(W₂ ReLU(norm(W₁ mean(Σ_j b_j)))) ⊙ b_i(x)``.

    The softmax is over the n branches, for each channel; W₁ narrows to max(C/16, 32), as in the
    paper. W₂ starts at 0, so it starts as ``sum``. The mean over the map carries global information
    whatever the branches see. ``norm=batch`` is the paper's, and fails at a batch of 1 in training.

    In the paper weights sum to 1 (here to n), W₂ has no bias and starts at random, and the branches
    are convolutions of two sizes, each with a batch norm and a ReLU.

    Cd + 2d + nC(d + 1) parameters of its own for a width of d.

    Source: Selective Kernel Networks, 2019, https://arxiv.org/abs/1903.06586
    """

    symmetric = True

    def __init__(
        self,
        dim: int,
        num_heads: int,
        makers: Sequence[BranchMaker],
        norm: Literal["layer", "batch"] = "layer",
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(make(dim, num_heads) for make in makers)
        width = _width(dim)
        self.reduce = nn.Linear(dim, width, bias=False)
        self.norm = channel_norm(norm, width)
        self.logits = nn.Linear(width, len(makers) * dim)
        self.start()

    def start(self) -> None:
        """Set the selection so that the fusion is the sum of its branches."""
        nn.init.zeros_(self.logits.weight)
        nn.init.zeros_(self.logits.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        outs = [branch(x) for branch in self.branches]
        gates_BnC = self.gates(total(out.mean(dim=(1, 2)) for out in outs))
        gates = gates_BnC[:, None, None].unbind(dim=3)
        return total(gate * out for gate, out in zip(gates, outs, strict=True))

    def gates(self, pooled_BC: Tensor) -> Tensor:
        """The weight of each branch, which sum to n. (B, C) -> (B, n, C)."""
        count = len(self.branches)
        hidden = F.relu(self.norm(self.reduce(pooled_BC)))
        logits_BnC = self.logits(hidden).unflatten(-1, (count, -1))
        return count * logits_BnC.softmax(dim=1)

    def identity_start(self, base: int) -> bool:
        """The other branches start silent and the gates at 1."""
        if not silence(self.branches, base):
            return False
        self.start()
        return True

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        grid_size: Grid,
        makers: Sequence[BranchCost],
        norm: Literal["layer", "batch"] = "layer",
    ) -> Cost:
        """The branches' own and the selection's."""
        width = _width(dim)
        selection = linear(1, dim, width, bias=False) + layer_norm(width)
        selection += linear(1, width, len(makers) * dim)
        return sum((make(dim, num_heads) for make in makers), selection)


def _width(dim: int) -> int:
    return max(dim // 16, 32)
