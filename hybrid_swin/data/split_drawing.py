"""Drawing parts from labelled images: every class by its share, groups whole.

scikit-learn's splitters do not promise each class in each part, and those that keep groups whole
either stratify, by shares of 1/k only, or take other shares and ignore classes. Both matter where a
class has five images or a study twelve patients.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.errors import InputError

_Indices = NDArray[np.int64]
_ATTEMPTS = 20


def draw_images(
    labels: _Indices, shares: Sequence[float], random: np.random.RandomState
) -> _Indices:
    """The part of each image, 0 to len(shares) - 1.

    Each part gets its share of each class within one image, of all images exactly, and of each
    class one image at least; there must be that many. Shares sum to 1.
    """
    part_of = np.empty(len(labels), np.int64)
    shuffled = random.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    owed = np.zeros(len(shares))  # what rounding has left over from the classes before
    for start, stop in pairwise([0, *np.cumsum(np.bincount(labels))]):
        members = by_class[start:stop]
        if not len(members):
            continue
        owed += np.array(shares) * len(members)
        sizes = np.maximum(1, np.floor(owed).astype(np.int64))
        while (rest := len(members) - sizes.sum()) != 0:
            # Where one more or one less comes nearest to what is owed, and no part is emptied.
            step = int(np.sign(rest))
            error = np.where(sizes + step < 1, -np.inf, step * (owed - sizes))
            sizes[np.argmax(error)] += step
        part_of[members] = np.repeat(np.arange(len(shares)), sizes)
        owed -= sizes
    return part_of


def draw_groups(
    labels: _Indices, groups: _Indices, shares: Sequence[float], random: np.random.RandomState
) -> _Indices:
    """The part of each image, 0 to len(shares) - 1; images of one group in one part.

    Raises:
        InputError: no draw was found in which each part has each class.
    """
    _, codes = np.unique(groups, return_inverse=True)
    for _ in range(_ATTEMPTS):
        draw = _GroupDraw(labels, codes, shares, random)
        if draw.cover_all():
            return draw.part_of_group[codes]
    raise InputError(
        f"in {_ATTEMPTS} draws no split of the {codes.max() + 1} groups had each class in each "
        "part; give the splits yourself, add groups, or leave the rarest class out"
    )


class _GroupDraw:
    """One random assignment of groups to parts.

    Groups are placed one by one, the largest first, where they lower most

        Σ_{part, class} (held - target)² / target

    and then, where a part lacks a class, the group that raises this least is moved there.
    """

    def __init__(
        self,
        labels: _Indices,
        codes: _Indices,
        shares: Sequence[float],
        random: np.random.RandomState,
    ) -> None:
        sizes = np.bincount(codes)
        by_group = labels[np.argsort(codes, kind="stable")]
        members = np.split(by_group, np.cumsum(sizes)[:-1])
        self.content = [np.unique(part, return_counts=True) for part in members]
        self.target = np.outer(shares, np.bincount(labels))  # images, by part and class
        self.held = np.zeros_like(self.target)
        self.groups_held = np.zeros(self.target.shape, np.int64)
        self.part_of_group = np.full(len(sizes), -1)
        order = random.permutation(len(sizes))
        for group in order[np.argsort(-sizes[order], kind="stable")]:
            self._place(group, int(np.argmin(self._costs(group))))

    def cover_all(self) -> bool:
        """Move groups until each part has each class; False where no single move helps."""
        present = self.target.any(axis=0)
        while (lacking := np.argwhere((self.groups_held == 0) & present)).size:
            part, label = lacking[0]  # one fewer in each round: no move makes a new one
            movable = [
                group
                for group, (classes, _) in enumerate(self.content)
                if label in classes
                and (self.groups_held[self.part_of_group[group], classes] > 1).all()
            ]
            if not movable:
                return False
            self._place(min(movable, key=lambda group: self._costs(group)[part]), int(part))
        return True

    def _place(self, group: int, part: int) -> None:
        """Put a group into a part, out of the one that has it."""
        classes, counts = self.content[group]
        if (before := self.part_of_group[group]) >= 0:
            self.held[before, classes] -= counts
            self.groups_held[before, classes] -= 1
        self.held[part, classes] += counts
        self.groups_held[part, classes] += 1
        self.part_of_group[group] = part

    def _costs(self, group: int) -> NDArray[np.float64]:
        """How much the deviation would change with the group in each part instead."""
        classes, counts = self.content[group]
        over, target = (self.held - self.target)[:, classes], self.target[:, classes]
        costs: NDArray[np.float64] = (counts * (counts + 2 * over) / target).sum(axis=1)
        if (before := self.part_of_group[group]) >= 0:
            costs += (counts * (counts - 2 * over[before]) / target[before]).sum()
        return costs
