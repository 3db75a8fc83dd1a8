"""`cross`: two branches that gate each other, one over channels, the other over space."""

import math
from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import BranchCost, Cost, Grid, layer_norm, linear
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.fusions import BranchMaker, Fusion
from hybrid_swin.network.layers import channel_norm
from hybrid_swin.network.tracing import sides


class Cross(Fusion):
    """Bidirectional interaction of an attention A and a second branch L (MixFormer's block).

    ::

        l = GELU(norm(L(LN(W_l x))))                     at full width C
        a = A(LN(W_a x)), its values times sigmoid(channel_gate(mean(l)))   at width C/2
        y = W [LN(a); norm(sigmoid(spatial_gate(a)) ⊙ W_p l)]

    A is the branch whose values can be gated; where both can, the later of the two by the
    alphabet. Both branches leave out their own last projection. Channel gate C -> C/8 -> C/2,
    spatial gate C/2 -> C/16 -> 1 (at least 4 between), each with norm and GELU. Attention at half
    the width makes it cheaper than ``w_msa`` alone; its channel gate carries global information
    whatever the branches see. ``norm=batch`` is the paper's, and fails at a batch of 1 in training.

    Where A's windows do not divide the map, A alone pads it (``padding=attention``): L, both gates
    and their norms see the map only. In MixFormer's code the map is padded in front of both
    branches (``padding=both``), so the convolution, the mean behind the channel gate and the
    statistics of batch norms see padding too, which costs more. The two are the same where windows
    divide the map or are made to fit it, where A masks its padding, and where it has no windows.

    MixFormer-B0 to B6 have a 3x3 ``conv`` for L, ``w_msa`` for A, and no shift. The linear layers
    of the gates start as all others here; as 1x1 convolutions do in that code.

    Source: MixFormer: Mixing Features across Windows and Dimensions, 2022,
    https://arxiv.org/abs/2204.02557; its code is ``mixformer.py`` of PaddleClas.
    """

    max_branches = 2
    needs_value_gate = True
    halves_heads = True

    def __init__(
        self,
        dim: int,
        num_heads: int,
        makers: Sequence[BranchMaker],
        norm: Literal["layer", "batch"] = "layer",
        padding: Literal["attention", "both"] = "attention",
    ) -> None:
        super().__init__()
        self.pads_both = padding == "both"
        self.attention = _attention(makers)
        half, (narrow, narrowest) = dim // 2, _gate_widths(dim)
        self.branches = nn.ModuleList(
            make(half if i == self.attention else dim, num_heads) for i, make in enumerate(makers)
        )
        for branch in self.branches:
            branch.give_up_projection()  # type: ignore[operator]  # a Branch
        self.attention_in = nn.Sequential(nn.Linear(dim, half), nn.LayerNorm(half))
        self.local_in = nn.Sequential(nn.Linear(dim, dim), nn.LayerNorm(dim))
        self.local_out = nn.Sequential(channel_norm(norm, dim), nn.GELU())
        self.channel_gate = nn.Sequential(
            nn.Linear(dim, narrow), channel_norm(norm, narrow), nn.GELU(), nn.Linear(narrow, half)
        )
        self.spatial_gate = nn.Sequential(
            nn.Linear(half, narrowest),
            channel_norm(norm, narrowest),
            nn.GELU(),
            nn.Linear(narrowest, 1),
        )
        self.local_proj = nn.Linear(dim, half)
        self.attention_norm = nn.LayerNorm(half)
        self.local_norm = channel_norm(norm, half)
        self.join = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        attend, mix = (cast(Branch, self.branches[i]) for i in (self.attention, 1 - self.attention))
        height, width = sides(x)
        if self.pads_both:
            whole = attend.padded((height, width))
            if whole != (height, width):
                x = F.pad(x, (0, 0, 0, whole[1] - width, 0, whole[0] - height))
        local = self.local_out(mix.mix(self.local_in(x)))
        value_gate = self.channel_gate(local.mean(dim=(1, 2))).sigmoid()
        attended = attend.mix(self.attention_in(x), value_gate)
        local = self.spatial_gate(attended).sigmoid() * self.local_proj(local)
        both = torch.cat([self.attention_norm(attended), self.local_norm(local)], dim=-1)
        return self.join(both[:, :height, :width] if self.pads_both else both)

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        grid_size: Grid,
        makers: Sequence[BranchCost],
        norm: Literal["layer", "batch"] = "layer",
        padding: Literal["attention", "both"] = "attention",
    ) -> Cost:
        """The branches without their projections, both gates, four norms and four layers."""
        index = _attention(makers)
        attention, local = makers[index], makers[1 - index]
        grid = attention.padded if padding == "both" else grid_size
        seen, half, (narrow, narrowest) = math.prod(grid), dim // 2, _gate_widths(dim)
        total = attention.without_projection(half, num_heads)
        total += local.on(grid).without_projection(dim, num_heads)
        for inputs, outputs in ((dim, half), (dim, dim), (dim, half)):
            total += linear(seen, inputs, outputs)
        for width in (half, dim, dim, half, half, narrow, narrowest):
            total += layer_norm(width)
        total += linear(1, dim, narrow) + linear(1, narrow, half)
        total += linear(seen, half, narrowest) + linear(seen, narrowest, 1)
        return total + linear(math.prod(grid_size), dim, dim)


def _attention(makers: Sequence[BranchMaker | BranchCost]) -> int:
    """Which branch has its values gated."""
    return max(i for i, make in enumerate(makers) if make.gates_values)


def _gate_widths(dim: int) -> tuple[int, int]:
    return max(4, dim // 8), max(4, dim // 16)  # a layer norm of one channel is always 0
