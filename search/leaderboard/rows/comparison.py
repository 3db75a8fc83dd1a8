"""Retrained rows beside each other on test: against one of them, and which of them may be the best.

Validation orders the rows. So that the order itself is not evidence, the row that the others are
compared with is chosen on runs that are not compared: by the score that it had in the search. And
which rows may be the best is told by all pairs, with no row named beforehand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from hybrid_swin.system.files import natural_order
from hybrid_swin.training.metric_facts import bounds_of
from search.leaderboard.rows.evidence import RowEvidence
from search.leaderboard.rows.intervals import items_of, with_intervals
from search.leaderboard.rows.row import Row
from search.statistics.best import selected_confidence, set_of_the_best
from search.statistics.intervals import Difference, Interval, crossed_difference, paired_difference
from search.statistics.multiplicity import holm_with_missing, simultaneous_confidence
from search.statistics.power import detectable_at
from search.statistics.quantiles import NO_SPREAD
from search.statistics.unpaired import unpaired_crossed_difference, unpaired_difference

LEVEL = 0.05
FEWEST_PAIRS = 3  # a paired test on two seeds of many knows less than all of them unpaired

Built = tuple[Row, RowEvidence]
Compared = tuple[Difference, bool]  # and whether it is paired


def compare_rows(
    ranked: Sequence[Built], monitor: str, mode: str, level: float = LEVEL
) -> list[Row]:
    """Add to each row its difference to the reference on test, and whether it may be the best.

    The first row, as the one that is named, gets its own intervals at the confidence of a row that
    was selected among all of them.

    Args:
        ranked: rows of several seeds, in their order on validation.
        monitor: the objective, a validation metric.
        mode: whether more (``max``) or less of it is better.
        level: of all tests of the table together; below .05 where seeds were added after a look.
    """
    if not ranked:
        return []
    confidence = selected_confidence(len(ranked), level)
    named = with_intervals(*ranked[0], monitor, confidence)
    rows = [named, *(row for row, _ in ranked[1:])]
    if len(rows) == 1:
        return rows
    pairs = {
        (i, j): difference_on_test(ranked[i][1], ranked[j][1], monitor)
        for i, j in combinations(range(len(rows)), 2)
    }
    rows = _with_the_best(rows, ranked, pairs, 1 if mode == "max" else -1, level)
    return _with_differences(rows, ranked, choose_reference(ranked, mode), monitor, level)


def choose_reference(ranked: Sequence[Built], mode: str) -> int:
    """The row that others are compared with: the best by the score of the search.

    That score is of another training than those compared. Where no row has one, it is the first
    baseline, or the row that was asked first.
    """
    sign = -1 if mode == "max" else 1

    def place(index: int) -> tuple[object, ...]:
        row = ranked[index][0]
        unknown = row.search_score is None
        score = 0.0 if row.search_score is None else sign * row.search_score
        return unknown, score, not row.is_baseline, natural_order(row.origin), row.study, index

    return min(range(len(ranked)), key=place)


def difference_on_test(first: RowEvidence, second: RowEvidence, monitor: str) -> Compared | None:
    """The first minus the second on test, and whether it is paired; None if one has no score.

    Seeds that both rows had, with the same split, are pairs. They are used where they are all seeds
    of the row that has fewer, or at least three and half of these; otherwise all seeds of both rows
    are, unpaired (Welch): pairing must not throw most of the data away.
    """
    if not first.scores or not second.scores:
        return None
    of_draw = {draw: seed for seed, draw in second.draws.items()}
    shared = [(s, of_draw[draw]) for s, draw in sorted(first.draws.items()) if draw in of_draw]
    fewest = min(len(first.scores), len(second.scores))
    paired = len(shared) == fewest or len(shared) >= max(FEWEST_PAIRS, fewest / 2)
    mine = [seed for seed, _ in shared] if paired else sorted(first.scores)
    theirs = [seed for _, seed in shared] if paired else sorted(second.scores)
    a, b = first.correct, second.correct
    if a is None or b is None or (a.ids, a.groups) != (b.ids, b.groups):
        over_seeds = paired_difference if paired else unpaired_difference
        scores = [first.scores[seed] for seed in mine], [second.scores[seed] for seed in theirs]
        images = min(first.images.test_items, second.images.test_items)
        known = {"bounds": bounds_of(monitor), "items": items_of(monitor, images)}
        return over_seeds(*scores, **known), paired  # type: ignore[arg-type]
    over_both = crossed_difference if paired else unpaired_crossed_difference
    return over_both(a.of_seeds(mine), b.of_seeds(theirs), groups=a.groups), paired


def judged(
    differences: Sequence[Difference], level: float
) -> list[tuple[Interval, float | None, bool | None]]:
    """Of a family: intervals that hold together, p-values adjusted by Holm, what is shown.

    None is shown where nothing can be tested.
    """
    confidence = simultaneous_confidence(len(differences), level)
    adjusted = holm_with_missing([difference.p_value for difference in differences])
    verdicts = [None if p is None else p <= level for p in adjusted]
    intervals = [
        agreeing(difference.at(confidence), is_shown)
        for difference, is_shown in zip(differences, verdicts, strict=True)
    ]
    return list(zip(intervals, adjusted, verdicts, strict=True))


def agreeing(interval: Interval, is_shown: bool | None) -> Interval:
    """The interval, cut at 0 where a difference is shown: Holm shows a little more than Bonferroni.

    Source: Strassburger and Bretz, Compatible Simultaneous Lower Confidence Bounds for the Holm
    Procedure and other Bonferroni-based Closed Tests, 2008, https://doi.org/10.1002/sim.3338
    """
    if not is_shown or interval.low is None or interval.high is None:
        return interval
    if interval.mean > 0:
        return replace(interval, low=max(0.0, interval.low))
    return replace(interval, high=min(0.0, interval.high))


def _with_the_best(
    rows: Sequence[Row],
    ranked: Sequence[Built],
    pairs: Mapping[tuple[int, int], Compared | None],
    sign: int,
    level: float,
) -> list[Row]:
    """Rows of several tested seeds: whether they are in the set that contains the best."""
    if not any(evidence.scores for _, evidence in ranked):
        return list(rows)
    differences = {pair: answer[0] if answer else None for pair, answer in pairs.items()}
    inside = set_of_the_best(differences, len(rows), sign, level)
    return [
        replace(row, may_be_best=is_in) if evidence.scores else row
        for row, (_, evidence), is_in in zip(rows, ranked, inside, strict=True)
    ]


def _with_differences(
    rows: list[Row], ranked: Sequence[Built], reference: int, monitor: str, level: float
) -> list[Row]:
    """Holm over all differences to the reference, and intervals that hold together."""
    by_index: dict[int, Compared] = {}
    for index, (_, evidence) in enumerate(ranked):
        if index == reference:
            continue
        compared = difference_on_test(evidence, ranked[reference][1], monitor)
        if compared is not None:
            by_index[index] = compared
    if not by_index:
        return rows
    rows[reference] = replace(rows[reference], is_test_reference=True)
    confidence = simultaneous_confidence(len(by_index), level)
    answers = judged([difference for difference, _ in by_index.values()], level)
    for (index, (difference, paired)), answer in zip(by_index.items(), answers, strict=True):
        interval, p, is_shown = answer
        rows[index] = replace(
            rows[index],
            difference=difference.mean,
            difference_low=interval.low,
            difference_high=interval.high,
            difference_confidence=confidence,
            difference_paired=paired,
            difference_p=p,
            difference_shown=is_shown,
            difference_detectable=detectable(difference, 1 - confidence),
        )
    return rows


def detectable(difference: Difference, level: float) -> float | None:
    """The least true difference that would be found four times in five, given this error."""
    spread = difference.seed_part + difference.item_part
    if difference.p_value is None or spread <= NO_SPREAD:
        return None
    parts = difference.seed_part, difference.seed_df, difference.item_part, difference.item_df
    return min(detectable_at(*parts, level=level), difference.reach)
