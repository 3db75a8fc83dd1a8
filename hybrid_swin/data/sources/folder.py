"""Image files: a folder per class, or a table of files."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, final

import numpy as np

from hybrid_swin.data.files.decoding import FOURTH, Decoder
from hybrid_swin.data.files.facts import FileFacts
from hybrid_swin.data.files.folders import Item, Listing, list_folders
from hybrid_swin.data.files.pixel_cache import load_pixels
from hybrid_swin.data.files.tables import read_table
from hybrid_swin.data.sources import LabelledImages, Source, check_range, class_order, user_path
from hybrid_swin.errors import InputError, here, quote

_STRETCHED = 1.05  # times the proportions, from which it is said


@final
class FolderSource(Source):
    """Image files by class folder, with or without train, validation and test, or by a CSV table.

    Without ``csv`` the layout is path/class/*, or path/{train,validation,test}/class/*; usual
    spellings of these, such as 'Training', 'val' or 'test_set', do as well, and slips are refused.
    Every file that is not hidden counts, at any depth, also through links. Files that are not
    readable images are left out by name. Formats: BMP, GIF, JPEG, PNG, PPM, TIFF, WebP, with the
    rules of ``decoding.Decoder``. Decoded pixels are kept in the cache under a key of the files'
    names, sizes and times.

    Args:
        path: folder of the class folders; with ``csv``, the folder that its paths start from.
        csv: table with the columns path, label and, where wanted, split and group; its paths start
            from its own folder where ``path`` is not given.
        resize: how another size becomes the variant's, see ``decoding.Decoder``.
        value_range: [low, high], the pixel values that become 0 and 1; values outside are clipped.
            Without it values are kept as they are (8 and 16 bits as shares of their full scale).
        layout: whether the first level of folders are classes or splits; auto: as they are named.
    """

    def __init__(
        self,
        path: str = "",
        csv: str = "",
        resize: Literal["crop", "squash", "pad", "none"] = "crop",
        value_range: tuple[float, float] | None = None,
        layout: Literal["auto", "classes", "splits"] = "auto",
    ) -> None:
        self.path = path
        self.csv = csv
        self.resize: Literal["crop", "squash", "pad", "none"] = resize
        self.value_range = check_range("data source folder", value_range)
        self.layout: Literal["auto", "classes", "splits"] = layout

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All readable images, sorted by folder or in the table's order."""
        decoder = Decoder(image_size, in_channels, self.resize, self.value_range)
        listing = self.listing()
        items = listing.items
        names = class_order(item.label for item in items)
        files, facts = [item.file for item in items], FileFacts()
        pixels = load_pixels(
            lambda: decoder.decode_all(files, facts),
            len(items),
            decoder.shape,
            cache,
            _key(items, decoder.identity),
            facts,
        )
        kept = [item for index, item in enumerate(items) if index not in pixels.reasons]
        left_out = [(items[index].id, reason) for index, reason in pixels.reasons.items()]
        _check_readable(names, kept, left_out)
        index_of = {name: index for index, name in enumerate(names)}
        return LabelledImages(
            images=pixels.images,
            labels=np.array([index_of[item.label] for item in kept], np.int64),
            class_names=names,
            ids=tuple(item.id for item in kept),
            groups=tuple(item.group for item in kept) if any(i.group for i in kept) else None,
            splits=tuple(item.split for item in kept) if any(i.split for i in kept) else None,
            left_out=(*left_out, *listing.left_out),
            ignored=tuple(listing.ignored),
            notes=(
                *listing.notes,
                *_file_notes(facts, items),
                *_cut_or_stretched(facts, self.resize, image_size),
            ),
            stored=_stored(facts, self.resize, image_size),
            value_range=self.value_range,
            resize=self.resize,
        )

    def listing(self) -> Listing:
        """The files in a fixed order, and what lies beside them; no image is read.

        Raises:
            InputError: there is no such place, it can be read in two ways, or holds one class.
        """
        try:
            listing = self._list()
        except OSError as error:
            raise InputError(f"data source folder: {quote(str(error), 160)}") from error
        names = class_order(item.label for item in listing.items)
        if len(names) < 2:
            raise InputError(
                f"data source folder: {quote(self.csv or self.path, 120)} holds the class(es) "
                f"{quote(list(names), 90)}; a classifier needs at least two"
            )
        return listing

    def _list(self) -> Listing:
        """The files in a fixed order, and what lies beside them."""
        if self.csv:
            table = user_path(self.csv, "csv")
            root = user_path(self.path, "path") if self.path else table.parent
            return read_table(table, root.absolute())
        if not self.path:
            raise InputError(
                "data source folder: option 'path' is missing; give the folder that holds one "
                "folder per class, or option 'csv'"
            )
        root = user_path(self.path, "path")
        if not root.is_dir():
            raise InputError(
                f"data source folder: {quote(self.path, 120)} is not a folder{here(self.path)}; "
                "correct 'path'"
            )
        return list_folders(root, self.layout)


def _check_readable(
    names: Iterable[str], kept: list[Item], left_out: list[tuple[str, str]]
) -> None:
    empty = sorted(set(names) - {item.label for item in kept})
    if empty:
        what = "no file" if not kept else f"no file of class {quote(empty[0])}"
        name, reason = left_out[0]
        raise InputError(
            f"data source folder: {what} could be read as an image; "
            f"of {len(left_out)} left out the first is {quote(name)} ({quote(reason, 100)[1:-1]})"
        )


def _file_notes(facts: FileFacts, items: list[Item]) -> list[str]:
    """What the rules of decoding changed, counted, with the first file of each."""
    notes = [
        f"{note}: {count:,} image(s), such as {quote(items[first].id)}"
        for note, (count, first) in facts.notes.items()
    ]
    if len({kind.rpartition(", ")[2] for kind in facts.kinds}) > 1:
        deep = max(top for kind, top in facts.tops.items() if kind.endswith("16 bits"))
        few = f", and those of 16 reach {deep:,.0f} of 65,535 only" if deep < 2**15 else ""
        notes.append(f"8 and 16 bits side by side: each counts as a share of its full scale{few}")
    fourth = [FOURTH in kind for kind in facts.kinds]
    if any(fourth) and not all(fourth):
        notes.append("the fourth channel is opacity in some files and another channel in others")
    return notes


def _cut_or_stretched(facts: FileFacts, resize: str, image_size: tuple[int, int]) -> list[str]:
    """What scaling to the network's proportions takes away or changes."""
    wanted = image_size[1] / image_size[0]
    times = max((max(p / wanted, wanted / p) for p in facts.proportions or ()), default=1.0)
    if times < _STRETCHED:
        return []
    if resize == "crop":
        cut = f"resize crop cuts off up to {1 - 1 / times:.0%} of an image"
        return [f"{cut} (squash and pad keep all of it)"]
    if resize == "squash":
        much = f"resize squash changes proportions up to {times:.2f} times"
        return [f"{much} (crop and pad keep them)"]
    return []


def _stored(facts: FileFacts, resize: str, image_size: tuple[int, int]) -> str:
    """How the files hold their images, in words."""
    kinds = ", ".join(f"{kind} ({count:,})" for kind, (count, _) in facts.kinds.items())
    low, high = facts.smallest or image_size, facts.largest or image_size
    sizes = f"{low[0]} x {low[1]}" + ("" if low == high else f" to {high[0]} x {high[1]}")
    scaled = "" if low == high == image_size else f", resize: {resize}"
    return f"{kinds}; files of {sizes} pixels{scaled}"


def _key(items: list[Item], decoding: str) -> str:
    """Changes whenever the pixels may have changed."""
    sha = hashlib.sha256(decoding.encode())
    for item in items:
        try:
            stat = item.file.stat()
            # The last cannot be set by tools that keep the second, and notices permissions, too.
            stamp = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
        except OSError:
            stamp = "unreadable"
        sha.update(f"\n{item.id} {stamp}".encode("utf-8", "surrogateescape"))
    return sha.hexdigest()[:20]
