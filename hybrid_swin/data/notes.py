"""What a user should look at again before training on images: a sentence each."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.sources import LabelledImages
from hybrid_swin.data.spellings import folded, is_doubtful_label
from hybrid_swin.data.splits import Splits
from hybrid_swin.errors import few, quote

_SPLITS = ("train", "validation", "test")
_FEW = 5  # train images of a class
_FAR = 10.0  # times the values of another split: they are in other units


def data_notes(
    images: LabelledImages,
    splits: Splits,
    ranges: Mapping[str, tuple[float, float]],
    class_ranges: Mapping[str, tuple[float, float]],
) -> list[str]:
    """What is odd about classes, splits and pixels.

    Args:
        images: all of them.
        splits: train, validation and test.
        ranges: smallest and largest value in each of these that holds an image.
        class_ranges: the same in each class.
    """
    counts = np.stack(
        [
            np.bincount(images.labels[getattr(splits, name)], minlength=len(images.class_names))
            for name in _SPLITS
        ]
    )
    return [
        *range_notes(ranges),
        *_range_notes_of_classes(class_ranges),
        *class_notes(images.class_names),
        *doubtful_classes(images.class_names),
        *_missing_classes(images.class_names, counts),
        *_small_classes(images.class_names, counts),
        *_merged_folders(images),
    ]


def range_notes(ranges: Mapping[str, tuple[float, float]]) -> list[str]:
    """Splits whose values seem to be in other units, as 0 to 1 beside 0 to 255."""
    return _far_apart("splits", ranges, ": scale all alike")


def _range_notes_of_classes(ranges: Mapping[str, tuple[float, float]]) -> list[str]:
    """Files of other depths by class: brightness alone would tell the classes apart."""
    advice = ", which alone would tell them apart: scale all alike unless it is what you mean"
    return _far_apart("classes", {quote(name, 40): r for name, r in ranges.items()}, advice)


def _far_apart(what: str, ranges: Mapping[str, tuple[float, float]], advice: str) -> list[str]:
    """A note on the two ranges that differ most, if they seem to be in other units."""
    sizes = {name: max(abs(low), abs(high)) for name, (low, high) in ranges.items()}
    least, most = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    if sizes[most] < _FAR * sizes[least] or not sizes[most]:
        return []
    spans = ", ".join(
        f"{name} from {ranges[name][0]:.6g} to {ranges[name][1]:.6g}" for name in (least, most)
    )
    return [f"the pixels of the {what} are in different ranges ({spans}){advice}"]


def class_notes(names: Iterable[str]) -> list[str]:
    """Classes whose names are nearly one: in case, spaces, leading zeros, or how letters are made.

    Signs count ('C' and 'C++' are two), but for '_' and '-' between words.
    """
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(folded(name).replace(" ", ""), []).append(name)
    return [
        f"classes {', '.join(map(quote, same[:-1][:4]))} and {quote(same[-1])} differ in nothing "
        "but spelling"
        for same in alike.values()
        if len(same) > 1
    ]


def doubtful_classes(names: Iterable[str]) -> list[str]:
    """Classes named as some sets name images whose class is not known."""
    return [
        f"{quote(name, 40)} is learned as a class: take its images out if it means no label"
        for name in names
        if is_doubtful_label(name)
    ]


def _missing_classes(names: Sequence[str], counts: NDArray[Any]) -> list[str]:
    notes = []
    for split, row in zip(_SPLITS, counts, strict=True):
        missing = np.flatnonzero(row == 0).tolist()
        if row.any() and missing:
            some = few(quote(names[index], 40) for index in missing)
            what = "it cannot be learned" if split == "train" else "nothing is measured on it there"
            notes.append(f"the {split} split has no image of class {some}: {what}")
    return notes


def _small_classes(names: Sequence[str], counts: NDArray[Any]) -> list[str]:
    """Classes of which a single image decides, or hardly any is learned from."""
    small = (counts.min(axis=0) == 1) | ((counts.min(axis=0) > 1) & (counts[0] < _FEW))
    classes = np.flatnonzero(small).tolist()
    if not classes:
        return []
    first = min(classes, key=lambda index: int(counts[:, index].sum()))
    each = ", ".join(
        f"{count} {split}" for split, count in zip(_SPLITS, counts[:, first], strict=True)
    )
    others = f", and {len(classes) - 1} more class(es) nearly as few" if len(classes) > 1 else ""
    return [
        f"class {quote(names[first], 40)} has few images ({each}){others}: results vary by chance"
    ]


def _merged_folders(images: LabelledImages) -> list[str]:
    """Folders inside class folders, which may be patients: their images are one class alike."""
    if images.groups is not None:
        return []
    inside: Counter[str] = Counter()
    for name, label in zip(images.ids, images.labels, strict=True):
        parts = name.split("/")
        folder = images.class_names[label]
        for first, second in pairwise([*parts[:3], ""]):
            if first == folder and second and second != parts[-1]:
                inside[f"{folder}/{second}"] += 1
                break
    if len(inside) < 2:
        return []
    one, other = list(inside)[:2]
    return [
        f"{len(inside)} folders inside class folders are merged, such as {quote(one, 40)} and "
        f"{quote(other, 40)}; if each is a patient or the like, which must not lie in two splits, "
        "give a csv with the columns path, label and group"
    ]
