"""`inception_dw`: depthwise convolutions of three shapes, each over a few of the channels."""

from typing import Literal

import torch
from torch import Tensor, nn

from hybrid_swin.cost import Cost, Grid, Window, depthwise, linear
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.layers import convolve, depthwise_conv


class InceptionDW(Branch):
    """Inception depthwise convolution (InceptionNeXt): most channels pass, the rest convolve.

    ``W [x₀, depthwise_3x3(x₁), depthwise_1xk(x₂), depthwise_kx1(x₃)]``, where x₁, x₂ and x₃ have
    g = C / ``reduction`` channels each, rounded down, and at least 1; x₀ has the others. It reaches
    as far as a large kernel along both axes, at the price of a small one: a cheap local control.

    InceptionNeXt has no linear layer of its own here: norm and MLP follow, in the same residual.
    A block of ours adds the mixer's output to the map before its MLP, where untouched channels
    would only be added to themselves; so a linear layer W joins the channels, as in `conv`. In the
    paper the norm stands behind the convolutions, here in front, and there is no LayerScale.
    InceptionNeXt-A has ``kernel=9;reduction=4``.

    Parameters C² + C + g(2k + 12); MACs NC² + Ng(2k + 9) for N tokens. Zero
    padding.

    Source: InceptionNeXt: When Inception Meets ConvNeXt, 2023, https://arxiv.org/abs/2303.16900
    """

    min_width = 4  # of its parts, each at least one channel

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        kernel: Literal[7, 9, 11, 13] = 11,
        reduction: Literal[4, 8, 16] = 8,
    ) -> None:
        super().__init__()
        group = _group(dim, reduction)
        self.widths = [dim - 3 * group, group, group, group]
        self.dwconv_hw, self.dwconv_w, self.dwconv_h = (
            depthwise_conv(group, shape, bias=True) for shape in _kernels(kernel)
        )
        self.proj = nn.Linear(dim, dim)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Convolve some of the channels. (B, H, W, C) -> (B, H, W, C)."""
        same, *others = torch.split(x, self.widths, dim=-1)
        convs = self.dwconv_hw, self.dwconv_w, self.dwconv_h
        mixed = [convolve(conv, part) for conv, part in zip(convs, others, strict=True)]
        return torch.cat([same, *mixed], dim=-1)

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        kernel: int = 11,
        reduction: int = 8,
    ) -> Cost:
        """Three depthwise convolutions of g channels, and a linear layer."""
        tokens, group = grid_size[0] * grid_size[1], _group(dim, reduction)
        convs = (depthwise(tokens, group, shape) for shape in _kernels(kernel))
        return sum(convs, linear(tokens, dim, dim))


def _kernels(kernel: int) -> tuple[Grid, Grid, Grid]:
    """Height and width of a square, of a row and of a column."""
    return (3, 3), (1, kernel), (kernel, 1)


def _group(dim: int, reduction: int) -> int:
    """Channels of each convolution."""
    return max(1, dim // reduction)
