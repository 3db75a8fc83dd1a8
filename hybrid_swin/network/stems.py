"""Stems: the first tokens of an image."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.errors import InputError, quote
from hybrid_swin.network.layers import convolve
from hybrid_swin.network.tracing import is_traced, sides
from hybrid_swin.spec.stems import conv_layers
from hybrid_swin.spec.variant import Variant


class PatchEmbed(nn.Module):
    """Non-overlapping patches, each projected to C channels. (B, 3, H, W) -> (B, H/p, W/p, C).

    Sides that the patch does not divide are padded with zeros, right and below.
    """

    def __init__(self, in_channels: int, dim: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv2d(in_channels, dim, patch_size, stride=patch_size)
        self.norm = nn.LayerNorm(dim)

    @property
    def in_channels(self) -> int:
        """Channels of images."""
        return self.proj.in_channels

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, H/p, W/p, C)."""
        bottom, right = (-side % self.patch_size for side in sides(images, 2))
        if bottom or right:
            images = F.pad(images, (0, right, 0, bottom))
        # A linear layer on cut patches is faster alone, not in a step, and keeps a second copy of
        # the images for the backward pass.
        return self.norm(self.proj(images).permute(0, 2, 3, 1))


class ConvEmbed(nn.Module):
    """Overlapping patches: 3 x 3 convolutions. (B, 3, H, W) -> (B, H/p, W/p, C).

        x = norm(conv(x)), with a GELU between one convolution and the next

    Convolutions halve the map until it is of the patch size p (see ``conv_layers``); sides are
    rounded up. The sources have batch norms and ReLU in front of a last projection (2106.14881), or
    ReLU and max pools without norms (2104.05704). Here norms are layer norms, which also work for a
    batch of 1, and the last one stands where `PatchEmbed` has its own.

    Source: Early Convolutions Help Transformers See Better, 2021,
    https://arxiv.org/abs/2106.14881; Escaping the Big Data Paradigm with Compact Transformers,
    2021, https://arxiv.org/abs/2104.05704
    """

    def __init__(self, in_channels: int, dim: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for channels, stride in conv_layers(dim, patch_size):
            self.convs.append(nn.Conv2d(in_channels, channels, 3, stride, padding=1))
            self.norms.append(nn.LayerNorm(channels))
            in_channels = channels

    @property
    def in_channels(self) -> int:
        """Channels of images."""
        return self.convs[0].in_channels  # type: ignore[return-value]  # a Conv2d's

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, H/p, W/p, C)."""
        x = images.permute(0, 2, 3, 1)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = norm(convolve(conv, F.gelu(x) if index else x))
        return x


def make_stem(variant: Variant) -> PatchEmbed | ConvEmbed:
    """The stem of a variant."""
    kind = PatchEmbed if variant.stem == "patch" else ConvEmbed
    return kind(variant.in_channels, variant.stages[0].width, variant.patch_size)


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
    channels = getattr(stem, "in_channels", None)
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
