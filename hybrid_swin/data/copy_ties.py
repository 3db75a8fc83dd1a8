"""Equal images of one class are drawn together, as a group is: else some seed would part them.

Those that cannot be, where too few others are left, are counted, or refused on request.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.sources import LabelledImages
from hybrid_swin.errors import InputError, quote

_Indices = NDArray[np.int64]


def tie_copies(
    images: LabelledImages, groups: _Indices | None, tied: NDArray[np.bool_]
) -> _Indices:
    """The number of each image's unit: its group and its copies, with all that these are tied to.

    Without copies these are the groups' own numbers, or each image's place.

    Args:
        images: with labels, and copies found.
        groups: a number per image.
        tied: by label, whether copies of this class are drawn together.
    """
    units = np.arange(len(images.ids)) if groups is None else groups
    pairs = [
        (units[copies[0]], units[other])
        for copies in _of_one_class(images, tied)
        for other in copies[1:]
    ]
    if not pairs:
        return units
    from scipy.sparse import coo_array, csgraph  # half a second, which few sets need

    count = units.max() + 1
    ties = coo_array((np.ones(len(pairs)), np.transpose(pairs)), shape=(count, count))
    _, merged = csgraph.connected_components(ties, directed=False)
    return np.asarray(merged[units], np.int64)


def follow_copies(split_of: _Indices, units: _Indices, free: int) -> _Indices:
    """Splits in which free images have the split of their unit, unless it has several."""
    fixed = split_of != free
    lowest = np.full(units.max() + 1, np.iinfo(np.int64).max)
    highest = np.full(units.max() + 1, np.iinfo(np.int64).min)
    np.minimum.at(lowest, units[fixed], split_of[fixed])
    np.maximum.at(highest, units[fixed], split_of[fixed])
    follows = ~fixed & (lowest == highest)[units]
    return np.where(follows, highest[units], split_of)


def units_per_class(labels: _Indices, units: _Indices, classes: int) -> _Indices:
    """How many units hold images of each class."""
    pairs = np.unique(labels * (units.max(initial=0) + 1) + units)
    return np.bincount(pairs // (units.max(initial=0) + 1), minlength=classes)


def untied_copies(
    images: LabelledImages, units: _Indices, split_of: _Indices, drawn: NDArray[np.bool_]
) -> int:
    """How many images have a copy of their class beside them that another draw may part."""
    every = np.ones(len(images.class_names), np.bool_)
    return sum(
        len(copies)
        for copies in _of_one_class(images, every)
        if drawn[copies].any()
        and len(np.unique(units[copies])) > 1
        and len(np.unique(split_of[copies])) == 1
    )


def refuse_copies(images: LabelledImages, split_of: _Indices, untied: int) -> None:
    """Raise InputError for copies in two splits or under two labels, or that a draw may part."""
    place = split_of * len(images.class_names) + images.labels  # one number for both
    torn = [group for group in images.copies if len(np.unique(place[group])) > 1]
    if torn:
        one, other = torn[0][0], torn[0][np.argmax(place[torn[0]] != place[torn[0][0]])]
        raise InputError(
            f"{sum(map(len, torn)):,} images have copies in another split or under another label, "
            f"such as {quote(images.ids[one])} and {quote(images.ids[other])}; take copies out, or "
            "set data.duplicates to drop or warn"
        )
    if untied:
        raise InputError(
            f"{untied:,} images have copies in other groups, from which validation drawn from "
            "another seed may part them; give these one group, take copies out, or set "
            "data.duplicates to drop or warn"
        )


def _of_one_class(images: LabelledImages, tied: NDArray[np.bool_]) -> Iterator[_Indices]:
    """Copies under one label, two or more together."""
    for copies in images.copies if tied.any() else ():
        labels = images.labels[copies]
        for label in np.unique(labels):
            if tied[label] and (labels == label).sum() > 1:
                yield copies[labels == label]
