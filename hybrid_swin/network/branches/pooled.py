"""`pooled`: every token attends to the whole image, seen coarsely."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import Cost, Grid, Window, linear
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.branches import _dot_attention as dot_attention


class Pooled(Branch):
    """Self-attention with keys and values from an average-pooled map (Lo-Fi of LITv2's HiLo).

    For each head ``softmax(q kᵀ / sqrt(D)) v``; q from every token, k and v from the means of
    ``pool`` x ``pool`` tokens (of fewer at the right and lower edge, where HiLo's detectors count
    zeros in). ``pool=1`` is plain global attention. There is no position bias.

    HiLo gives it half of the heads, and plain attention in windows of the same size the others.
    Both read all channels, so HiLo is not ``w_msa+pooled:split``. LITv2 has it in its last two
    stages, with 3 x 3 convolutions in the MLPs.

    Parameters 4C² + 4C; MACs 2NC² + 2MC² + 2NMC for N tokens and M = ⌈H/pool⌉⌈W/pool⌉ means.

    Shapes: B batch, H height, W width, C channels, N tokens, M means, K heads, D channels per head.

    Source: Fast Vision Transformers with HiLo Attention, 2022, https://arxiv.org/abs/2205.13213
    """

    gates_values = True

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        pool: Literal[1, 2, 4, 7, 8] = 2,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.pool = pool
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Attend to the pooled map. (B, H, W, C) -> (B, H, W, C); ``value_gate`` (B, C)."""
        k_BMC, v_BMC = self.kv(self._pool(x)).flatten(1, 2).chunk(2, dim=-1)
        if value_gate is not None:
            v_BMC = v_BMC * value_gate[:, None]
        q, k, v = (
            dot_attention.heads(part, self.num_heads)
            for part in (self.q(x).flatten(1, 2), k_BMC, v_BMC)
        )  # (B, K, N or M, D)
        out_BKND = dot_attention.attend(q, k, v)
        return torch.unflatten(out_BKND.transpose(1, 2).flatten(2), 1, x.shape[1:3])

    def _pool(self, x: Tensor) -> Tensor:
        """Means of pool x pool tokens. (B, H, W, C) -> (B, H/pool, W/pool, C), rounded up."""
        if self.pool == 1:
            return x
        channels_last = x.permute(0, 3, 1, 2)
        means = F.avg_pool2d(channels_last, self.pool, ceil_mode=True, count_include_pad=False)
        return means.permute(0, 2, 3, 1)

    @classmethod
    def cost(
        cls, dim: int, num_heads: int, window_size: Window, grid_size: Grid, pool: int = 2
    ) -> Cost:
        """Keys and values cost 1/pool² of what queries cost; the pooling itself counts nothing."""
        tokens = grid_size[0] * grid_size[1]
        means = -(-grid_size[0] // pool) * -(-grid_size[1] // pool)
        attention = dot_attention.cost(tokens, means, dim, num_heads)
        queries, others = linear(tokens, dim, dim), linear(means, dim, 2 * dim)
        return queries + others + attention + linear(tokens, dim, dim)
