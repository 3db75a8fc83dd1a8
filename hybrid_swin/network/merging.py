"""Merging: the map of one stage, halved for the next. (B, H, W, C) -> (B, H/2, W/2, C').

``norm`` is where each of them normalises: ``pre``, what is projected, as in Swin; ``post``, what
comes of it, as in Swin Transformer V2 (2021, https://arxiv.org/abs/2111.09883). Odd sides are
rounded up.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.network.layers import convolve
from hybrid_swin.network.tracing import sides
from hybrid_swin.spec.variant import MergingNorm, Variant


class PatchMerging(nn.Module):
    """Four neighbours to one token: concatenate, normalise, project. (B,H,W,C) -> (B,H/2,W/2,C').

    Odd sides are padded with zeros, right and below.
    """

    def __init__(self, dim: int, out_dim: int, norm: MergingNorm = "pre") -> None:
        super().__init__()
        self.norm_after = norm == "post"
        self.norm = nn.LayerNorm(out_dim if self.norm_after else 4 * dim)
        self.reduction = nn.Linear(4 * dim, out_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H/2, W/2, C')."""
        # Swin's order of the four: columns outside, rows inside.
        x = _in_squares(x, 0.0).permute(0, 1, 3, 4, 2, 5).flatten(3)
        return self.norm(self.reduction(x)) if self.norm_after else self.reduction(self.norm(x))


class ConvMerging(nn.Module):
    """A 3 x 3 convolution of stride 2, so that neighbours overlap. (B,H,W,C) -> (B,H/2,W/2,C').

    The sources normalise behind it (``norm`` is ``post``).

    Source: CvT: Introducing Convolutions to Vision Transformers, 2021,
    https://arxiv.org/abs/2103.15808; CSWin Transformer, 2021, https://arxiv.org/abs/2107.00652
    """

    def __init__(self, dim: int, out_dim: int, norm: MergingNorm = "pre") -> None:
        super().__init__()
        self.norm_after = norm == "post"
        self.norm = nn.LayerNorm(out_dim if self.norm_after else dim)
        self.conv = nn.Conv2d(dim, out_dim, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H/2, W/2, C')."""
        if self.norm_after:
            return self.norm(convolve(self.conv, x))
        return convolve(self.conv, self.norm(x))


class PoolMerging(nn.Module):
    """The largest of four neighbours in each channel, then a projection. -> (B,H/2,W/2,C').

    On odd sides the last of a row or column are fewer. CoAtNet pools and projects beside its first
    attention, as that attention's residual; here the pooled map is all that the next stage gets.

    Source: after CoAtNet: Marrying Convolution and Attention for All Data Sizes, 2021,
    https://arxiv.org/abs/2106.04803
    """

    def __init__(self, dim: int, out_dim: int, norm: MergingNorm = "pre") -> None:
        super().__init__()
        self.norm_after = norm == "post"
        self.norm = nn.LayerNorm(out_dim if self.norm_after else dim)
        self.reduction = nn.Linear(dim, out_dim, bias=False)
        # Unlike that of a max pool, its gradient is deterministic on every device.
        self.largest: Callable[..., Tensor] = torch.amax

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H/2, W/2, C')."""
        x = self.largest(_in_squares(x, -torch.inf), dim=(2, 4))
        return self.norm(self.reduction(x)) if self.norm_after else self.reduction(self.norm(x))


_KINDS: dict[str, type[PatchMerging] | type[ConvMerging] | type[PoolMerging]] = {
    "linear": PatchMerging,
    "conv": ConvMerging,
    "pool": PoolMerging,
}


def make_merging(variant: Variant, index: int) -> nn.Module:
    """The merging into stage ``index`` of a variant."""
    before, after = variant.stages[index - 1].width, variant.stages[index].width
    return _KINDS[variant.merging](before, after, variant.merging_norm)


def _in_squares(x: Tensor, padding: float) -> Tensor:
    """The map as squares of 2 x 2, filled up right and below. -> (B, H/2, 2, W/2, 2, C)."""
    bottom, right = (side % 2 for side in sides(x))
    if bottom or right:
        x = F.pad(x, (0, 0, 0, right, 0, bottom), value=padding)
    return torch.unflatten(torch.unflatten(x, 2, (-1, 2)), 1, (-1, 2))
