"""The intervals of one row: over seeds on validation, over seeds and images on test.

One rule for table, CSV, JSON, sentences and figures: a metric that has bounds has an interval
within them, whose sides may be unequal.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from hybrid_swin.training.metric_facts import bounds_of, facts_of
from search.leaderboard.rows.evidence import RowEvidence
from search.leaderboard.rows.row import Row
from search.records.predictions import Correctness
from search.statistics.intervals import (
    Difference,
    Interval,
    crossed_difference,
    paired_difference,
    score_interval,
)
from search.statistics.probabilities import accuracy_interval
from search.statistics.unpaired import unpaired_crossed_difference, unpaired_difference

CONFIDENCE = 0.95
Validated = tuple[Row, Correctness | None]  # and which validation images it got right


def over_seeds(
    scores: Sequence[float], monitor: str, images: int, confidence: float = CONFIDENCE
) -> Interval | None:
    """Of a metric's scores, one per seed (or candidate), on splits of so many images or groups."""
    if not scores:
        return None
    return score_interval(scores, bounds_of(monitor), items_of(monitor, images), confidence)


def items_of(monitor: str, images: int) -> int | None:
    """How many images a score is a share of; None if it is not such a share, or unknown."""
    facts = facts_of(monitor)
    return images if facts and facts.per_image and images else None


def with_intervals(
    row: Row, evidence: RowEvidence, monitor: str, confidence: float = CONFIDENCE
) -> Row:
    """The row with its intervals on validation and test."""
    images = evidence.images
    validation = over_seeds(row.validation_scores, monitor, images.validation_items, confidence)
    if validation is not None:
        row = replace(row, validation_low=validation.low, validation_high=validation.high)
    row = replace(
        row,
        interval_confidence=confidence,
        validation_images=images.validation,
        validation_groups=images.validation_groups,
        test_images=images.test,
        test_groups=images.test_groups,
    )
    if not evidence.scores:
        return row
    scores = tuple(evidence.scores[seed] for seed in sorted(evidence.scores))
    interval = over_seeds(scores, monitor, images.test_items, confidence)
    if evidence.correct is not None:
        correct = evidence.correct
        interval = accuracy_interval(correct.matrix, confidence, correct.groups)
    if interval is None:
        return row
    covers = "seeds" if evidence.correct is None else f"seeds and {evidence.correct.unit}"
    return replace(
        row,
        test_mean=fmean(scores),
        test_low=interval.low,
        test_high=interval.high,
        test_covers="" if interval.low is None else covers,
        test_scores=scores,
    )


def pair_on_validation(first: Validated, second: Validated, monitor: str) -> Difference:
    """The first row minus the second, over seeds that both had: for new images, if both are known.

    Where it is not known which images were right, or seeds validated on images of their own, the
    interval is over seeds: of other seeds, and of other images as far as seeds had other ones.
    """
    (one, a), (other, b) = first, second
    if a and b and (a.ids, a.groups, a.seed_indices) == (b.ids, b.groups, b.seed_indices):
        return crossed_difference(a.matrix, b.matrix, groups=a.groups)
    return paired_difference(
        one.validation_scores, other.validation_scores, **_known(one, other, monitor)
    )


def differ_on_validation(first: Validated, second: Validated, monitor: str) -> Difference:
    """The first row minus the second, each over its own seeds (or candidates), likewise."""
    (one, a), (other, b) = first, second
    if a and b and (a.ids, a.groups) == (b.ids, b.groups):
        return unpaired_crossed_difference(a.matrix, b.matrix, groups=a.groups)
    return unpaired_difference(
        one.validation_scores, other.validation_scores, **_known(one, other, monitor)
    )


def _known(first: Row, second: Row, monitor: str) -> dict[str, Any]:
    images = min(first.validation_items, second.validation_items)
    return {"bounds": bounds_of(monitor), "items": items_of(monitor, images)}
