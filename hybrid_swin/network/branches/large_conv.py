"""`large_conv`: a depthwise convolution with a large kernel, then two linear layers."""

from typing import ClassVar, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import Cost, Grid, Window, depthwise, layer_norm, linear
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.layers import convolve, depthwise_conv


class LargeConv(Branch):
    """Large-kernel convolution (ConvNeXt): ``W₂ GELU(W₁ norm(depthwise_k(x)))``, rC hidden units.

    The block's own MLP follows it, so r = ``ratio`` is 1 here and not ConvNeXt's 4, with which a
    block would have two MLPs. The block's own norm stands in front, where ConvNeXt has none; there
    is no LayerScale, the norm's epsilon is 1e-5 (1e-6), and the convolution starts as PyTorch's
    (truncated normal of .02, biases 0).

    Parameters (k² + 3)C + (2C + 1)rC + C; MACs k²NC + 2rNC² for N tokens. Zero padding.

    Source: A ConvNet for the 2020s, 2022, https://arxiv.org/abs/2201.03545
    """

    limits: ClassVar = {"ratio": (0.001, 64)}
    has_projection = False  # the layer that contracts is part of the mixing

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        kernel: Literal[7, 9, 11, 13] = 7,
        ratio: float = 1.0,
    ) -> None:
        super().__init__()
        hidden = _hidden(dim, ratio)
        self.dwconv = depthwise_conv(dim, kernel, bias=True)
        self.norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, hidden)
        self.contract = nn.Linear(hidden, dim)
        self.proj = nn.Identity()

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Convolve, then mix channels. (B, H, W, C) -> (B, H, W, C)."""
        return self.contract(F.gelu(self.expand(self.norm(convolve(self.dwconv, x)))))

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        kernel: Literal[7, 9, 11, 13] = 7,
        ratio: float = 1.0,
    ) -> Cost:
        """Depthwise, norm and two linear layers."""
        tokens, hidden = grid_size[0] * grid_size[1], _hidden(dim, ratio)
        spatial = depthwise(tokens, dim, kernel) + layer_norm(dim)
        return spatial + linear(tokens, dim, hidden) + linear(tokens, hidden, dim)


def _hidden(dim: int, ratio: float) -> int:
    return max(1, round(dim * ratio))
