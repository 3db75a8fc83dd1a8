"""`mdta`: channel attention over the whole image, with a local convolution inside."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hybrid_swin.cost import Cost, Grid, Window, depthwise, linear
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.branches import _channel_attention as channel_attention
from hybrid_swin.network.layers import convolve, depthwise_conv


class MDTA(Branch):
    """Multi-Dconv head transposed attention (Restormer): channels attend to channels.

    ``q, k, v = depthwise3x3(x W)``; for each head
    ``softmax(T · norm(q) norm(k)ᵀ) v`` with a (D, D) map over channels, q and k normalised over
    space to length 1 and T learned, from 1.

    ``depthwise`` and ``attention`` are the controls that tell its two halves apart: without the
    convolution it is channel attention alone; without the attention (the map is the identity) it
    is a convolution between two linear layers, and queries and keys are not computed.

    Restormer's MLP, which is gated and convolves as well, is not a part of it.

    Parameters 4C² + 27C + K; MACs 4NC² + 27NC + 2NC²/K for N tokens.

    Shapes: B batch, H height, W width, C channels, K heads, D channels per head, N tokens.

    Source: Restormer: Efficient Transformer for High-Resolution Image Restoration, 2021,
    https://arxiv.org/abs/2111.09881
    """

    gates_values = True
    mixes_by: ClassVar = ("attention", "depthwise")

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        depthwise: bool = True,
        attention: bool = True,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        inner = 3 * dim if attention else dim
        self.qkv = nn.Linear(dim, inner, bias=False)
        self.dwconv = depthwise_conv(inner, 3, bias=False) if depthwise else None
        self.temperature = nn.Parameter(torch.empty(num_heads, 1, 1)) if attention else None
        self.proj = nn.Linear(dim, dim, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The temperature starts at 1."""
        if self.temperature is not None:
            nn.init.ones_(self.temperature)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Attend between channels. (B, H, W, C) -> (B, H, W, C); ``value_gate`` (B, C)."""
        qkv: Tensor = self.qkv(x)
        if self.dwconv is not None:
            qkv = convolve(self.dwconv, qkv)
        if self.temperature is None:
            return qkv if value_gate is None else qkv * value_gate[:, None, None, :]
        q, k, v = channel_attention.heads(qkv, self.num_heads)
        logits_BKDD = self.temperature * channel_attention.cosines(q, k)
        out_BNC = channel_attention.apply(logits_BKDD, v, value_gate)
        return torch.unflatten(out_BNC, 1, x.shape[1:3])

    def no_weight_decay(self) -> set[str]:
        """The temperature: a scale, though it has three dimensions."""
        return set() if self.temperature is None else {"temperature"}

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        depthwise: bool = True,
        attention: bool = True,
    ) -> Cost:
        """4C² + 27C + K parameters in full; less for each half that is switched off."""
        tokens = grid_size[0] * grid_size[1]
        inner = 3 * dim if attention else dim
        total = linear(tokens, dim, inner, bias=False) + linear(tokens, dim, dim, bias=False)
        if depthwise:
            total += _depthwise(tokens, inner, 3, bias=False)
        if attention:
            total += Cost(num_heads) + channel_attention.cost(tokens, dim, num_heads)
        return total

    @classmethod
    def projection_cost(cls, dim: int, grid_size: Grid, **options: Any) -> Cost:
        """Without bias."""
        return linear(grid_size[0] * grid_size[1], dim, dim, bias=False)


_depthwise = depthwise  # the option of the same name hides it inside the class
