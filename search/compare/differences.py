"""Differences of paired arms: interval, Holm over the whole comparison, P(A > B), verdict.

All differences of a comparison, to references and to controls, in all cells and under all matchings
are one family: the chance that anything in it is called different that is not stays below 5%. Two
entries that come to the same trainings ask one question; a question without an answer (not ended,
diverged, a single seed) belongs to the family all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from search.row_evidence import Evidence
from search.statistics.intervals import crossed_difference, paired_difference
from search.statistics.multiplicity import holm_with_missing
from search.statistics.power import detectable_at
from search.statistics.probabilities import probability_of_beating

LEVEL = 0.05
Verdict = Literal["better", "worse", "tie", "unknown"]
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
        low: 95% interval of this one difference, with ``high``; None with a single seed, and where
            all seeds have one difference that is not 0.
        high: see ``low``.
        covers: ``seeds and images`` (crossed) or ``seeds``.
        p_value: of "no difference", of this one alone.
        holm_p: adjusted over the comparison.
        better: P(A better than B), ties counted one half.
        better_low: its 95% interval, with ``better_high``.
        better_high: see ``better_low``.
        detectable: least true difference that would be found four times in five, at the spread
            seen here and the first step of Holm's level.
        seed_part: standard error that comes from the seeds, with ``item_part`` from the images.
        item_part: see ``seed_part``; 0 where only seeds are covered.
        items: images (or groups) covered.
        sign: 1 where more is better, -1 where less is.
    """

    against: str
    cause: str
    measured_on: str = "test"
    seeds: int = 0
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    covers: str = ""
    p_value: float | None = None
    holm_p: float | None = None
    better: float | None = None
    better_low: float | None = None
    better_high: float | None = None
    detectable: float | None = None
    seed_part: float = 0.0
    item_part: float = 0.0
    items: int = 0
    sign: int = 1

    @property
    def verdict(self) -> Verdict:
        """``tie`` says that no difference is shown, not that there is none."""
        if self.holm_p is None or self.difference is None:
            return "unknown"
        if self.holm_p >= LEVEL:
            return "tie"
        return "better" if self.sign * self.difference > 0 else "worse"

    @property
    def cannot_exclude(self) -> float | None:
        """The largest difference, in size, that the interval holds."""
        if self.low is None or self.high is None:
            return None
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True)
class Side:
    """What a difference needs of an arm.

    Args:
        label: the arm's.
        validation: scores by seed index.
        evidence: test scores, and which images were right.
    """

    label: str
    validation: dict[int, float]
    evidence: Evidence


def difference_of(first: Side, second: Side, cause: str, sign: int) -> Versus:
    """The first minus the second, not yet adjusted for the others.

    Test scores are compared where both arms have them, else validation scores.
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
    found, covers = paired_difference(a_S, b_S), "seeds"
    one, other = first.evidence.correct, second.evidence.correct
    if on_test and one and other and (one.ids, one.groups) == (other.ids, other.groups):
        found = crossed_difference(one.of_seeds(shared), other.of_seeds(shared), groups=one.groups)
        covers = "seeds and images"
    beats = probability_of_beating([sign * x for x in a_S], [sign * x for x in b_S])
    return replace(
        versus,
        difference=found.mean,
        low=found.low,
        high=found.high,
        covers=covers if found.low is not None else "",
        p_value=found.p_value,
        better=beats.probability,
        better_low=beats.low,
        better_high=beats.high,
        seed_part=found.seed_part,
        item_part=found.item_part,
        items=found.items,
        sign=sign,
    )


def adjust(asked: Sequence[tuple[str, Versus]]) -> tuple[list[Versus], int]:
    """Holm over all questions, each counted once.

    A question without a p-value counts as one whose p-value is 1. Else the bar would fall with what
    has not ended, or diverged.

    Args:
        asked: a question's identity ``one - other``, and its difference. Where a side is empty (not
            known yet) the question counts on its own: no other is known to be the same.

    Returns:
        The differences in the order given, adjusted, and how many questions there are.
    """
    questions = [
        question if all(question.split(" - ")) else f"{question} ({place})"
        for place, (question, _) in enumerate(asked)
    ]
    p_values: dict[str, float | None] = {}
    for question, (_, versus) in zip(questions, asked, strict=True):
        if p_values.get(question) is None:
            p_values[question] = versus.p_value
    adjusted = dict(zip(p_values, holm_with_missing(list(p_values.values())), strict=True))
    family = len(p_values)
    return [
        replace(
            v,
            holm_p=None if v.p_value is None else adjusted[question],
            detectable=_detectable(v, LEVEL / family),
        )
        for question, (_, v) in zip(questions, asked, strict=True)
    ], family


def survives(by_parameters: Versus | None, by_macs: Versus | None) -> Survival:
    """Whether a difference is shown with the same sign under both ways of matching."""
    if by_parameters is None or by_macs is None:
        return "one matching"
    verdicts = {by_parameters.verdict, by_macs.verdict}
    if verdicts in ({"better"}, {"worse"}):
        return "survives"
    return "reverses" if verdicts == {"better", "worse"} else "not shown"


def _detectable(versus: Versus, level: float) -> float | None:
    """The least true difference that is found four times in five, at the spread seen."""
    u, v = versus.seed_part, versus.item_part
    if versus.p_value is None or u + v <= 0:
        return None
    return detectable_at(u, versus.seeds - 1, v, max(1, versus.items + 1), level)
