"""The order of rows: what has better evidence stands first.

Rows retrained over several fresh seeds, by their mean on validation; then rows retrained with one
fresh seed; then the single runs of the search, by the score that they had there; then what stopped,
diverged or failed; what is there for comparison only (the mean of random candidates, references)
last. So a single lucky run never stands above a row with better evidence. Validation chooses and
orders; test is shown and compared, it never orders.
"""

import math
from dataclasses import replace
from typing import Any

from hybrid_swin.system.files import natural_order
from search.leaderboard.rows.building import WORST_LAST
from search.leaderboard.rows.comparison import Built, compare_rows
from search.leaderboard.rows.labels import labels
from search.leaderboard.rows.row import Row


def ordered(built: list[Built], monitor: str, mode: str, level: float | None) -> list[Built]:
    """In their order, with ranks; compared on test at this level, or not at all.

    Retrained rows of the same block words get labels of their own.
    """
    sign = -1.0 if mode == "max" else 1.0

    def place(item: Built) -> tuple[Any, ...]:
        row, own = item[0], tier(item[0])
        # a row that lost a seed comes after those that lost none: its mean is of the survivors
        state = WORST_LAST.index(row.state)
        # stopped runs saw unequal numbers of epochs: the longest first, then by score
        epochs = -row.epochs if own == 3 else 0
        score = math.inf if row.validation_mean is None else sign * row.validation_mean
        return own, state, epochs, score, row.parameters or 0, natural_order(row.origin), row.study

    in_order = sorted(built, key=place)
    several = sum(tier(row) == 0 for row, _ in in_order)
    rows = [row for row, _ in in_order]
    if level is not None:
        rows[:several] = compare_rows(in_order[:several], monitor, mode, level)
    ranked = sum(tier(row) < 3 for row in rows)
    rows = [replace(r, rank=n + 1 if n < ranked else None) for n, r in enumerate(rows)]
    new_labels = iter(labels([row for row in rows if row.fidelity == "final"]))
    rows = [replace(r, label=next(new_labels)) if r.fidelity == "final" else r for r in rows]
    return list(zip(rows, (evidence for _, evidence in in_order), strict=True))


def tier(row: Row) -> int:
    """0 several fresh seeds, 1 one, 2 a run of the search, 3 broken, 4 not a candidate."""
    if row.fidelity in ("random", "reference"):
        return 4 if row.fidelity == "random" else 5
    if row.fidelity == "final" and row.seeds >= 2:
        return 0
    if row.state != "complete" or row.seeds == 0:
        return 3
    return 1 if row.fidelity == "final" else 2
