"""Patches: images cut into the first tokens, and four tokens merged into one between stages."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.errors import InputError, quote
from hybrid_swin.network.tracing import is_traced, sides
from hybrid_swin.spec.variant import MergingNorm


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
        return self.norm(self.proj(images).permute(0, 2, 3, 1))


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


def check_images(images: Tensor, stem: nn.Module) -> None:
    """Raise InputError unless images are (B, C, H, W) with the channels that the stem takes.

    Nothing is asked while the network is compiled or traced, nor of a stem that does not say.
    """
    if torch.compiler.is_compiling() or is_traced():
        return
    if not isinstance(images, Tensor):
        raise InputError(
            "a network takes images as a tensor of (batch, channels, height, width); got "
            f"{type(images).__name__} {quote(images)}"
        )
    channels = getattr(getattr(stem, "proj", None), "in_channels", None)
    shape = tuple(images.shape)
    if channels is None or (len(shape) == 4 and shape[1] == channels):
        return
    hint = ""
    if len(shape) == 3 and shape[0] == channels:
        hint = "; for one image give images[None]"
    elif len(shape) == 3 and channels == 1:
        hint = "; add the axis of channels by images[:, None]"
    elif len(shape) == 4 and shape[3] == channels:
        hint = "; channels stand last: give images.permute(0, 3, 1, 2)"
    elif len(shape) == 4:
        hint = f"; for {shape[1]} channels make the network with in_channels={shape[1]}"
    raise InputError(
        f"images of shape {shape}, but the network takes (batch, {channels}, height, width){hint}"
    )


def check_size(images: Tensor, size: tuple[int, int]) -> None:
    """Raise InputError unless images have this size, (height, width) in pixels."""
    if tuple(images.shape[2:]) != size:
        raise InputError(
            f"strict_img_size: images of {images.shape[2]}x{images.shape[3]} pixels where the "
            f"network is for {size[0]}x{size[1]}; make it with strict_img_size=False, or call "
            "set_input_size"
        )
