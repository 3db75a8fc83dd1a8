"""`focal`: each token is multiplied by a summary of ever larger neighbourhoods."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import Cost, Grid, Window, depthwise, linear
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.layers import convolve, depthwise_conv


class Focal(Branch):
    """Focal modulation (FocalNet): ``q ⊙ h(Σ_l g_l ⊙ z_l)``, context first, interaction last.

    ``q, z_0, g = x W``; ``z_l = GELU(depthwise(z_{l-1}))`` for levels 1 to L with kernels k,
    k + 2, …; level L + 1 is ``GELU(mean(z_L))`` over the map. g has one gate a level and token,
    and h is linear.

    The defaults are those of FocalNet-T, S and B with a small receptive field (``levels=3``: a
    large one). What its larger networks add is left out: division of the sum by L + 1, LayerScale,
    and norms behind the branch.

    Parameters 4C² + 4C + (L + 1)(C + 1) + C Σk_l²; MACs 4NC² + (L + 1)NC + NC Σk_l² for N tokens.

    Source: Focal Modulation Networks, 2022, https://arxiv.org/abs/2203.11926
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        levels: Literal[1, 2, 3, 4] = 2,
        kernel: Literal[3, 5, 7, 9] = 3,
    ) -> None:
        super().__init__()
        self.widths = [dim, dim, levels + 1]
        self.expand = nn.Linear(dim, sum(self.widths))
        self.contexts = nn.ModuleList(
            depthwise_conv(dim, size, bias=False) for size in _kernels(kernel, levels)
        )
        self.modulator = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Modulate the queries. (B, H, W, C) -> (B, H, W, C)."""
        query, context, gates = self.expand(x).split(self.widths, dim=-1)
        summaries = []
        for conv in self.contexts:
            context = F.gelu(convolve(conv, context))
            summaries.append(context)
        summaries.append(F.gelu(context.mean(dim=(1, 2), keepdim=True)))
        first, *others = zip(gates.split(1, dim=-1), summaries, strict=True)
        total: Tensor = first[0] * first[1]
        for gate, summary in others:
            total = torch.addcmul(total, gate, summary)
        return query * self.modulator(total)

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        levels: Literal[1, 2, 3, 4] = 2,
        kernel: Literal[3, 5, 7, 9] = 3,
    ) -> Cost:
        """Three linear layers, one of them wider, and a depthwise convolution a level."""
        tokens = grid_size[0] * grid_size[1]
        contexts = (depthwise(tokens, dim, k, bias=False) for k in _kernels(kernel, levels))
        linears = linear(tokens, dim, 2 * dim + levels + 1) + linear(tokens, dim, dim)
        return sum(contexts, linears) + linear(tokens, dim, dim)


def _kernels(kernel: int, levels: int) -> list[int]:
    """Side of each level's neighbourhood; they grow by 2."""
    return [kernel + 2 * level for level in range(levels)]
