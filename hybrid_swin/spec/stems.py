"""Stems: how the pixels of an image become the first tokens, as data."""

from typing import Literal

from hybrid_swin.errors import InputError

Stem = Literal["patch", "conv"]

_LEAST_CHANNELS = 2  # the layer norm of a single channel is a constant


def conv_layers(width: int, patch_size: int) -> tuple[tuple[int, int], ...]:
    """Channels and stride of each 3 x 3 convolution of a ``conv`` stem, in order.

    Each convolution of stride 2 halves the map, so a patch size of 4 takes two of them and one of 8
    three; a patch size of 1 takes one of stride 1. The last has the first stage's width, and each
    before it half the channels of the next, rounded up.
    """
    count = max(patch_size.bit_length() - 1, 1)
    before = (max(-(-width // 2**left), _LEAST_CHANNELS) for left in range(count - 1, 0, -1))
    return tuple((channels, min(patch_size, 2)) for channels in (*before, width))


def pixels_seen(stem: Stem, patch_size: int) -> tuple[int, int]:
    """First and last pixel that a token comes from, along one side, from its patch's first on.

    A patch is seen alone. Of ``conv`` every convolution of stride 2 doubles the distance to both
    sides and adds one, so that ``patch_size - 1`` pixels are seen on either side of the patch's
    first.
    """
    if stem == "patch":
        return 0, patch_size - 1
    reach = max(patch_size - 1, 1)
    return -reach, reach


def check_stem(stem: Stem, patch_size: int) -> None:
    """Raise InputError for a patch size that convolutions of stride 2 do not come to."""
    if stem == "conv" and patch_size & (patch_size - 1):
        near = 2 ** (patch_size.bit_length() - 1)
        raise InputError(
            "stem: conv halves the map by each of its convolutions, so patch_size must be a power "
            f"of two, such as 1, 2, 4 or 8; got {patch_size}; choose {near} or {2 * near}, or "
            "stem: patch"
        )
