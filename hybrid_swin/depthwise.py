"""Depthwise convolution of maps that lie channels-last, as blocks pass them."""

from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.tracing import sides


def depthwise_conv(dim: int, kernel: int, bias: bool) -> nn.Conv2d:
    """A k x k convolution of each channel alone that keeps the grid (zero padding)."""
    return nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim, bias=bias)


def convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Apply it without a copy: the permuted map is channels-last. (B, H, W, C) -> (B, H, W, C)."""
    kernel, padding = conv.kernel_size[0], conv.kernel_size[0] // 2
    if x.is_cpu and min(sides(x)) < kernel:
        # Where the map is smaller than the kernel, oneDNN's backward pass leaves its fast path and
        # takes fifteen times as long; padded beforehand it does not.
        x = F.pad(x, (0, 0, padding, padding, padding, padding))
        padding = 0
    out = F.conv2d(x.permute(0, 3, 1, 2), conv.weight, conv.bias, 1, padding, 1, conv.groups)
    return out.permute(0, 2, 3, 1)
