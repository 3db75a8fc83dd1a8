"""The questions that the answer of a study is made from, with corrected tests.

Each retrained row against the first baseline, and each row against its controls: a family that is
set before anything is trained. Without a retrained baseline, row R takes its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hybrid_swin.system.files import natural_order
from search.leaderboard.rows.comparison import (
    Built,
    choose_reference,
    detectable,
    difference_on_test,
    judged,
)
from search.leaderboard.rows.controls import cause_of
from search.leaderboard.rows.row import Row
from search.statistics.intervals import Difference

Verdict = Literal["ahead", "behind", "tie", "unknown"]


@dataclass(frozen=True)
class Question:
    """One retrained row against another one on test.

    Args:
        row: the keys of the row.
        against: the keys of the other one.
        cause: the part that the other lacks, if it is a control; else empty.
        ahead: by how much the row is ahead, in the objective's unit: negative if it is behind.
        low, high: its interval; those of all questions hold together.
        p: of "no difference", adjusted by Holm over all questions.
        verdict: what the test shows; ``unknown`` if nothing can be tested.
        detectable: the least true difference that would have been shown four times in five.
    """

    row: tuple[str, ...]
    against: tuple[str, ...]
    cause: str
    ahead: float
    low: float | None
    high: float | None
    p: float | None
    verdict: Verdict
    detectable: float | None


def ask(
    ranked: Sequence[Built], monitor: str, mode: str, level: float, matched: bool
) -> tuple[Question, ...]:
    """All questions, of rows with several seeds; none if there are fewer than two rows.

    Args:
        ranked: rows of several seeds, in their order on validation.
        monitor: the objective, a validation metric.
        mode: whether more (``max``) or less of it is better.
        level: of all questions together.
        matched: whether costs were matched by widths.
    """
    if len(ranked) < 2:
        return ()
    first = first_baseline([row for row, _ in ranked])
    base = choose_reference(ranked, mode) if first is None else first
    pairs: list[tuple[int, int, str, Difference]] = []
    for i, (row, mine) in enumerate(ranked):
        for j, (control, other) in enumerate(ranked):
            cause = cause_of(row, control, matched) if i != j else ""
            if i == j or (j != base and (not cause or i == base)):
                continue
            compared = difference_on_test(mine, other, monitor)
            if compared is not None:
                pairs.append((i, j, cause, compared[0]))
    answers = judged([difference for *_, difference in pairs], level)
    questions = []
    for (i, j, cause, difference), (interval, p, is_shown) in zip(pairs, answers, strict=True):
        mean, low, high = interval.mean, interval.low, interval.high
        if mode == "min":
            mean, low, high = -mean, _less(high), _less(low)
        verdict: Verdict = "unknown" if is_shown is None else "tie"
        if is_shown:
            verdict = "ahead" if mean > 0 else "behind"
        least = detectable(difference, level / len(pairs))
        keys = ranked[i][0].keys, ranked[j][0].keys
        questions.append(Question(*keys, cause, mean, low, high, p, verdict, least))
    return tuple(questions)


def _less(value: float | None) -> float | None:
    return None if value is None else -value


def first_baseline(rows: Sequence[Row]) -> int | None:
    """The place of the baseline that was asked for first."""
    places = [place for place, row in enumerate(rows) if row.is_baseline]
    return min(places, key=lambda p: (rows[p].study, natural_order(rows[p].origin)), default=None)
