"""Attention between channels, whose map is as large as a head, not as the image.

Shapes: B batch, H height, W width, C channels, N tokens, K heads, D channels per head.
"""

import torch
from torch import Tensor

from hybrid_swin.cost import Cost


def heads(qkv: Tensor, num_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values. (B, H, W, 3C) -> three of (B, K, N, D)."""
    # Cut along the channels first: then the gradients meet again in one pass.
    q_BNC, k_BNC, v_BNC = qkv.flatten(1, 2).chunk(3, dim=-1)
    return _split(q_BNC, num_heads), _split(k_BNC, num_heads), _split(v_BNC, num_heads)


def products(q_BKND: Tensor, k_BKND: Tensor) -> Tensor:
    """Inner product over space of each channel of q with each of k. -> (B, K, D, D)."""
    if q_BKND.dtype == torch.float16:  # a sum over a whole map overflows it
        with torch.autocast(q_BKND.device.type, enabled=False):
            return q_BKND.float().transpose(-2, -1) @ k_BKND.float()
    return q_BKND.transpose(-2, -1) @ k_BKND


def cosines(q_BKND: Tensor, k_BKND: Tensor) -> Tensor:
    """The same of channels that are scaled to length 1 over space; zeros give zeros.

    Lengths are taken in float32 at least, since in half precision the epsilon would underflow to
    0 / 0. They divide the map of products, which is smaller than q and k.
    """
    q, k = q_BKND.contiguous(), k_BKND.contiguous()  # each is read twice: copying first is faster
    return products(q, k) * _inverse_length(q).transpose(-2, -1) * _inverse_length(k)


def apply(logits_BKDD: Tensor, v_BKND: Tensor, value_gate: Tensor | None) -> Tensor:
    """Softmax over the last axis of the map, times the values. -> (B, N, C).

    ``value_gate`` (B, C) multiplies the values.
    """
    map_BKDD = logits_BKDD.softmax(dim=-1)
    if value_gate is not None:
        map_BKDD = map_BKDD * _split(value_gate[:, None], logits_BKDD.shape[1])
    out_BKND = v_BKND @ map_BKDD.to(v_BKND.dtype).transpose(-2, -1)
    return out_BKND.transpose(1, 2).flatten(2)


def cost(tokens: int, dim: int, num_heads: int) -> Cost:
    """The two products: 2NC²/K MACs."""
    squares = dim * dim // num_heads
    return Cost(0, 2 * tokens * squares, squares + tokens * dim)


def _split(x_BNC: Tensor, num_heads: int) -> Tensor:
    """(B, N, C) -> (B, K, N, D)."""
    return torch.unflatten(x_BNC, -1, (num_heads, -1)).transpose(1, 2)


def _inverse_length(x_BKND: Tensor) -> Tensor:
    """1 / |x| of each channel over space. (B, K, 1, D)."""
    x = x_BKND.to(torch.promote_types(x_BKND.dtype, torch.float32))
    return x.square().sum(dim=-2, keepdim=True).clamp_min(1e-24).rsqrt()
