"""`channel_group`: channel attention by plain products within groups of channels."""

from typing import Literal

import torch
from torch import Tensor, nn

from hybrid_swin.cost import Cost, Grid, Window, linear
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.branches import _channel_attention as channel_attention


class ChannelGroup(Branch):
    """Channel group attention (DaViT): the channels of a group attend to each other.

    A head is a group. As DaViT's code has it, keys meet values and the map is applied to queries:
    ``q softmax(kᵀ v / sqrt(D))ᵀ``, q, k and v being (N, D). ``scale=tokens`` is the variant of
    its second version, which Florence-2 uses: ``v softmax(qᵀ k / sqrt(N))ᵀ``, whose logits grow
    less with the image. Nothing is normalised, unlike in `xca`.

    DaViT's block adds a depthwise convolution in front of the attention and another in front of
    the MLP, which carry all positions: here nothing tells where a token lies.

    Parameters 4C² + 4C; MACs 4NC² + 2NC²/K for N tokens.

    Shapes: B batch, H height, W width, C channels, K heads, D channels per head, N tokens.

    Sources: DaViT: Dual Attention Vision Transformers, 2022, https://arxiv.org/abs/2204.03645;
    Florence-2: Advancing a Unified Representation for a Variety of Vision Tasks, 2023,
    https://arxiv.org/abs/2311.06242
    """

    gates_values = True  # what the map is applied to, whatever its name

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        scale: Literal["head", "tokens"] = "head",
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.scale = scale
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Attend between channels. (B, H, W, C) -> (B, H, W, C); ``value_gate`` (B, C)."""
        q, k, v = channel_attention.heads(self.qkv(x), self.num_heads)
        if self.scale == "head":
            q, k, v = k, v, q
        terms = q.shape[-1] if self.scale == "head" else q.shape[-2]
        logits_BKDD = channel_attention.products(q * terms**-0.5, k)
        out_BNC = channel_attention.apply(logits_BKDD, v, value_gate)
        return torch.unflatten(out_BNC, 1, x.shape[1:3])

    @classmethod
    def cost(
        cls, dim: int, num_heads: int, window_size: Window, grid_size: Grid, scale: str = "head"
    ) -> Cost:
        """4C² + 4C parameters, whatever the scale."""
        tokens = grid_size[0] * grid_size[1]
        projections = linear(tokens, dim, 3 * dim) + linear(tokens, dim, dim)
        return projections + channel_attention.cost(tokens, dim, num_heads)
