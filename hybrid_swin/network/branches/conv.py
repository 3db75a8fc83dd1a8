"""`conv`: a depthwise convolution."""

from typing import Literal

from torch import Tensor, nn

from hybrid_swin.cost import Cost, Grid, Window, depthwise, linear
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.layers import convolve, depthwise_conv


class Conv(Branch):
    """Depthwise k x k convolution, then a pointwise one: local, the same at every place.

    MobileNet has a batch norm and a ReLU behind each of the two; here there is nothing between.

    Parameters (k² + 1)C + C² + C; MACs k²NC + NC² for N tokens. Zero padding.

    Source: MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications,
    2017, https://arxiv.org/abs/1704.04861
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        kernel: Literal[3, 5, 7, 9, 11] = 3,
    ) -> None:
        super().__init__()
        self.dwconv = depthwise_conv(dim, kernel, bias=True)
        self.proj = nn.Linear(dim, dim)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Convolve. (B, H, W, C) -> (B, H, W, C)."""
        return convolve(self.dwconv, x)

    @classmethod
    def cost(
        cls, dim: int, num_heads: int, window_size: Window, grid_size: Grid, kernel: int = 3
    ) -> Cost:
        """Depthwise and pointwise."""
        tokens = grid_size[0] * grid_size[1]
        return depthwise(tokens, dim, kernel) + linear(tokens, dim, dim)
