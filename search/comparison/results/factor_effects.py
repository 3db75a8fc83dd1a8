"""Effects of a comparison's factors: is it the block, the recipe, or the stem?

A comparison with factors is a factorial design: every arm is trained at every combination of levels
with the same seeds. The arm is one more factor, with the baseline as its first level. With Y the
score of a cell, averaged over seeds and over all factors that are not named, three questions are
asked of factors f (from level a to b) and g (from level c to d):

    alone        Y(b) - Y(a)                                 what does the change bring?
    interaction  [Y(b, d) - Y(a, d)] - [Y(b, c) - Y(a, c)]   does it depend on the other change?
    instead      Y(b, c) - Y(a, d)                           which of two changes brings more?

Each is an average of paired scores, so its interval covers seeds and images as that of a difference
does. All of them are one family, apart from that of the arms' differences, with 5% of its own.
Nothing is asked across cells of different images.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from statistics import fmean
from typing import Any, Literal

import numpy as np

from search.comparison.design.factors import ARM, short_names, spell_level
from search.comparison.results.differences import ArmScores, Versus, adjust, difference_of
from search.comparison.results.trained_arm import TrainedArm
from search.leaderboard.rows.evidence import RowEvidence
from search.records.predictions import Correctness
from search.statistics.intervals import Bounds

Question = Literal["alone", "interaction", "instead"]
_Cells = Mapping[tuple[str, ...], TrainedArm]  # by level of each factor, the arm last


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
class FactorEffect:
    """The answer to one question.

    Args:
        question: which, as in the module's text.
        matching: how the costs of arms were made equal.
        changes: one of ``alone``, two of the others.
        versus: the difference, its interval and its verdict.
        improving: whether some trainings of either side were still improving when they ended: part
            of the effect may be the length of training.
        guessing: whether some networks of either side are not shown to be better than a guess.
        macs: by what share the first side costs more MACs than the second.
    """

    question: Question
    matching: str
    changes: tuple[Change, ...]
    versus: Versus
    improving: bool
    guessing: bool
    macs: float

    @property
    def name(self) -> str:
        """The question in a few words."""
        first = self.changes[0]
        if self.question == "alone":
            return f"{first.text} instead of {first.undone}"
        second = self.changes[1]
        if self.question == "interaction":
            return f"{first.text} brings with {second.text} more than with {second.undone}"
        return f"{first.text} with {second.undone}, against {second.text} with {first.undone}"


def factor_effects(
    arms: Sequence[TrainedArm], sign: int, bounds: Bounds | None, level: float
) -> tuple[FactorEffect, ...]:
    """Effects of all factors and arms, adjusted together; none without factors.

    Arms that are not in every cell under a matching are left out, as are questions of which a
    training has not completed, or all networks guess.

    Args:
        arms: all arms of all cells.
        sign: 1 where more is better, -1 where less is.
        bounds: of the metric.
        level: of the tests, all of them together.
    """
    factors = list(arms[0].entry.cell.levels) if arms else []
    images = {json.dumps(arm.entry.cell.data.to_dict(), sort_keys=True) for arm in arms}
    if not factors or len(images) > 1:
        return ()
    effects: list[FactorEffect] = []
    for matching in dict.fromkeys(arm.entry.matching for arm in arms):
        mine = [arm for arm in arms if arm.entry.matching == matching]
        for question, changes, first, second in _questions(mine, factors):
            sides = _average(first), _average(second)
            if sides[0] is None or sides[1] is None:
                continue
            versus = difference_of(sides[0], sides[1], "", sign, bounds)
            if question == "interaction":
                versus = _doubled(versus)
            trained = (*first, *second)
            guesses = [arm.chance is not None and not arm.chance.beaten for arm in trained]
            if all(guesses):
                continue  # what networks that guess differ by says nothing
            improving = any(arm.row and arm.row.undertrained for arm in trained)
            first_macs, second_macs = (
                fmean(arm.entry.cost.macs for arm in side) for side in (first, second)
            )
            over = first_macs / second_macs - 1
            effects.append(
                FactorEffect(question, matching, changes, versus, improving, any(guesses), over)
            )
    names = [(f"{index}", effect.versus) for index, effect in enumerate(effects)]
    adjusted, _ = adjust(names, level)
    return tuple(replace(e, versus=versus) for e, versus in zip(effects, adjusted, strict=True))


def _questions(
    arms: Sequence[TrainedArm], factors: Sequence[str]
) -> Iterator[tuple[Question, tuple[Change, ...], list[TrainedArm], list[TrainedArm]]]:
    """Each question with the arms of its two sides."""
    baseline = next(arm.entry.arm for arm in arms if arm.entry.against is None)
    cells = {
        (*(spell_level(arm.entry.cell.levels[f]) for f in factors), arm.entry.arm): arm
        for arm in arms
    }
    levels = [list(dict.fromkeys(key[place] for key in cells)) for place in range(len(factors))]
    everywhere = [
        label
        for label in dict.fromkeys(arm.entry.arm for arm in arms)
        if all((*place, label) in cells for place in product(*levels))
    ]
    levels.append([baseline, *(label for label in everywhere if label != baseline)])
    names = [*short_names(factors).values(), ARM]
    changes = [
        (place, Change(names[place], first, other))
        for place, (first, *others) in enumerate(levels)
        for other in others
    ]

    def side(*set_to: tuple[int, str]) -> list[TrainedArm]:
        wanted = dict(set_to)
        free = [[wanted[p]] if p in wanted else levels[p] for p in range(len(levels))]
        return [cells[key] for key in product(*free)]

    for place, change in changes:
        yield "alone", (change,), side((place, change.after)), side((place, change.before))
    for (at, one), (other_at, other) in combinations(changes, 2):
        if at == other_at:
            continue
        both = side((at, one.after), (other_at, other.after))
        neither = side((at, one.before), (other_at, other.before))
        only_one = side((at, one.after), (other_at, other.before))
        only_other = side((at, one.before), (other_at, other.after))
        yield "interaction", (one, other), both + neither, only_one + only_other
        yield "instead", (one, other), only_one, only_other


def _average(arms: Sequence[TrainedArm]) -> ArmScores | None:
    """The mean of several arms, seed by seed and image by image; None if a training is missing."""
    sides = [arm.side for arm in arms]
    if any(arm.row is None or arm.row.state != "complete" for arm in arms):
        return None
    return ArmScores("", _means([s.validation for s in sides]), _evidence(sides))


def _evidence(sides: Sequence[ArmScores]) -> RowEvidence:
    return RowEvidence(
        _means([side.evidence.scores for side in sides]),
        _mean_correctness([side.evidence.correct for side in sides]),
        validated=_mean_correctness([side.evidence.validated for side in sides]),
    )


def _means(scores: Sequence[Mapping[int, float]]) -> dict[int, float]:
    shared = set.intersection(*(set(one) for one in scores))
    return {seed: fmean(one[seed] for one in scores) for seed in sorted(shared)}


def _mean_correctness(sides: Sequence[Correctness | None]) -> Correctness | None:
    """How often an image was right; None unless all are of the same images and seeds."""
    known = [side for side in sides if side is not None]
    if len(known) < len(sides):
        return None
    first = known[0]
    if any((k.ids, k.groups, k.seed_indices) != (first.ids, first.groups, first.seed_indices)
           for k in known):  # fmt: skip
        return None
    return replace(first, matrix=np.mean([side.matrix for side in known], axis=0))


def _doubled(versus: Versus) -> Versus:
    """A difference of differences: the average over both of its pairs is half of it."""
    estimate = versus.estimate
    if estimate is None or versus.difference is None:
        return versus
    twice: dict[str, Any] = {
        name: 2 * value
        for name in ("low", "high", "seed_part", "item_part")
        if (value := getattr(estimate, name)) is not None
    }
    estimate = replace(
        estimate, mean=2 * estimate.mean, centre=2 * estimate.centre, reach=2 * estimate.reach,
        **twice,
    )  # fmt: skip
    return replace(versus, difference=estimate.mean, estimate=estimate, **twice)
