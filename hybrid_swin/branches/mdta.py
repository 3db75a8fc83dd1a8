"""`mdta`: channel attention over the whole image, with a local convolution inside."""

import torch
from torch import Tensor, nn

from hybrid_swin.branches import Branch
from hybrid_swin.cost import Cost, Grid, depthwise, linear
from hybrid_swin.depthwise import convolve, depthwise_conv


class MDTA(Branch):
    """Multi-Dconv head transposed attention (Restormer): channels attend to channels.

    ``q, k, v = depthwise3x3(x W)``; for each head
    ``softmax(T · norm(q) norm(k)ᵀ) v`` with a (D, D) map over channels, q and k normalised over
    space to length 1 and T learned, from 1.

    ``depthwise`` and ``attention`` are the controls that tell its two halves apart: without the
    convolution it is channel attention alone; without the attention (the map is the identity) it
    is a convolution between two linear layers, and queries and keys are not computed.

    Parameters 4C² + 27C + K; MACs 4NC² + 27NC + 2NC²/K for N tokens.

    Shapes: B batch, H height, W width, C channels, K heads, D channels per head, N tokens.

    Source: Restormer: Efficient Transformer for High-Resolution Image Restoration, 2021,
    https://arxiv.org/abs/2111.09881
    """

    gates_values = True

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: int,
        grid_size: Grid,
        depthwise: bool = True,
        attention: bool = True,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        inner = 3 * dim if attention else dim
        self.qkv = nn.Linear(dim, inner, bias=False)
        self.dwconv = depthwise_conv(inner, 3, bias=False) if depthwise else None
        self.temperature = nn.Parameter(torch.ones(num_heads, 1, 1)) if attention else None
        self.proj = nn.Linear(dim, dim, bias=False)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Attend between channels. (B, H, W, C) -> (B, H, W, C); ``value_gate`` (B, C)."""
        qkv: Tensor = self.qkv(x)
        if self.dwconv is not None:
            qkv = convolve(self.dwconv, qkv)
        if self.temperature is None:
            return qkv if value_gate is None else qkv * value_gate[:, None, None, :]
        heads_BN3KD = torch.unflatten(qkv.flatten(1, 2), -1, (3, self.num_heads, -1))
        q, k, v = heads_BN3KD.permute(2, 0, 3, 4, 1).unbind(0)  # each (B, K, D, N)
        q, k = _normalise(q), _normalise(k)
        if value_gate is not None:
            v = v * torch.unflatten(value_gate, -1, (self.num_heads, -1))[..., None]
        attention_BKDD = (q @ k.transpose(-2, -1) * self.temperature).softmax(dim=-1)
        out_BKDN = attention_BKDD.to(v.dtype) @ v
        return torch.unflatten(out_BKDN.flatten(1, 2).transpose(1, 2), 1, x.shape[1:3])

    def no_weight_decay(self) -> set[str]:
        """The temperature: a scale, though it has three dimensions."""
        return set() if self.temperature is None else {"temperature"}

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        window_size: int,
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
            squares = dim * dim // num_heads
            total += Cost(num_heads, 2 * tokens * squares, squares + tokens * dim)
        return total


def _normalise(x_BKDN: Tensor) -> Tensor:
    """Scale each channel to length 1 over space; zeros stay zeros.

    In float32 at least, since in half precision the epsilon would underflow to 0 / 0. Written out
    because torch's norm is slow along the outer dimension in which N lies.
    """
    x = x_BKDN.to(torch.promote_types(x_BKDN.dtype, torch.float32))
    length = x.square().sum(dim=-1, keepdim=True).clamp_min(1e-24).sqrt()
    return (x / length).to(x_BKDN.dtype)


_depthwise = depthwise  # the option of the same name hides it inside the class
