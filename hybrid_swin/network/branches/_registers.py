"""Registers: learned tokens that attention in windows may attend to beside its own tokens."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import Cost, linear


class Registers(nn.Module):
    """n learned tokens, beside the keys and values of every window, without position biases.

    ``softmax([q kᵀ + bias, q (W_k r)ᵀ]) [v; W_v r]`` with the branch's own W_k and W_v. They give
    attention a place to go to that holds nothing of the map. No mask hides them.

    In the paper registers are tokens of the sequence: they attend as well, go from block to block,
    and can collect what the whole image holds. A map of windows has no such token. Here each block
    has registers of its own, which are the same for all windows and images and end with the block:
    they can take attention up, and cannot remember.

    nC parameters.

    Shapes: B batch, G windows, K heads, M keys, D channels per head, n registers.

    Source: after Vision Transformers Need Registers, 2023, https://arxiv.org/abs/2309.16588
    """

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.empty(count, dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """First weights."""
        nn.init.trunc_normal_(self.tokens, std=0.02)

    def beside(
        self, k: Tensor, v: Tensor, project: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Put them behind keys and values, (B, G, K, M, D) -> (B, G, K, M + n, D).

        ``project`` gives queries, keys and values of tokens, (n, C) -> (n, 3C).
        """
        batch, groups, heads = k.shape[:3]
        own = torch.unflatten(project(self.tokens), -1, (3, heads, -1)).permute(1, 2, 0, 3)
        own_k, own_v = (
            part.to(k.dtype).expand(batch, groups, -1, -1, -1) for part in own[1:].unbind(0)
        )
        return torch.cat([k, own_k], dim=-2), torch.cat([v, own_v], dim=-2)


def bias_for_all(bias: Tensor, k: Tensor) -> Tensor:
    """Zeros for keys that have no bias, which are the last ones. (..., M) -> (..., M + n)."""
    more = k.shape[-2] - bias.shape[-1]
    return F.pad(bias, (0, more)) if more else bias


def registers_cost(count: int, queries: int, dim: int, num_heads: int) -> Cost:
    """What registers add to attention of so many queries: tokens, their projection, products.

    The projection gives queries of registers too, which nothing uses.
    """
    projected = linear(count, dim, 3 * dim)
    products = Cost(0, 2 * queries * count * dim, queries * count * num_heads)
    return Cost(count * dim, projected.macs, projected.activations) + products
