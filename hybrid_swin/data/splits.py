"""Who trains, who validates, who is kept for the test.

Splits that a source gives are kept. What is missing is drawn from the images that are free, or from
the train images where none is free; free images that are not drawn train. A free image whose group
has a split follows its group.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.class_names import check_class_names, twin_of, twins
from hybrid_swin.data.copy_ties import (
    follow_copies,
    refuse_copies,
    tie_copies,
    units_per_class,
    untied_copies,
)
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.sources import LabelledImages
from hybrid_swin.data.spellings import folded
from hybrid_swin.data.split_drawing import draw_groups, draw_images
from hybrid_swin.errors import InputError, quote

_Indices = NDArray[np.int64]

_NAMES = ("train", "validation", "test")
_TRAIN, _VALIDATION, _TEST = range(3)
_FREE, _OUT = -1, -2


@dataclass(frozen=True, eq=False)
class Splits:
    """Three sets of image indices, each sorted, no index in two.

    Args:
        train: images to learn from.
        validation: images to choose by.
        test: images to report, read once.
        hash: ten hex digits over every image's id, label and split.
        test_hash: ten hex digits over the ids and labels of test alone.
        dropped: images that are in none, as copies of others.
        untied: images in one split with a copy of theirs, which validation drawn from another seed
            may part.
    """

    train: _Indices
    validation: _Indices
    test: _Indices
    hash: str
    test_hash: str
    dropped: int = 0
    untied: int = 0


def make_splits(images: LabelledImages, settings: DataSettings) -> Splits:
    """Keep the given splits and draw the missing ones, from ``settings.split_seed``.

    Train and each drawn split hold each class, and no group crosses splits. Equal images of a class
    are drawn into one split, unless too few others are left for each split to hold the class.
    Copies in two splits are treated as ``settings.duplicates`` says. With a
    ``settings.validation_seed``, a drawn validation split is drawn again; test does not change.

    Raises:
        InputError: there are fewer than two classes, a class has too few images or groups to be in
            each split, a group lies in two given splits or is spelt in two ways, or there are
            copies that are refused.
    """
    _check_classes(images)
    groups = None if images.groups is None else _number(images.groups)
    split_of = _given(images, groups)
    untied = 0
    if not {_VALIDATION, _TEST} <= {*split_of.tolist()}:
        given, (split_of, units) = split_of, _draw_missing(images, groups, split_of, settings)
        if _VALIDATION not in given and settings.duplicates != "drop":
            moved = (given == _FREE) | ((given == _TRAIN) & ~(given == _FREE).any())
            moved &= split_of != _TEST
            untied = untied_copies(images, units, split_of, moved)
    split_of[split_of == _FREE] = _TRAIN
    if settings.duplicates == "refuse":
        refuse_copies(images, split_of, untied)
    if settings.duplicates == "drop":
        _drop_copies(images, split_of)
    dropped = int((split_of == _OUT).sum())
    _check_train(images, split_of)
    if settings.train_images:
        _leave_out(images, split_of, settings)
    train, validation, test = (np.flatnonzero(split_of == split) for split in range(3))
    in_test = np.where(split_of == _TEST, split_of, _FREE)
    hashes = _hash(images, split_of), _hash(images, in_test)
    return Splits(train, validation, test, *hashes, dropped, untied)


def _number(groups: Sequence[str]) -> _Indices:
    """A number a group; an image without a group is a group of its own.

    Raises:
        InputError: two groups differ in nothing but spelling, as one that was entered twice.
    """
    for other, group in twins(dict.fromkeys(groups), folded):
        raise InputError(
            f"groups {quote(other, 40)} and {quote(group, 40)} differ in nothing but spelling: "
            "one group under two names could be learnt and tested on; write each group one "
            "way, or two that differ with names that do"
        )
    numbers: dict[tuple[str, int], int] = {}
    keys = ((group, -1 if group else index) for index, group in enumerate(groups))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _given(images: LabelledImages, groups: _Indices | None) -> _Indices:
    """The split of each image as the source and its group give it."""
    if images.splits is None:
        return np.full(len(images.ids), _FREE)
    given = np.array([_NAMES.index(name) if name else _FREE for name in images.splits])
    if groups is None:
        return given
    fixed = given != _FREE
    split_of_group = np.full(groups.max() + 1, _FREE)
    split_of_group[groups[fixed]] = given[fixed]
    follows = split_of_group[groups]
    torn = np.flatnonzero(fixed & (follows != given))
    if len(torn):
        first = torn[0]
        name = "" if images.groups is None else images.groups[first]
        raise InputError(
            f"group {name!r} lies in both {_NAMES[given[first]]} and {_NAMES[follows[first]]}, "
            f"and {len(set(groups[torn])) - 1} more group(s) are torn: what belongs together would "
            "be learnt and tested on; correct the splits, or leave them out to have them drawn"
        )
    return follows


def _draw_missing(
    images: LabelledImages, groups: _Indices | None, split_of: _Indices, settings: DataSettings
) -> tuple[_Indices, _Indices]:
    """The splits with validation and test drawn where they are not given, and the units drawn."""
    shares = {_VALIDATION: settings.validation_share, _TEST: settings.test_share}
    missing = [split for split in shares if not (split_of == split).any()]
    tied = np.ones(len(images.class_names), np.bool_)
    while True:  # until each class has a unit for each split, or none of its copies are tied
        units = tie_copies(images, groups, tied)
        follows = follow_copies(split_of, units, _FREE)
        pool = _pool(follows)
        held = units_per_class(images.labels[pool], units[pool], len(tied))
        short = held <= len(missing)
        if not (short & tied).any():
            break
        tied &= ~short
    try:
        return _draw_over(images, groups, units, follows, missing, settings), units
    except InputError:
        if groups is None or not tied.any():
            raise
        return _draw_over(images, groups, groups, split_of, missing, settings), groups


def _draw_over(
    images: LabelledImages,
    groups: _Indices | None,
    units: _Indices,
    split_of: _Indices,
    missing: Sequence[int],
    settings: DataSettings,
) -> _Indices:
    """The splits with the missing ones drawn, each unit in one of them."""
    split_of, pool = split_of.copy(), _pool(split_of)
    shares = {_VALIDATION: settings.validation_share, _TEST: settings.test_share}
    drawn = [shares[split] for split in missing]
    rows = _draw(images, groups, units, pool, [1 - sum(drawn), *drawn], settings.split_seed)
    split_of[pool] = np.array([_TRAIN, *missing])[rows]
    if settings.validation_seed is not None and _VALIDATION in missing:
        rest = pool[split_of[pool] != _TEST]
        share = settings.validation_share / (1 - sum(drawn) + settings.validation_share)
        again = (settings.split_seed, settings.validation_seed)
        rows = _draw(images, groups, units, rest, [1 - share, share], again)
        split_of[rest] = np.array([_TRAIN, _VALIDATION])[rows]
    return split_of


def _pool(split_of: _Indices) -> _Indices:
    """The images to draw from: those that are free, or train where none is."""
    return np.flatnonzero(split_of == (_FREE if (split_of == _FREE).any() else _TRAIN))


def _draw(
    images: LabelledImages,
    groups: _Indices | None,
    units: _Indices,
    pool: _Indices,
    shares: Sequence[float],
    seed: int | tuple[int, int],
) -> _Indices:
    """The part of each image of the pool, one part a share."""
    labels, members = images.labels[pool], units[pool]
    random = np.random.RandomState(seed)  # its stream is frozen for all time (NEP 19)
    counts = units_per_class(labels, members, len(images.class_names))
    _check_enough(images, counts, len(shares), "image(s)" if groups is None else "group(s)")
    if groups is not None:
        return draw_groups(labels, members, shares, random)
    _, first, number = np.unique(members, return_index=True, return_inverse=True)
    return draw_images(labels[first], shares, random)[number]


def _check_classes(images: LabelledImages) -> None:
    check_class_names(images.class_names)
    counts = np.bincount(images.labels, minlength=len(images.class_names))
    if not counts.all():
        name = images.class_names[int(np.argmin(counts))]
        raise InputError(f"class {name!r} has no image; add images or leave the class out")


def _check_enough(images: LabelledImages, counts: _Indices, parts: int, unit: str) -> None:
    if counts.min() < parts:
        name = images.class_names[int(np.argmin(counts))]
        given = sorted(set(images.splits or ()) - {""})
        also = f" to those that are not in the given split(s) {', '.join(given)}" if given else ""
        raise InputError(
            f"class {name!r} has {counts.min()} {unit} to draw from, but train and each drawn "
            f"split need one, {parts} in all; add images{also}, leave the class out, or give "
            f"{'all' if given else 'the'} splits"
        )


def _check_train(images: LabelledImages, split_of: _Indices) -> None:
    held = np.bincount(images.labels[split_of == _TRAIN], minlength=len(images.class_names))
    if not held.all():
        name = images.class_names[int(np.argmin(held))]
        raise InputError(
            f"no image of class {name!r} is left to train on{twin_of(name, images.class_names)}; "
            "add images, leave the class out, or change the given splits"
        )


def _drop_copies(images: LabelledImages, split_of: _Indices) -> None:
    """Of copies in several splits keep those in the last one; of those under two labels none."""
    for group in images.copies:
        if len(np.unique(images.labels[group])) > 1:
            split_of[group] = _OUT
        else:
            split_of[group[split_of[group] < split_of[group].max()]] = _OUT
    for split in (_VALIDATION, _TEST):
        if not (split_of == split).any():
            raise InputError(
                f"data.duplicates drop leaves no {_NAMES[split]} image: all have copies in another "
                "split or under another label; correct the data, or set it to warn"
            )


def _leave_out(images: LabelledImages, split_of: _Indices, settings: DataSettings) -> None:
    """Keep ``settings.train_images`` images in train.

    Images are ordered by their rank within their class, in units of the class's size, so that each
    first part of the order has each class by its share, and one of each class to begin with.
    """
    train = np.flatnonzero(split_of == _TRAIN)
    labels, wanted = images.labels[train], settings.train_images
    classes = len(np.unique(labels))
    if not classes <= wanted <= len(train):
        raise InputError(
            f"data.train_images {wanted} must be from {classes} (one per class) to {len(train)} "
            "(the whole train split)"
        )
    order = np.random.RandomState(settings.split_seed).permutation(len(train))
    place = np.empty(len(train))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        place[members] = np.arange(len(members)) / len(members)
    in_order = order[np.argsort(place[order], kind="stable")]
    split_of[train[in_order[wanted:]]] = _OUT


def _hash(images: LabelledImages, split_of: _Indices) -> str:
    """Ten hex digits over the images that are in a split."""
    sha = hashlib.sha256()
    for name, label, split in zip(images.ids, images.labels, split_of, strict=True):
        if split >= 0:
            sha.update(f"{name}\0{label}\0{_NAMES[split]}\n".encode("utf-8", "surrogateescape"))
    return sha.hexdigest()[:10]
