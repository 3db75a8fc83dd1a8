"""Multi-head self-attention in windows, shifted or not: what `w_msa` and `sw_msa` share."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin import windows
from hybrid_swin.branches import Branch
from hybrid_swin.cost import Cost, Grid, linear


class WindowAttention(Branch):
    """Self-attention within windows of M x M tokens (abstract: `shifted` is the branches').

    For each window and head: ``softmax(q kᵀ / sqrt(D) + bias) v``, where ``bias`` is read from a
    table by the relative position of query and key. A map that the window does not divide is
    padded right and below, then rolled where shifted; padded tokens are attended to, as in all
    published implementations. On a map smaller than the window the window shrinks to the map.

    Parameters 4C² + 4C + (2M-1)²K; MACs 4NC² + 2NM²C. Parameter names are timm's.

    Shapes: B batch, H height, W width, C channels, G windows, N tokens per window, K heads,
    D channels per head.

    Source: Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, 2021,
    https://arxiv.org/abs/2103.14030
    """

    gates_values = True
    shifted: ClassVar[bool]

    def __init__(self, dim: int, num_heads: int, window_size: int, grid_size: Grid) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window = windows.fit_window((window_size, window_size), grid_size)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        offsets = (2 * self.window[0] - 1) * (2 * self.window[1] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.empty(offsets, num_heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Attend within windows. (B, H, W, C) -> (B, H, W, C); ``value_gate`` (B, C)."""
        height, width = x.shape[1:3]
        window = windows.fit_window(self.window, (height, width))
        shift = windows.shift_of(window, (height, width)) if self.shifted else (0, 0)
        size = windows.padded((height, width), window)
        if size != (height, width):
            x = F.pad(x, (0, 0, 0, size[1] - width, 0, size[0] - height))
        if any(shift):
            x = x.roll((-shift[0], -shift[1]), dims=(1, 2))
        x_BGNC = windows.partition(x, window)
        x_BGNC = self._attend(x_BGNC, self._bias(size, window, shift), value_gate)
        x = windows.merge(x_BGNC, window, size)
        if any(shift):
            x = x.roll(shift, dims=(1, 2))
        return x[:, :height, :width] if size != (height, width) else x

    def _attend(self, x_BGNC: Tensor, bias: Tensor, value_gate: Tensor | None) -> Tensor:
        """Attention of each window with itself; ``bias`` is (1 or G, K, N, N)."""
        qkv = self.qkv(x_BGNC).unflatten(-1, (3, self.num_heads, -1))
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5).unbind(0)  # each (B, G, K, N, D)
        if value_gate is not None:
            gate_BKD = torch.unflatten(value_gate, -1, (self.num_heads, -1))
            v = v * gate_BKD[:, None, :, None, :]
        return _attention(q, k, v, bias).transpose(2, 3).flatten(3)

    def _bias(self, size: Grid, window: Grid, shift: Grid) -> Tensor:
        """Position bias, and the mask of rolled windows where there is one. (1 or G, K, N, N)."""
        table = self.relative_position_bias_table
        index = windows.relative_position_index(window, self.window, table.device)
        bias: Tensor = table[index].permute(2, 0, 1)[None]
        mask = windows.shift_mask(size, window, shift, table.device)
        return bias if mask is None else bias + mask[:, None]

    def no_weight_decay(self) -> set[str]:
        """The bias table."""
        return {"relative_position_bias_table"}

    @classmethod
    def cost(cls, dim: int, num_heads: int, window_size: int, grid_size: Grid) -> Cost:
        """Padded tokens count where they are computed: everywhere but in the last projection."""
        window = windows.fit_window((window_size, window_size), grid_size)
        size = windows.padded(grid_size, window)
        tokens, area = size[0] * size[1], window[0] * window[1]
        table = (2 * window[0] - 1) * (2 * window[1] - 1) * num_heads
        attention = Cost(table, 2 * tokens * area * dim, tokens * (area * num_heads + dim))
        kept = grid_size[0] * grid_size[1]
        return linear(tokens, dim, 3 * dim) + attention + linear(kept, dim, dim)


def _attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """``softmax(q kᵀ / sqrt(D) + bias) v``. (B, G, K, N, D) -> the same; bias (1 or G, K, N, N)."""
    if torch.is_grad_enabled() and not q.is_cuda:
        # Training on a CPU has no fused kernel for a learned bias; PyTorch's fallback guards
        # against rows that are masked whole, which cannot occur here and costs a fifth of a step.
        scale: float = q.shape[-1] ** -0.5
        logits = (q * scale) @ k.transpose(-2, -1) + bias
        return logits.softmax(dim=-1).to(v.dtype) @ v
    shape = q.shape
    if bias.shape[0] == 1:  # one bias for all windows: they join the batch
        q, k, v = (t.flatten(0, 1) for t in (q, k, v))
    else:  # a bias of its own for each window: windows join the heads
        q, k, v = (t.flatten(1, 2) for t in (q, k, v))
        bias = bias.flatten(0, 1)[None]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype)).reshape(shape)
