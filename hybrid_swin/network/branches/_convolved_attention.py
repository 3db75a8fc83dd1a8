"""Attention beside a depthwise convolution of its values: what three branches share."""

from typing import Any, ClassVar

from torch import Tensor, nn

from hybrid_swin.cost import Cost, Grid, Window, linear
from hybrid_swin.cost import depthwise as depthwise_cost
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.layers import convolve, depthwise_conv


class ConvolvedAttention(Branch):
    """``attend(q, k, v) + depthwise(v)`` between two linear layers (abstract).

    ``depthwise`` and ``attention`` are the controls that tell its two halves apart: without the
    convolution it is the attention alone; without the attention (its map is the identity) it is
    ``v + depthwise(v)``, and queries and keys are not computed.

    Parameters, but for the attention's own: 4C² + 4C + (k² + 1)C with a k x k convolution.

    Shapes: B batch, H height, W width, C channels.
    """

    gates_values = True
    mixes_by: ClassVar = ("attention", "depthwise")
    kernel: ClassVar[int] = 3

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
        self.attention = attention
        self.widths = [2 * dim, dim] if attention else [dim]  # q and k together, v
        self.qkv = nn.Linear(dim, sum(self.widths))
        self.dwconv = depthwise_conv(dim, self.kernel, bias=True) if depthwise else None
        self.proj = nn.Linear(dim, dim)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Attend, and convolve. (B, H, W, C) -> (B, H, W, C); ``value_gate`` (B, C)."""
        parts = self.qkv(x).split(self.widths, dim=-1)
        v = parts[-1] if value_gate is None else parts[-1] * value_gate[:, None, None]
        out = self.attend(parts[0], v) if self.attention else v
        return out if self.dwconv is None else out + convolve(self.dwconv, v)

    def attend(self, qk: Tensor, v: Tensor) -> Tensor:
        """The attention. Queries and keys side by side (B, H, W, 2C), values (B, H, W, C)."""
        raise NotImplementedError  # abstract

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        depthwise: bool = True,
        attention: bool = True,
        **others: Any,
    ) -> Cost:
        """The linear layers, and each half that is not switched off."""
        tokens = grid_size[0] * grid_size[1]
        total = linear(tokens, dim, 3 * dim if attention else dim) + linear(tokens, dim, dim)
        if depthwise:
            total += depthwise_cost(tokens, dim, cls.kernel)
        return total + cls.attention_cost(dim, num_heads, grid_size, **others) * attention

    @classmethod
    def attention_cost(cls, dim: int, num_heads: int, grid_size: Grid) -> Cost:
        """What ``attend`` costs; takes the branch's own options as well."""
        raise NotImplementedError  # abstract
