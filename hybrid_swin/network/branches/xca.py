"""`xca`: channel attention over the whole image, and nothing else."""

import torch
from torch import Tensor, nn

from hybrid_swin.cost import Cost, Grid, Window, linear
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.branches import _channel_attention as channel_attention


class XCA(Branch):
    """Cross-covariance attention (XCiT): channels attend to channels, by cosine.

    ``q, k, v = x W``; for each head ``softmax(T · norm(q) norm(k)ᵀ) v`` with a (D, D) map over
    channels, q and k normalised over space to length 1 and T learned, from 1. But for a bias of the
    last layer it is `mdta` without the depthwise convolution, so where a token lies does not matter
    to it.

    The paper's formula has no bias in W; the published networks do (``qkv_bias=true``). Their block
    adds two 3 x 3 convolutions behind the attention, and LayerScale: both are left out.

    Parameters 4C² + C + K (+ 3C with the bias); MACs 4NC² + 2NC²/K for N tokens.

    Shapes: B batch, H height, W width, C channels, K heads, D channels per head, N tokens.

    Source: XCiT: Cross-Covariance Image Transformers, 2021, https://arxiv.org/abs/2106.09681
    """

    gates_values = True

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        qkv_bias: bool = False,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.temperature = nn.Parameter(torch.empty(num_heads, 1, 1))
        self.proj = nn.Linear(dim, dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The temperature starts at 1."""
        nn.init.ones_(self.temperature)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Attend between channels. (B, H, W, C) -> (B, H, W, C); ``value_gate`` (B, C)."""
        q, k, v = channel_attention.heads(self.qkv(x), self.num_heads)
        logits_BKDD = self.temperature * channel_attention.cosines(q, k)
        out_BNC = channel_attention.apply(logits_BKDD, v, value_gate)
        return torch.unflatten(out_BNC, 1, x.shape[1:3])

    def no_weight_decay(self) -> set[str]:
        """The temperature: a scale, though it has three dimensions."""
        return {"temperature"}

    @classmethod
    def cost(
        cls, dim: int, num_heads: int, window_size: Window, grid_size: Grid, qkv_bias: bool = False
    ) -> Cost:
        """4C² + C + K parameters, and 3C of biases."""
        tokens = grid_size[0] * grid_size[1]
        projections = linear(tokens, dim, 3 * dim, bias=qkv_bias) + linear(tokens, dim, dim)
        return projections + Cost(num_heads) + channel_attention.cost(tokens, dim, num_heads)
