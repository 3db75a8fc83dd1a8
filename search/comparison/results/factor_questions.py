"""What is asked of a comparison's factors, and which trainings answer it.

A comparison with factors is a factorial design: every arm is trained at every combination of levels
with the same seeds. The arm is one more factor, with the baseline as its first level. With Y the
score of a cell, averaged over seeds and over all factors that are not named, three questions are
asked of factors f (from level a to b) and g (from level c to d):

    alone        Y(b) - Y(a)                                 what does the change bring?
    interaction  [Y(b, d) - Y(a, d)] - [Y(b, c) - Y(a, c)]   does it depend on the other change?
    instead      Y(b, c) - Y(a, d)                           which of two changes brings more?

A change may leave a network as it is: how branches are fused is nothing to the baseline, which adds
none. What is the same at both levels differs by 0 whatever the change brings, so it is left out:
the averages are over the places (levels of the factors that are not named) where each change makes
another network, recipe or start. A counterpart (`match.by: control`) that only follows the cost of
its arm is not another network either. An interaction is asked where each change does so at both
levels of the other, `instead` where each does so at the first.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Literal

from hybrid_swin.errors import few
from search.comparison.design.factors import ARM, short_names, spell_level
from search.comparison.design.matched_arms import PlannedArm, is_counterpart
from search.comparison.results.trained_arm import TrainedArm

Question = Literal["alone", "interaction", "instead"]
_RATIO = re.compile(r"(?<=pointwise)\([^)]*\)")  # of hidden units: the cost
_Levels = tuple[str, ...]  # of each factor, the arm last
_Fixed = Mapping[int, str]  # number of a factor: its level


@dataclass(frozen=True)
class Change:
    """A factor set from its first level to another, in words."""

    factor: str
    before: str
    after: str

    @property
    def text(self) -> str:
        """``recipe=small_images``; of an arm its label."""
        return self.after if self.factor == ARM else f"{self.factor}={self.after}"

    @property
    def undone(self) -> str:
        """The same of the first level."""
        return self.before if self.factor == ARM else f"{self.factor}={self.before}"


@dataclass(frozen=True)
class FactorQuestion:
    """One question: the mean of ``first`` minus that of ``second``.

    Args:
        question: which, as in the module's text.
        changes: one of ``alone``, two of the others.
        first, second: the trainings of both sides, place by place.
        over: which places, in words; empty if all.
    """

    question: Question
    changes: tuple[Change, ...]
    first: tuple[TrainedArm, ...]
    second: tuple[TrainedArm, ...]
    over: str


def factor_questions(arms: Sequence[TrainedArm], factors: Sequence[str]) -> list[FactorQuestion]:
    """All questions of which a training is affected; arms that are not in every cell left out.

    Args:
        arms: all arms of all cells under one matching.
        factors: by path.
    """
    return list(_Design(arms, factors).questions())


class _Design:
    """The cells by level, and what each factor may be set to."""

    def __init__(self, arms: Sequence[TrainedArm], factors: Sequence[str]) -> None:
        self.cells: dict[_Levels, TrainedArm] = {}
        for arm in arms:
            spelt = (spell_level(arm.entry.cell.levels[factor]) for factor in factors)
            self.cells[*spelt, arm.entry.arm] = arm
        count = range(len(factors))
        levels = [list(dict.fromkeys(key[factor] for key in self.cells)) for factor in count]
        baseline = next(arm.entry.arm for arm in arms if arm.entry.against is None)
        labels = dict.fromkeys([baseline, *(arm.entry.arm for arm in arms)])
        everywhere = [
            label
            for label in labels
            if all((*place, label) in self.cells for place in product(*levels))
        ]
        self.levels = [*levels, everywhere]
        self.names = [*short_names(factors).values(), ARM]

    def questions(self) -> Iterator[FactorQuestion]:
        changes = [
            (factor, Change(self.names[factor], first, other))
            for factor, (first, *others) in enumerate(self.levels)
            for other in others
        ]
        for factor, change in changes:
            yield from self._alone(factor, change)
        for (f, one), (g, other) in combinations(changes, 2):
            if f != g:
                yield from self._together(f, one, g, other)

    def _alone(self, f: int, change: Change) -> Iterator[FactorQuestion]:
        places = list(self._places({f}))
        here = [p for p in places if self._differ({**p, f: change.after}, {**p, f: change.before})]
        if here:
            after, before = (
                tuple(self._at({**place, f: level}) for place in here)
                for level in (change.after, change.before)
            )
            yield FactorQuestion("alone", (change,), after, before, self._over(here, places))

    def _together(self, f: int, one: Change, g: int, other: Change) -> Iterator[FactorQuestion]:
        both, only_one, only_other, neither = (
            {f: level_f, g: level_g}
            for level_f in (one.after, one.before)
            for level_g in (other.after, other.before)
        )
        places = list(self._places({f, g}))

        def side(here: Sequence[_Fixed], *levels: _Fixed) -> tuple[TrainedArm, ...]:
            return tuple(self._at({**place, **fixed}) for fixed in levels for place in here)

        def where(*pairs: tuple[_Fixed, _Fixed]) -> list[_Fixed]:
            return [
                p for p in places if all(self._differ({**p, **a}, {**p, **b}) for a, b in pairs)
            ]

        apart = where((only_one, neither), (only_other, neither))
        crossed = where(
            (only_one, neither), (only_other, neither), (both, only_one), (both, only_other)
        )
        if crossed:
            sides = side(crossed, both, neither), side(crossed, only_one, only_other)
            over = self._over(crossed, places)
            yield FactorQuestion("interaction", (one, other), *sides, over)
        if apart:
            sides = side(apart, only_one), side(apart, only_other)
            yield FactorQuestion("instead", (one, other), *sides, self._over(apart, places))

    def _places(self, named: set[int]) -> Iterator[_Fixed]:
        """Every combination of levels of the factors that a question does not name."""
        free = [factor for factor in range(len(self.levels)) if factor not in named]
        for levels in product(*(self.levels[factor] for factor in free)):
            yield dict(zip(free, levels, strict=True))

    def _at(self, levels: _Fixed) -> TrainedArm:
        return self.cells[tuple(levels[factor] for factor in range(len(self.levels)))]

    def _differ(self, one: _Fixed, other: _Fixed) -> bool:
        """Whether two places are trained differently."""
        return _identity(self._at(one).entry) != _identity(self._at(other).entry)

    def _over(self, here: Sequence[_Fixed], places: Sequence[_Fixed]) -> str:
        """Which places a question is about: some arms, or some cells."""
        if len(here) == len(places):
            return ""
        arms = len(self.levels) - 1
        kept = list(dict.fromkeys(place[arms] for place in here if arms in place))
        if kept and len(here) * len(self.levels[arms]) == len(places) * len(kept):
            out = [label for label in self.levels[arms] if label not in kept]
            return few(kept) if len(kept) <= len(out) else f"all arms but {few(out)}"
        return f"{len(here)} of {len(places)} arms in all cells"


def _identity(entry: PlannedArm) -> object:
    """What is trained; of a counterpart whatever its branch costs."""
    if not is_counterpart(entry):
        return entry.candidates
    stages = tuple(_RATIO.sub("", " ".join(stage.blocks)) for stage in entry.variant.stages)
    plain = entry.variant.to_dict() | {"stages": None}
    shapes = [replace(stage, blocks=("pointwise",)) for stage in entry.variant.stages]
    return stages, plain, shapes, entry.recipes
