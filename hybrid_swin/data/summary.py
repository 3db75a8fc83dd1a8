"""What the program understood of its images: for the receipt, and in six lines for the terminal."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hybrid_swin.data.loading import LoadedData
from hybrid_swin.data.notes import data_notes
from hybrid_swin.data.pixels import extremes
from hybrid_swin.data.sources import LabelledImages
from hybrid_swin.data.splits import Splits
from hybrid_swin.errors import quote

_SPLITS = ("train", "validation", "test")
_NAMED = 8  # class names that are written out
_NOTED = 6  # notes that are written out
_MOST_PAIRS = 1000  # copies that the receipt names


def describe(data: LoadedData) -> dict[str, Any]:
    """Classes, splits, pixels, copies, and what was left out, as JSON holds it.

    Reads every image once more, for the smallest and largest value and for copies.
    """
    images, splits = data.images, data.splits
    counts = np.bincount(images.labels, minlength=len(images.class_names))
    least, most = int(np.argmin(counts)), int(np.argmax(counts))
    given = set(images.splits or ()) - {""}
    parts = {name: getattr(splits, name) for name in _SPLITS if len(getattr(splits, name))}
    classes = [np.flatnonzero(images.labels == label) for label in range(len(images.class_names))]
    limits = extremes(images.images, [*parts.values(), *classes])
    ranges = dict(zip(parts, limits, strict=False))
    class_ranges = dict(zip(images.class_names, limits[len(parts) :], strict=True))
    return {
        "images": {name: len(getattr(splits, name)) for name in _SPLITS},
        "given_splits": [name for name in _SPLITS if name in given],
        "classes": list(images.class_names),
        "images_per_class": {
            "least": [images.class_names[least], int(counts[least])],
            "most": [images.class_names[most], int(counts[most])],
        },
        "groups": len(set(images.groups or ()) - {""}),
        "independent": {name: independent(images, getattr(splits, name)) for name in _SPLITS},
        "pixels": {
            "shape": list(images.images.shape[1:]),
            "type": str(images.images.dtype),
            "range": [
                min(low for low, _ in ranges.values()),
                max(high for _, high in ranges.values()),
            ],
            "stored": images.stored,
        },
        "copies": _copies(images, splits),
        "notes": [*data_notes(images, splits, ranges, class_ranges), *images.notes],
        "left_out": [list(item) for item in images.left_out],
        "ignored": [list(item) for item in images.ignored],
    }


def independent(images: LabelledImages, index: Iterable[int]) -> int:
    """How many images of a split are independent of each other: a whole group counts as one."""
    chosen = [int(i) for i in index]
    return len(chosen) if images.groups is None else len({str(images.groups[i]) for i in chosen})


def summary_lines(about: Mapping[str, Any], kept_in: str = "the receipt") -> list[tuple[str, str]]:
    """(heading, text), at most six, of what ``describe`` gave, all of which is ``kept_in``."""
    lines = [
        ("classes", _classes(about)),
        ("splits", _splits(about)),
        ("images", _pixels(about["pixels"])),
        ("copies", _about_copies(about["copies"])),
    ]
    if about["left_out"] or about["ignored"]:
        lines.append(("left out", _left_out(about, kept_in)))
    if about["notes"]:
        first_notes = "; ".join(about["notes"][:_NOTED])
        more = len(about["notes"]) - _NOTED
        lines.append(("note", first_notes + (f"; {more} more in {kept_in}" if more > 0 else "")))
    return lines


def _copies(images: LabelledImages, splits: Splits) -> dict[str, Any]:
    """Which images stand in two splits or under two labels, after what was dropped."""
    split_of = np.full(len(images.ids), -1)
    for number, name in enumerate(_SPLITS):
        split_of[getattr(splits, name)] = number
    labels = {"in_two_splits": split_of, "under_two_labels": images.labels}
    counts = dict.fromkeys(labels, 0)
    pairs: dict[str, list[list[str]]] = {name: [] for name in labels}
    for group in images.copies:
        group = group[split_of[group] >= 0]
        for name, values in labels.items():
            if len(np.unique(values[group])) < 2:
                continue
            counts[name] += len(group)
            other = group[np.argmax(values[group] != values[group[0]])]
            if len(pairs[name]) < _MOST_PAIRS:
                pairs[name].append([images.ids[group[0]], images.ids[other]])
    return {**counts, "dropped": splits.dropped, "untied": splits.untied, "pairs": pairs}


def _classes(about: Mapping[str, Any]) -> str:
    names, per_class = about["classes"], about["images_per_class"]
    some = names if len(names) <= _NAMED else [names[0], "...", names[-1]]
    (least, few), (most, many) = per_class["least"], per_class["most"]
    each = (
        f"{few:,} images each"
        if few == many
        else f"{few:,} ({plain_name(least)}) to {many:,} ({plain_name(most)}) images each"
    )
    return f"{len(names):,}: {', '.join(map(plain_name, some))}; {each}"


def _splits(about: Mapping[str, Any]) -> str:
    given = about["given_splits"]
    sizes = [
        f"{name} {count:,} ({'given' if name in given else 'drawn'})"
        for name, count in about["images"].items()
    ]
    if len(given) in (0, len(sizes)):
        how = "given" if given else "drawn"
        sizes = [f"{how}: {name} {count:,}" for name, count in about["images"].items()]
        sizes[1:] = [size.removeprefix(f"{how}: ") for size in sizes[1:]]
    groups = about["groups"]
    return ", ".join(sizes) + (
        f"; {groups:,} groups, none in two splits" if groups else "; no groups"
    )


def _pixels(pixels: Mapping[str, Any]) -> str:
    height, width, channels = pixels["shape"]
    low, high = pixels["range"]
    colour = {1: "grey", 3: "RGB", 4: "RGB with opacity"}.get(channels, f"{channels} channels")
    stored = f"; from {pixels['stored']}" if pixels["stored"] else ""
    return f"{height} x {width}, {colour}, {pixels['type']} from {low:.6g} to {high:.6g}{stored}"


def _about_copies(copies: Mapping[str, Any]) -> str:
    parts = []
    for name, words in (
        ("in_two_splits", "in two splits"),
        ("under_two_labels", "under two labels"),
    ):
        if copies[name]:
            one, other = copies["pairs"][name][0]
            parts.append(f"{copies[name]:,} {words} ({quote(one, 40)} = {quote(other, 40)})")
    dropped = f"; {copies['dropped']:,} dropped" if copies["dropped"] else ""
    if copies.get("untied"):
        dropped = f"; validation drawn from another seed may part {copies['untied']:,} more"
    if not parts:
        return f"no image in two splits or under two labels{dropped}"
    return f"equal images: {', '.join(parts)}{dropped}; data.duplicates: drop or refuse"


def _left_out(about: Mapping[str, Any], kept_in: str) -> str:
    parts = []
    for name, words in (("left_out", "image(s) that cannot be used"), ("ignored", "other file(s)")):
        if about[name]:
            first, reason = about[name][0]
            parts.append(f"{len(about[name]):,} {words}, first {quote(first, 50)} ({reason[:90]})")
    return "; ".join(parts) + f"; all in {kept_in}"


def plain_name(name: str) -> str:
    """A name as it is, where a terminal can show it."""
    return name if name.isprintable() and len(name) <= 40 else quote(name, 40)
