"""Listed image files as labelled images: decoded, and told of what the rules changed."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hybrid_swin.data.files.decoding import FOURTH, Decoder
from hybrid_swin.data.files.facts import FileFacts
from hybrid_swin.data.files.image_file import ImageFile
from hybrid_swin.data.files.listing import ListedImage, Listing
from hybrid_swin.data.files.pixel_cache import load_pixels
from hybrid_swin.data.sources import LabelledImages, class_order
from hybrid_swin.errors import InputError, quote

_STRETCHED = 1.05  # times the proportions, from which it is said


_Items = Sequence[ListedImage[ImageFile]]


def decoded(
    source: str, listing: Listing[ImageFile], decoder: Decoder, cache: Path | None, key: str
) -> LabelledImages:
    """All readable images, in their order.

    Args:
        source: how messages call where they come from, such as 'data source folder'.
        listing: what should be images.
        decoder: makes them pixels.
        cache: folder for decoded pixels; None to keep them in memory.
        key: changes whenever the files may have changed.

    Raises:
        InputError: nothing of a class can be read, or files that no network can take together.
    """
    items = listing.items
    names = class_order(item.label for item in items)
    files, facts = [item.file for item in items], FileFacts()
    pixels = load_pixels(
        lambda: decoder.decode_all(files, facts), len(items), decoder.shape, cache, key, facts
    )
    kept = [item for index, item in enumerate(items) if index not in pixels.reasons]
    left_out = [(items[index].id, reason) for index, reason in pixels.reasons.items()]
    _check_readable(source, names, kept, left_out)
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
            *_cut_or_stretched(facts, decoder.resize, decoder.image_size),
        ),
        stored=_stored(facts, decoder.resize, decoder.image_size),
        value_range=decoder.value_range,
        resize=decoder.resize,
    )


def _check_readable(
    source: str, names: Iterable[str], kept: _Items, left_out: list[tuple[str, str]]
) -> None:
    empty = sorted(set(names) - {item.label for item in kept})
    if empty:
        what = "no file" if not kept else f"no file of class {quote(empty[0])}"
        name, reason = left_out[0]
        raise InputError(
            f"{source}: {what} could be read as an image; "
            f"of {len(left_out)} left out the first is {quote(name)} ({quote(reason, 100)[1:-1]})"
        )


def _file_notes(facts: FileFacts, items: _Items) -> list[str]:
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
