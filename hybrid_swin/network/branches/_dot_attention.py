"""Softmax attention of tokens to other tokens, with no bias: what `pooled` and `agent` share.

Shapes: B batch, C channels, N queries, M keys, K heads, D channels per head.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from hybrid_swin.cost import Cost
from hybrid_swin.network.tracing import is_unfused


def heads(x_BNC: Tensor, num_heads: int) -> Tensor:
    """(B, N, C) -> (B, K, N, D)."""
    return torch.unflatten(x_BNC, -1, (num_heads, -1)).transpose(1, 2)


def attend(q_BKND: Tensor, k_BKMD: Tensor, v_BKMD: Tensor) -> Tensor:
    """``softmax(q kᵀ / sqrt(D)) v`` for each head. -> (B, K, N, D)."""
    if is_unfused(q_BKND):
        logits_BKNM = q_BKND * q_BKND.shape[-1] ** -0.5 @ k_BKMD.transpose(-2, -1)
        return logits_BKNM.softmax(dim=-1) @ v_BKMD
    # Fused in training too, unlike in windows: with no bias to learn every device has a kernel for
    # it, and the N x M logits of a large map are never written.
    return F.scaled_dot_product_attention(q_BKND, k_BKMD, v_BKMD)


def cost(queries: int, keys: int, dim: int, num_heads: int) -> Cost:
    """The two products: 2NMC MACs."""
    return Cost(0, 2 * queries * keys * dim, queries * (keys * num_heads + dim))
