"""Effects of a comparison's factors: is it the block, the recipe, or the stem?

The questions are those of `factor_questions`. Each answer is an average of paired scores, so its
interval covers seeds and images as that of a difference does. All of them are one family, apart
from that of the arms' differences, with 5% of its own. Nothing is asked across cells of different
images. A question of which a training has not completed, or of which all networks guess, has no
answer, and belongs to the family all the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np

from search.comparison.design.factors import have_same_images
from search.comparison.results.differences import ArmScores, Versus, adjust, difference_of
from search.comparison.results.factor_questions import (
    Change,
    FactorQuestion,
    Question,
    factor_questions,
)
from search.comparison.results.trained_arm import TrainedArm
from search.leaderboard.rows.evidence import RowEvidence
from search.records.predictions import Correctness
from search.statistics.intervals import Bounds

Place = tuple[str, str]  # a cell and an arm


@dataclass(frozen=True)
class FactorEffect:
    """The answer to one question.

    Args:
        question: which, as in `factor_questions`.
        matching: how the costs of arms were made equal.
        changes: one of ``alone``, two of the others.
        versus: the difference, its interval and its verdict.
        improving: whether some trainings of either side were still improving when they ended: part
            of the effect may be the length of training.
        guessing: whether some networks of either side are not shown to be better than a guess.
        macs: by what share the first side costs more MACs than the second.
        short: whether some trainings had too few epochs to tell whether they were improving.
        over: over which arms or cells it is, in words; empty if over all of them.
        pairs: what is compared with what, one cell and arm with another; in no file.
    """

    question: Question
    matching: str
    changes: tuple[Change, ...]
    versus: Versus
    improving: bool
    guessing: bool
    macs: float
    short: bool = False
    over: str = ""
    pairs: tuple[tuple[Place, Place], ...] = ()

    @property
    def answered(self) -> bool:
        """Whether there is a difference."""
        return self.versus.difference is not None

    @property
    def name(self) -> str:
        """The question in a few words."""
        return f"{self._words} (over {self.over})" if self.over else self._words

    @property
    def _words(self) -> str:
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
    """Effects of all factors and arms, adjusted together, also those without an answer.

    There are none without factors, or over different images.

    Args:
        arms: all arms of all cells.
        sign: 1 where more is better, -1 where less is.
        bounds: of the metric.
        level: of the tests, all of them together.
    """
    factors = list(arms[0].entry.cell.levels) if arms else []
    if not factors or not have_same_images(arm.entry.cell for arm in arms):
        return ()
    effects: list[FactorEffect] = []
    for matching in dict.fromkeys(arm.entry.matching for arm in arms):
        mine = [arm for arm in arms if arm.entry.matching == matching]
        for question in factor_questions(mine, factors):
            effects.append(_effect(question, matching, sign, bounds))
    names = [(f"{index}", effect.versus) for index, effect in enumerate(effects)]
    adjusted, _ = adjust(names, level)
    return tuple(replace(e, versus=versus) for e, versus in zip(effects, adjusted, strict=True))


def _effect(
    question: FactorQuestion, matching: str, sign: int, bounds: Bounds | None
) -> FactorEffect:
    """The answer to a question, not yet adjusted for the others."""
    first, second = question.first, question.second
    trained = (*first, *second)
    guesses = [arm.chance is not None and not arm.chance.beaten for arm in trained]
    sides = _average(first), _average(second)
    versus = Versus("", "")
    # what networks that all guess differ by says nothing
    if sides[0] is not None and sides[1] is not None and not all(guesses):
        versus = difference_of(sides[0], sides[1], "", sign, bounds)
        if question.question == "interaction":
            versus = _doubled(versus)
    first_macs, second_macs = (
        fmean(arm.entry.cost.macs for arm in side) for side in (first, second)
    )
    return FactorEffect(
        question.question,
        matching,
        question.changes,
        versus,
        improving=any(arm.row and arm.row.undertrained for arm in trained),
        guessing=any(guesses),
        macs=first_macs / second_macs - 1,
        short=any(arm.row and arm.row.undertrained is None for arm in trained),
        over=question.over,
        pairs=tuple((_place(a), _place(b)) for a, b in zip(first, second, strict=True)),
    )


def _place(arm: TrainedArm) -> Place:
    return arm.entry.cell.name, arm.entry.arm


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
