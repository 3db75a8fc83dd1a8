"""`agent`: a few agent tokens read the whole map, and every token reads the agents."""

from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from hybrid_swin.cost import Cost, Grid, Window
from hybrid_swin.network.branches import _dot_attention as dot_attention
from hybrid_swin.network.branches._convolved_attention import ConvolvedAttention
from hybrid_swin.network.tracing import made_like, sides


class Agent(ConvolvedAttention):
    """Agent attention: ``softmax(q Aᵀ / sqrt(D)) softmax(A kᵀ / sqrt(D)) v + depthwise3x3(v)``.

    The agents A are the means of q over a grid of ``agents`` x ``agents`` parts of the map, whose
    edges are rounded outwards where they do not divide it (adaptive average pooling); a side of
    fewer tokens has as many agents as tokens. Both softmaxes are taken for each head, over the
    whole map.

    ``depthwise`` and ``attention`` switch its two halves off: see `ConvolvedAttention`.

    Agent-Swin-T has 3, 4 and 7 agents a side in its first three stages, over whole maps, and plain
    windows in the last. The biases that it adds to both products are left out: they have a value
    for each row and column of a map, which fixes its size.

    Parameters 4C² + 14C; MACs 4NC² + 4NMC + 9NC and, for the means, NaC + aWMC/a for N tokens and
    M = a² agents.

    Shapes: B batch, H height, W width, C channels, N tokens, M agents, K heads, D channels per
    head.

    Source: Agent Attention: On the Integration of Softmax and Linear Attention, 2023,
    https://arxiv.org/abs/2312.08874
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        agents: Literal[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14] = 7,
        **halves: Any,
    ) -> None:
        super().__init__(dim, num_heads, window_size, grid_size, **halves)
        self.agents = agents

    def attend(self, qk: Tensor, v: Tensor) -> Tensor:
        """Agents gather values, then tokens gather from the agents. -> (B, H, W, C)."""
        q, k = qk.chunk(2, dim=-1)
        a_BKMD, q_BKND, k_BKND, v_BKND = (
            dot_attention.heads(part.flatten(1, 2), self.num_heads)
            for part in (region_means(q, self.agents), q, k, v)
        )
        gathered_BKMD = dot_attention.attend(a_BKMD, k_BKND, v_BKND)
        out_BKND = dot_attention.attend(q_BKND, a_BKMD, gathered_BKMD)
        return torch.unflatten(out_BKND.transpose(1, 2).flatten(2), 1, v.shape[1:3])

    @classmethod
    def attention_cost(cls, dim: int, num_heads: int, grid_size: Grid, agents: int = 7) -> Cost:
        """The means, and attention to and from the agents."""
        tokens = grid_size[0] * grid_size[1]
        rows, columns = (min(side, agents) for side in grid_size)
        means = Cost(0, tokens * rows * dim, rows * grid_size[1] * dim)
        means += Cost(0, rows * columns * grid_size[1] * dim, rows * columns * dim)
        gathering = dot_attention.cost(rows * columns, tokens, dim, num_heads)
        return means + gathering + dot_attention.cost(tokens, rows * columns, dim, num_heads)


def region_means(x_BHWC: Tensor, most: int) -> Tensor:
    """Adaptive average pooling to at most ``most`` means a side. -> (B, min(H, most), ..., C).

    By two products: torch's pooling has no reproducible gradient on CUDA, and on Apple's devices no
    sizes that do not divide the map.
    """
    height, width = sides(x_BHWC)
    down, across = (
        made_like(x_BHWC, partial(averaging, side, min(side, most), x_BHWC))
        for side in (height, width)
    )
    rows = torch.unflatten(down @ x_BHWC.flatten(2), -1, (width, -1))
    return across @ rows


def averaging(side: int, parts: int, like: Tensor) -> Tensor:
    """The mean of each of so many parts of an axis, whose edges are rounded outwards. (parts, H).

    Part i reaches from ⌊i H / parts⌋ to ⌈(i + 1) H / parts⌉.
    """
    part = torch.arange(parts, device=like.device)[:, None]
    place = torch.arange(side, device=like.device)
    inside = (place >= part * side // parts) & (place * parts < (part + 1) * side)
    return inside.to(like.dtype) / inside.sum(dim=1, keepdim=True)
