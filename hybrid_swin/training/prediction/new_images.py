"""Images that nobody has labelled: files, folders, tables and arrays, decoded as in the training.

They are read a few at a time, so that there may be more of them than memory holds.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hybrid_swin.data.batches import NormalisedImages
from hybrid_swin.data.files.decoding import Decoder, Resize
from hybrid_swin.data.files.folders import images_below
from hybrid_swin.data.files.tables import paths_in
from hybrid_swin.data.pixels import first_unusable, in_range
from hybrid_swin.data.sources.npz import read_images
from hybrid_swin.errors import InputError, few, here, quote
from hybrid_swin.network.pretrained_cfg import Normalisation

_AT_ONCE = 64  # images of a batch
_RESIZES: dict[str, Resize] = {"crop": "crop", "squash": "squash", "pad": "pad", "none": "none"}


class ImageBatch(NamedTuple):
    """Images as the network takes them, and their names."""

    ids: list[str]
    images: Tensor  # (B, C, H, W)


@dataclass
class NewImages:
    """What a user names, and what came of it while it was read.

    Args:
        files: (name, file) of each image, in order.
        arrays: .npz files.
        left_out: (name, reason) of what cannot be read.
        ignored: how many other files lay in the folders.
        notes: how often the rules of decoding changed something, by what.
    """

    files: list[tuple[str, Path]] = field(default_factory=list)
    arrays: list[Path] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    ignored: int = 0
    notes: dict[str, int] = field(default_factory=dict)


def find_images(places: Sequence[str]) -> NewImages:
    """The images that places mean: files, folders at any depth, patterns, .csv and .npz files.

    An image's name is its path; in a folder that is the only place, relative to the folder.

    Raises:
        InputError: a place that is not there, or a table or folder without images.
    """
    listing = NewImages()
    for place in places:
        for path in _expanded(place):
            _add(path, listing, len(places) == 1)
    return listing


def _expanded(place: str) -> list[Path]:
    """A path, or those that a pattern means."""
    path = Path(place).expanduser()
    if os.path.lexists(path):
        return [path]
    matches = sorted(glob.glob(str(path), recursive=True))
    if not matches:
        what = "matches no file" if glob.has_magic(place) else "there is no such file or folder"
        raise InputError(f"{quote(place, 120)}: {what}{here(place)}; correct the path")
    return [Path(match) for match in matches]


def _add(path: Path, listing: NewImages, is_only: bool) -> None:
    suffix = path.suffix.lower()
    if path.is_dir():
        files, ignored = images_below(path)
        listing.ignored += ignored
        named = [file.relative_to(path) if is_only else file for file in files]
        listing.files += [(name.as_posix(), f) for name, f in zip(named, files, strict=True)]
        if not files:
            raise InputError(
                f"folder {quote(str(path), 120)} holds no image at any depth; give another"
            )
    elif suffix == ".csv":
        listing.files += paths_in(path)
    elif suffix == ".npz":
        listing.arrays.append(path)
    else:
        listing.files.append((str(path), path))


class Preparation:
    """How an image becomes what a network takes: as validation images did in its training.

    Args:
        image_size: (height, width) that the network takes.
        in_channels: channels that it takes.
        normalisation: of its training.
        range_given: whether the pixel values that count as 0 and 1 are the user's.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        in_channels: int,
        normalisation: Normalisation,
        range_given: bool = False,
    ) -> None:
        self._range_given = range_given
        self._size, self._channels, self._normalisation = image_size, in_channels, normalisation
        self._resize = _RESIZES.get(normalisation.resize, "crop")

    def batches(self, listing: NewImages) -> Iterator[ImageBatch]:
        """All images that can be read, in order; what cannot be is noted in ``listing``.

        Raises:
            InputError: arrays of another size or number of channels, or a table without images.
        """
        if listing.files:
            yield from self._of_files(listing)
        for path in listing.arrays:
            yield from self._of_arrays(path, read_images(path), listing)

    def _of_files(self, listing: NewImages) -> Iterator[ImageBatch]:
        decoder = Decoder(self._size, self._channels, self._resize, self._normalisation.value_range)
        ids: list[str] = []
        images: list[Tensor] = []
        decoded = decoder.read_all([file for _, file in listing.files])
        for (name, _), row in zip(listing.files, decoded, strict=True):
            if isinstance(row, InputError | str):
                listing.left_out.append((name, str(row)))
                continue
            if reason := self._misfit(row.pixels[None], row.depth):
                listing.left_out.append((name, reason))
                continue
            for note in row.notes:
                listing.notes[note] = listing.notes.get(note, 0) + 1
            ids.append(name)
            images.append(self._normalised(row.pixels[None]))
            if len(ids) == _AT_ONCE:
                yield ImageBatch(ids, torch.cat(images))
                ids, images = [], []
        if ids:
            yield ImageBatch(ids, torch.cat(images))

    def _of_arrays(
        self, path: Path, parts: Sequence[tuple[str, NDArray[Any]]], listing: NewImages
    ) -> Iterator[ImageBatch]:
        wanted = (*self._size, self._channels)
        for name, pixels in parts:
            if pixels.shape[1:] != wanted:
                raise InputError(
                    f"{path.name}: array {quote(name, 40)} holds images of shape "
                    f"{pixels.shape[1:]}, but the network takes {wanted}, (height, width, "
                    "channels); save them in that shape"
                )
            if reason := self._misfit(pixels[:1], str(pixels.dtype)):
                raise InputError(f"{path.name}: array {quote(name, 40)} {reason}")
            for start in range(0, len(pixels), _AT_ONCE):
                some = pixels[start : start + _AT_ONCE]
                ids = [f"{name}/{index}" for index in range(start, start + len(some))]
                if self._normalisation.value_range is not None:
                    some, clipped = in_range(some, self._normalisation.value_range)
                    if clipped:
                        note = "values outside value_range clipped"
                        listing.notes[note] = listing.notes.get(note, 0) + len(some)
                while (broken := first_unusable(some)) is not None:
                    listing.left_out.append((ids.pop(broken), "a NaN, an infinity or a huge value"))
                    some = np.delete(some, broken, axis=0)
                if len(some):
                    yield ImageBatch(ids, self._normalised(some))

    def _misfit(self, pixels: NDArray[Any], stored: str) -> str:
        """Why pixels of this type cannot be what the network knows; empty if they can be."""
        ours = self._normalisation
        if ours.value_range is not None:
            is_short = stored in ("8 bits", "uint8") and ours.value_range[1] > 255
            if is_short and not self._range_given:
                low, high = ours.value_range
                return (
                    f"holds {stored}, but the network was trained on values from {low:g} to "
                    f"{high:g}"
                )
            return ""
        if (pixels.dtype.kind == "f") == (ours.full_scale == 1.0):
            return ""
        scale = "floating point numbers" if ours.full_scale == 1.0 else "whole numbers"
        return (
            f"holds {stored}, but the network was trained on {scale}; --value-range says which "
            "pixel values count as 0 and 1"
        )

    def _normalised(self, pixels: NDArray[Any]) -> Tensor:
        normalisation = self._normalisation
        images = NormalisedImages(pixels, normalisation.mean, normalisation.std, held_bytes=0)
        return images.take(np.arange(len(pixels)))


def left_out_text(left_out: Sequence[tuple[str, str]], most: int = 3) -> str:
    """The first names and reasons, for a message."""
    return few((f"{quote(name, 60)} ({reason})" for name, reason in left_out), most)
