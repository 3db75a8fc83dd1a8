"""Retrained rows against what is not a network: a lead on test, its interval and its verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybrid_swin.training.metric_facts import bounds_of
from search.leaderboard.rows.comparison import LEVEL, Built, judged
from search.leaderboard.rows.evidence import RowEvidence
from search.leaderboard.rows.intervals import items_of
from search.leaderboard.rows.row import Row
from search.statistics.intervals import Difference, crossed_difference, paired_difference
from search.statistics.multiplicity import simultaneous_confidence


@dataclass(frozen=True)
class Lead:
    """What a row is on test beyond a reference.

    Args:
        rank: of the row.
        difference: the row minus the reference.
        low, high: its interval; those of all rows hold together.
        p: of "no difference", adjusted by Holm over the rows.
        shown: whether that is below the level; None if nothing can be tested.
    """

    rank: int
    difference: float
    low: float | None
    high: float | None
    p: float | None
    shown: bool | None


@dataclass(frozen=True)
class AgainstReference:
    """All retrained rows against one reference.

    Args:
        label: the reference's.
        score: on test.
        covers: what the intervals speak of: ``seeds and images``, ``seeds and groups of images``,
            or ``seeds``.
        confidence: of each interval.
        leads: one per row that was tested.
    """

    label: str
    score: float
    covers: str
    confidence: float
    leads: tuple[Lead, ...]


def against_references(
    ranked: Sequence[Built], references: Sequence[Built], monitor: str, level: float = LEVEL
) -> tuple[AgainstReference, ...]:
    """Every reference that was tested, once, with the rows of several seeds beside it."""
    comparisons: dict[tuple[str, float], AgainstReference] = {}
    for row, evidence in references:
        if row.test_mean is None:
            continue
        comparison = _against(row, evidence, ranked, monitor, level)
        if comparison.leads:
            comparisons.setdefault((row.label, row.test_mean), comparison)
    return tuple(comparisons.values())


def difference_to_fixed(
    row: RowEvidence, fixed: RowEvidence, monitor: str
) -> tuple[Difference, str]:
    """The row minus a model that has no seeds, on the same images, and what that speaks of.

    Each seed is compared with the one answer of the reference: over seeds and images where the
    answers of both are known, else over seeds.
    """
    (score,) = fixed.scores.values()
    a, b = row.correct, fixed.correct
    if a is None or b is None or (a.ids, a.groups) != (b.ids, b.groups):
        scores = [row.scores[seed] for seed in sorted(row.scores)]
        difference = paired_difference(
            scores,
            [score] * len(scores),
            bounds=bounds_of(monitor),
            items=items_of(monitor, min(row.images.test_items, fixed.images.test_items)),
        )
        return difference, "seeds"
    same = np.broadcast_to(b.matrix[0], a.matrix.shape)
    return crossed_difference(a.matrix, same, groups=a.groups), f"seeds and {a.unit}"


def _against(
    reference: Row, evidence: RowEvidence, ranked: Sequence[Built], monitor: str, level: float
) -> AgainstReference:
    tested = [(row, mine) for row, mine in ranked if len(mine.scores) > 1 and row.rank is not None]
    differences = [difference_to_fixed(mine, evidence, monitor) for _, mine in tested]
    confidence = simultaneous_confidence(len(differences), level)
    answers = judged([difference for difference, _ in differences], level)
    leads = [
        Lead(row.rank or 0, interval.mean, interval.low, interval.high, p, is_shown)
        for (row, _), (interval, p, is_shown) in zip(tested, answers, strict=True)
    ]
    kinds = {what for _, what in differences}
    covers = "seeds" if "seeds" in kinds or not kinds else kinds.pop()
    return AgainstReference(
        reference.label, reference.test_mean or 0.0, covers, confidence, tuple(leads)
    )
