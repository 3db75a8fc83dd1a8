"""`gate`: the input decides how much of each branch to take."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from hybrid_swin.cost import BranchCost, Cost, Grid, linear
from hybrid_swin.network.fusions import BranchMaker, Fusion, silence, total


class Gate(Fusion):
    """Weigh the branches by gates read from their outputs: ``Σ_i n softmax(z)_i · b_i(x)``.

    ``z = W [b_1; …; b_n]`` with the last branch's logit fixed at 0; for two branches that is
    ``2s L + 2(1 - s) G`` with s the logistic function of z. W starts at 0, so it starts as ``sum``.

    ``per=channel`` reads the mean over the map and gives each channel a gate: note that this
    carries global information whatever the branches see. ``per=pixel`` gates each token by itself.

    A highway layer gates a branch against its input, by gates read from the input, which sum to 1
    and start in favour of the input. Here two branches share, and the outputs are read.

    Source: after Highway Networks, 2015, https://arxiv.org/abs/1505.00387
    """

    symmetric = True

    def __init__(
        self,
        dim: int,
        num_heads: int,
        makers: Sequence[BranchMaker],
        per: Literal["channel", "pixel"] = "channel",
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(make(dim, num_heads) for make in makers)
        self.per = per
        count = len(makers)
        self.logits = nn.Linear(count * dim, (count - 1) * (dim if per == "channel" else 1))
        self.start()

    def start(self) -> None:
        """Set the gates so that the fusion is the sum of its branches."""
        nn.init.zeros_(self.logits.weight)
        nn.init.zeros_(self.logits.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        outs = [branch(x) for branch in self.branches]
        gates = self.gates(outs).unbind(dim=-2)
        return total(gate * out for gate, out in zip(gates, outs, strict=True))

    def gates(self, outs: Sequence[Tensor]) -> Tensor:
        """The weight of each branch, which sum to n. (B, 1, 1, n, C) or (B, H, W, n, 1)."""
        if self.per == "channel":
            outs = [out.mean(dim=(1, 2), keepdim=True) for out in outs]
        free = self.logits(torch.cat(list(outs), dim=-1)).unflatten(-1, (len(outs) - 1, -1))
        logits = torch.cat([free, torch.zeros_like(free[..., :1, :])], dim=-2)
        return len(outs) * logits.softmax(dim=-2)

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
        per: Literal["channel", "pixel"] = "channel",
    ) -> Cost:
        """The branches' own and the gates'."""
        count = len(makers)
        if per == "channel":
            gate = linear(1, count * dim, (count - 1) * dim)
        else:
            gate = linear(grid_size[0] * grid_size[1], count * dim, count - 1)
        return sum((make(dim, num_heads) for make in makers), gate)
