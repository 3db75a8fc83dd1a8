"""One transformer block, and the mixer that a block word stands for."""

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from hybrid_swin.block_words import BlockWord, Part
from hybrid_swin.branches import Branch
from hybrid_swin.cost import Grid
from hybrid_swin.fusions import Fusion
from hybrid_swin.registry import load


def build_mixer(
    word: BlockWord, dim: int, num_heads: int, window_size: int, grid_size: Grid
) -> Branch | Fusion:
    """The module of a block word; a single branch stands bare, so plain Swin's names are timm's."""
    makers = [partial(_branch, part, window_size, grid_size) for part in word.branches]
    if len(makers) == 1:
        return makers[0](dim, num_heads)
    part = word.joined_by
    return cast(Fusion, load("fusion", part.name)(dim, num_heads, makers, **part.kwargs))


def _branch(part: Part, window_size: int, grid_size: Grid, dim: int, num_heads: int) -> Branch:
    branch = load("branch", part.name)
    return cast(Branch, branch(dim, num_heads, window_size, grid_size, **part.kwargs))


class DropPath(nn.Module):
    """Drop a whole residual branch for a sample, with probability ``rate``, in training.

    What is kept is divided by ``1 - rate``, so the expectation stays.

    Source: Deep Networks with Stochastic Depth, 2016, https://arxiv.org/abs/1603.09382
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) -> (B, ...)."""
        if not self.training or self.rate == 0.0:
            return x
        kept = torch.rand(x.shape[0], *[1] * (x.ndim - 1), device=x.device) >= self.rate
        return x * kept.to(x.dtype).div_(1 - self.rate)


class Mlp(nn.Module):
    """Two linear layers with a GELU between."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        out: Tensor = self.fc2(self.act(self.fc1(x)))
        return out


class Block(nn.Module):
    """``x + mixer(norm(x))``, then ``x + mlp(norm(x))``. (B, H, W, C) -> (B, H, W, C)."""

    def __init__(
        self,
        word: BlockWord,
        dim: int,
        num_heads: int,
        window_size: int,
        grid_size: Grid,
        mlp_ratio: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = build_mixer(word, dim, num_heads, window_size, grid_size)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, round(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out
