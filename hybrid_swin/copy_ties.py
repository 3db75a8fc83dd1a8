"""Equal images of one class are drawn together, as a group is: else some seed would part them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data import LabelledImages

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
    first: dict[int, int] = {}  # of a unit that is tied to a smaller one

    def root(unit: int) -> int:
        while unit in first:
            unit = first[unit]
        return unit

    for members in _of_one_class(images, tied):
        roots = sorted({root(int(unit)) for unit in units[members]})
        first.update(dict.fromkeys(roots[1:], roots[0]))
    if not first:
        return units
    merged = np.arange(units.max() + 1)
    for unit in first:
        merged[unit] = root(unit)
    return merged[units]


def follow_copies(split_of: _Indices, units: _Indices, free: int) -> _Indices:
    """Splits in which free images have the split of their unit, unless it has several.

    Args:
        split_of: the split of each image, or ``free``.
        units: as ``tie_copies`` gives them.
        free: marks an image without a split.
    """
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


def _of_one_class(images: LabelledImages, tied: NDArray[np.bool_]) -> Iterator[_Indices]:
    """Copies under one label, two or more together."""
    for copies in images.copies if tied.any() else ():
        labels = images.labels[copies]
        for label in np.unique(labels):
            if tied[label] and (labels == label).sum() > 1:
                yield copies[labels == label]
