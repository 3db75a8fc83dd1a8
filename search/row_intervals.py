"""The intervals of one row: over seeds on validation, over seeds and images on test.

One rule for table, CSV, JSON, sentences and figures: a metric that has bounds has an interval
within them, whose sides may be unequal.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from hybrid_swin.metric_facts import bounds_of, facts_of
from search.row import Row
from search.row_evidence import Evidence
from search.statistics.intervals import Difference, Interval, paired_difference, score_interval
from search.statistics.probabilities import accuracy_interval
from search.statistics.unpaired import unpaired_difference

CONFIDENCE = 0.95


def over_seeds(
    scores: Sequence[float], monitor: str, images: int, confidence: float = CONFIDENCE
) -> Interval | None:
    """Of a metric's scores, one a seed (or candidate), on splits of so many images."""
    if not scores:
        return None
    return score_interval(scores, bounds_of(monitor), items_of(monitor, images), confidence)


def items_of(monitor: str, images: int) -> int | None:
    """How many images a score is a share of; None where it is no such share, or nobody knows."""
    facts = facts_of(monitor)
    return images if facts and facts.per_image and images else None


def with_intervals(
    row: Row, evidence: Evidence, monitor: str, confidence: float = CONFIDENCE
) -> Row:
    """The row with its intervals on validation and test."""
    images = evidence.images
    shown = over_seeds(row.validation_scores, monitor, images.validation, confidence)
    if shown is not None:
        row = replace(row, validation_low=shown.low, validation_high=shown.high)
    row = replace(
        row,
        interval_confidence=confidence,
        validation_images=images.validation,
        test_images=images.test,
    )
    if not evidence.scores:
        return row
    scores = tuple(evidence.scores[seed] for seed in sorted(evidence.scores))
    interval = over_seeds(scores, monitor, images.test, confidence)
    if evidence.correct is not None:
        correct = evidence.correct
        interval = accuracy_interval(correct.matrix, confidence, correct.groups)
    if interval is None:
        return row
    covers = "seeds" if evidence.correct is None else "seeds and images"
    return replace(
        row,
        test_mean=fmean(scores),
        test_low=interval.low,
        test_high=interval.high,
        test_covers="" if interval.low is None else covers,
        test_scores=scores,
    )


def pair_over_seeds(first: Row, second: Row, monitor: str, confidence: float) -> Difference:
    """The first row minus the second on validation, over seeds (and splits) that both had."""
    return paired_difference(
        first.validation_scores,
        second.validation_scores,
        confidence,
        bounds=bounds_of(monitor),
        items=items_of(monitor, min(first.validation_images, second.validation_images)),
    )


def differ_over_seeds(first: Row, second: Row, monitor: str, confidence: float) -> Difference:
    """The first row minus the second on validation, each over its own seeds (or candidates)."""
    return unpaired_difference(
        first.validation_scores,
        second.validation_scores,
        confidence,
        bounds=bounds_of(monitor),
        items=items_of(monitor, min(first.validation_images, second.validation_images)),
    )
