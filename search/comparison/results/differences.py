"""Differences of paired arms: interval, Holm over the whole comparison, P(A > B), verdict.

All differences of a comparison, to references and to controls, in all cells and under all matchings
are one family: the chance that anything in it is called different that is not stays below 5%. A
primary question, named beforehand, is a family of its own with 5% of its own. Two entries that come
to the same trainings ask one question; a question without an answer (not ended, diverged, a single
seed) belongs to the family all the same.

Intervals hold together: each has Bonferroni's confidence, 1 - level / m, so that with 95% all m of
them hold the truth. None contradicts its verdict. Where Holm's test, which rejects a little more,
shows a difference, the interval ends at 0; where the equivalence test does, at the margin.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from search.leaderboard.rows.comparison import agreeing, detectable
from search.leaderboard.rows.evidence import RowEvidence
from search.statistics.intervals import (
    Bounds,
    Difference,
    crossed_difference,
    equivalence_p,
    paired_difference,
)
from search.statistics.multiplicity import holm_with_missing, simultaneous_confidence
from search.statistics.probabilities import probability_of_beating

LEVEL = 0.05
Verdict = Literal["better", "worse", "equal", "tie", "unknown"]
Survival = Literal["survives", "reverses", "not shown", "one matching"]


@dataclass(frozen=True)
class Versus:
    """One arm minus another, over shared seeds. Scores are in the objective's unit.

    Args:
        against: label of the other arm.
        cause: what the other lacks, where it is a control; empty for the arm's reference.
        measured_on: ``test``, or ``validation`` where test was not read.
        seeds: shared ones.
        difference: mean; None without a shared seed.
        low, high: interval that holds together with those of its family; None with a single seed,
            and where all seeds have one difference that is not 0.
        confidence: of this interval alone.
        covers: ``seeds and images`` or ``seeds and groups of images`` (crossed), or ``seeds``.
        p_value: of "no difference", of this one alone.
        holm_p: adjusted over its family.
        equal_p: of "they differ by the margin or more", adjusted over the same questions of its
            family; None without a margin.
        margin: within which arms count as equal; None if that is not asked.
        primary: whether it is the primary question.
        family: how many differences are adjusted together with it.
        level: of the tests: of this look at the data.
        better: P(A better than B), ties counted one half.
        better_low, better_high: its 95% interval.
        detectable: least true difference that would be found four times in five, at the spread
            seen here and the first step of Holm's level.
        seed_part, item_part: standard errors that come from the seeds and from the images; the
            second is 0 where only seeds are covered.
        items: images covered, or groups of images where ``covers`` says so.
        sign: 1 where more is better, -1 where less is.
        estimate: what the interval is made from, until it is adjusted.
    """

    against: str
    cause: str
    measured_on: str = "test"
    seeds: int = 0
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    covers: str = ""
    p_value: float | None = None
    holm_p: float | None = None
    equal_p: float | None = None
    margin: float | None = None
    primary: bool = False
    family: int = 1
    level: float = LEVEL
    better: float | None = None
    better_low: float | None = None
    better_high: float | None = None
    detectable: float | None = None
    seed_part: float = 0.0
    item_part: float = 0.0
    items: int = 0
    sign: int = 1
    estimate: Difference | None = field(default=None, repr=False, compare=False)

    @property
    def verdict(self) -> Verdict:
        """``tie`` says that no difference is shown, not that there is none: ``equal`` does."""
        if self.holm_p is None or self.difference is None:
            return "unknown"
        if self.holm_p >= self.level:
            return "equal" if self.within_margin else "tie"
        return "better" if self.sign * self.difference > 0 else "worse"

    @property
    def within_margin(self) -> bool:
        """Whether the difference is shown to be smaller than the margin."""
        return self.equal_p is not None and self.equal_p < self.level

    @property
    def cannot_exclude(self) -> float | None:
        """The largest difference, in size, that the interval holds."""
        if self.low is None or self.high is None:
            return None
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True)
class ArmScores:
    """What a difference needs of an arm.

    Args:
        label: the arm's.
        validation: scores by seed index.
        evidence: test scores, and which images were right.
    """

    label: str
    validation: dict[int, float]
    evidence: RowEvidence


def difference_of(
    first: ArmScores,
    second: ArmScores,
    cause: str,
    sign: int,
    bounds: Bounds | None = None,
    images: tuple[int, int] = (0, 0),
) -> Versus:
    """The first minus the second, not yet adjusted for the others.

    Test scores are compared where both arms have them, else validation scores.

    Args:
        first: one arm.
        second: the other.
        cause: what the other lacks, where it is a control.
        sign: 1 where more is better, -1 where less is.
        bounds: of the metric.
        images: that a score is a share of, on validation and on test; 0: it is not such a share.
    """
    on_test = bool(first.evidence.scores and second.evidence.scores)
    a, b = (
        (first.evidence.scores, second.evidence.scores)
        if on_test
        else (first.validation, second.validation)
    )
    shared = sorted(set(a) & set(b))
    versus = Versus(second.label, cause, "test" if on_test else "validation", len(shared))
    if not shared:
        return versus
    a_S, b_S = [a[seed] for seed in shared], [b[seed] for seed in shared]
    difference = paired_difference(a_S, b_S, bounds=bounds, items=images[on_test] or None)
    covers = "seeds"
    one, other = (
        side.evidence.correct if on_test else side.evidence.validated for side in (first, second)
    )
    if one and other and (one.ids, one.groups) == (other.ids, other.groups):
        difference = crossed_difference(
            one.of_seeds(shared), other.of_seeds(shared), groups=one.groups
        )
        covers = f"seeds and {one.unit}"
    beats = probability_of_beating([sign * x for x in a_S], [sign * x for x in b_S])
    return replace(
        versus,
        difference=difference.mean,
        low=difference.low,
        high=difference.high,
        covers=covers if difference.low is not None else "",
        p_value=difference.p_value,
        better=beats.mean,
        better_low=beats.low,
        better_high=beats.high,
        seed_part=difference.seed_part,
        item_part=difference.item_part,
        items=difference.items,
        sign=sign,
        estimate=difference,
    )


def adjust(
    differences: Sequence[tuple[str, Versus]], level: float = LEVEL, margin: float | None = None
) -> tuple[list[Versus], int]:
    """Holm over all questions, each counted once; the primary ones are a family of their own.

    A question without a p-value counts as one whose p-value is 1. Else the bar would fall with what
    has not ended, or diverged.

    Args:
        differences: each with its question's identity, ``one - other``. If a side is empty (not
            known yet), the question counts on its own: no other is known to be the same.
        level: of the tests, all of a family together.
        margin: within which arms count as equal; None if that is not asked.

    Returns:
        The differences in the order given, adjusted, and how many questions there are.
    """
    questions = [
        (v.primary, question if all(question.split(" - ")) else f"{question} ({place})")
        for place, (question, v) in enumerate(differences)
    ]
    answers: dict[tuple[bool, str], Versus] = {}
    for question, (_, versus) in zip(questions, differences, strict=True):
        if question not in answers or answers[question].p_value is None:
            answers[question] = versus
    adjusted: dict[tuple[bool, str], tuple[float | None, float | None, int]] = {}
    for primary in (True, False):
        mine = {question: v for question, v in answers.items() if question[0] == primary}
        different = holm_with_missing([v.p_value for v in mine.values()])
        estimates = [v.estimate for v in mine.values()]
        equal = holm_with_missing(
            [None if margin is None or e is None else equivalence_p(e, margin) for e in estimates]
        )
        for question, one, other in zip(mine, different, equal, strict=True):
            adjusted[question] = one, other, len(mine)
    return [
        _adjusted(v, *adjusted[question], level, margin)
        for question, (_, v) in zip(questions, differences, strict=True)
    ], len(answers)


def _adjusted(
    versus: Versus,
    holm_p: float | None,
    equal_p: float | None,
    family: int,
    level: float,
    margin: float | None,
) -> Versus:
    """A difference with its place in its family: p-values, an interval that holds with the rest."""
    known = versus.p_value is not None
    versus = replace(
        versus,
        holm_p=holm_p if known else None,
        equal_p=equal_p if known else None,
        margin=margin,
        family=family,
        level=level,
    )
    if versus.estimate is None:
        return versus
    confidence = simultaneous_confidence(family, level)
    interval = agreeing(versus.estimate.at(confidence), versus.verdict in ("better", "worse"))
    low, high = interval.low, interval.high
    if versus.within_margin and margin is not None and low is not None and high is not None:
        low, high = max(low, -margin), min(high, margin)
    least = detectable(versus.estimate, level / family)
    return replace(
        versus, low=low, high=high, confidence=confidence, detectable=least, estimate=None
    )


def survives(by_parameters: Versus | None, by_macs: Versus | None) -> Survival:
    """Whether a difference is shown with the same sign under both ways of matching."""
    if by_parameters is None or by_macs is None:
        return "one matching"
    verdicts = {by_parameters.verdict, by_macs.verdict}
    if verdicts in ({"better"}, {"worse"}):
        return "survives"
    return "reverses" if verdicts == {"better", "worse"} else "not shown"
