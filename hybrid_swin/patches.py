"""Patches: images cut into the first tokens, and four tokens merged into one between stages."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.tracing import sides


class PatchEmbed(nn.Module):
    """Non-overlapping patches, each projected to C channels. (B, 3, H, W) -> (B, H/p, W/p, C).

    Sides that the patch does not divide are padded with zeros, right and below.
    """

    def __init__(self, in_channels: int, dim: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv2d(in_channels, dim, patch_size, stride=patch_size)
        self.norm = nn.LayerNorm(dim)

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, H/p, W/p, C)."""
        bottom, right = (-side % self.patch_size for side in sides(images, 2))
        if bottom or right:
            images = F.pad(images, (0, right, 0, bottom))
        # A linear layer on cut patches is faster alone, not in a step, and keeps a second copy of
        # the images for the backward pass.
        out: Tensor = self.norm(self.proj(images).permute(0, 2, 3, 1))
        return out


class PatchMerging(nn.Module):
    """Four neighbours to one token: concatenate, normalise, project. (B,H,W,C) -> (B,H/2,W/2,C').

    Odd sides are padded with zeros, right and below.
    """

    def __init__(self, dim: int, out_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduction = nn.Linear(4 * dim, out_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H/2, W/2, C')."""
        bottom, right = (side % 2 for side in sides(x))
        if bottom or right:
            x = F.pad(x, (0, 0, 0, right, 0, bottom))
        # Swin's order of the four: columns outside, rows inside.
        x = torch.unflatten(torch.unflatten(x, 2, (-1, 2)), 1, (-1, 2))
        x = x.permute(0, 1, 3, 4, 2, 5).flatten(3)
        out: Tensor = self.reduction(self.norm(x))
        return out
