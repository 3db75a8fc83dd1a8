"""`pointwise`: a control that spends a mixer's cost without mixing."""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import Cost, Grid, Window, linear
from hybrid_swin.network.branches import Branch


class Pointwise(Branch):
    """Control: two linear layers on each token alone, ``W₂ GELU(W₁ x)``, ``ratio`` C hidden units.

    At the default ratio of 2 it has the 4C² weights of an attention's projections, so a dual
    branch that does not beat ``w_msa+pointwise`` owes its gain to size, not to mixing.
    """

    limits: ClassVar = {"ratio": (0.001, 64)}
    mixes_by: ClassVar = ()
    has_projection = False  # the layer that contracts is part of the mixing

    def __init__(
        self, dim: int, num_heads: int, window_size: Window, grid_size: Grid, ratio: float = 2.0
    ) -> None:
        super().__init__()
        hidden = _hidden(dim, ratio)
        self.expand = nn.Linear(dim, hidden)
        self.contract = nn.Linear(hidden, dim)
        self.proj = nn.Identity()

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Each token by itself. (B, H, W, C) -> (B, H, W, C)."""
        return self.contract(F.gelu(self.expand(x)))

    @classmethod
    def cost(
        cls, dim: int, num_heads: int, window_size: Window, grid_size: Grid, ratio: float = 2.0
    ) -> Cost:
        """2 ratio C² weights."""
        tokens, hidden = grid_size[0] * grid_size[1], _hidden(dim, ratio)
        return linear(tokens, dim, hidden) + linear(tokens, hidden, dim)


def _hidden(dim: int, ratio: float) -> int:
    return max(1, round(dim * ratio))
