"""Merging: the map that one stage leaves, halved for the next."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.network.tracing import sides
from hybrid_swin.spec.variant import MergingNorm


class PatchMerging(nn.Module):
    """Four neighbours to one token: concatenate, normalise, project. (B,H,W,C) -> (B,H/2,W/2,C').

    Odd sides are padded with zeros, right and below. ``norm`` is ``pre``, as in Swin, or ``post``:
    the projected token is normalised, as in Swin Transformer V2 (2021,
    https://arxiv.org/abs/2111.09883).
    """

    def __init__(self, dim: int, out_dim: int, norm: MergingNorm = "pre") -> None:
        super().__init__()
        self.norm_after = norm == "post"
        self.norm = nn.LayerNorm(out_dim if self.norm_after else 4 * dim)
        self.reduction = nn.Linear(4 * dim, out_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H/2, W/2, C')."""
        bottom, right = (side % 2 for side in sides(x))
        if bottom or right:
            x = F.pad(x, (0, 0, 0, right, 0, bottom))
        # Swin's order of the four: columns outside, rows inside.
        x = torch.unflatten(torch.unflatten(x, 2, (-1, 2)), 1, (-1, 2))
        x = x.permute(0, 1, 3, 4, 2, 5).flatten(3)
        return self.norm(self.reduction(x)) if self.norm_after else self.reduction(self.norm(x))
