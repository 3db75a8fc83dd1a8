"""Layers over maps whose channels lie last, as blocks pass them."""

from typing import Literal, cast

from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.network.bare_layers import is_bare
from hybrid_swin.network.tracing import sides


def depthwise_conv(dim: int, kernel: int, bias: bool) -> nn.Conv2d:
    """A k x k convolution of each channel alone that keeps the grid (zero padding)."""
    return nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim, bias=bias)


def convolve(conv: nn.Module, x: Tensor) -> Tensor:
    """Apply it without a copy: the permuted map is channels-last. (B, H, W, C) -> (B, H, W, C)."""
    if x.is_cpu and is_bare(conv, nn.Conv2d):
        conv = cast(nn.Conv2d, conv)
        zeros = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
        if zeros and min(sides(x)) < conv.kernel_size[0]:
            # Where the map is smaller than the kernel, oneDNN's backward pass leaves its fast path
            # and takes fifteen times as long; padded beforehand it does not.
            below, right = cast(tuple[int, int], conv.padding)
            x = F.pad(x, (0, 0, right, right, below, below)).permute(0, 3, 1, 2)
            how = conv.stride, 0, conv.dilation, conv.groups
            return F.conv2d(x, conv.weight, conv.bias, *how).permute(0, 2, 3, 1)
    out: Tensor = conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return out


class BatchNorm(nn.BatchNorm1d):
    """Batch norm over all axes but the last. (..., C) -> (..., C).

    In training it needs more than one value a channel: pooled maps fail at a batch of 1.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        out: Tensor = super().forward(input.flatten(0, -2))
        return out.view_as(input)


def channel_norm(kind: Literal["layer", "batch"], dim: int) -> nn.Module:
    """A layer norm, or a batch norm, of the last axis."""
    return nn.LayerNorm(dim) if kind == "layer" else BatchNorm(dim)
