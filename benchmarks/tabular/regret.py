"""Regret: how much worse than the best of the table what a search has found is, and how surely."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.tabular.methods import Course
from benchmarks.tabular.table import Table

Array = NDArray[np.float64]
RESAMPLES = 1000


@dataclass(frozen=True)
class Regret:
    """The regret of one search after each of its trials.

    The incumbent is the best complete trial so far, by the score that the search saw.

    Args:
        seen: best score of the table with the search's seed, less the incumbent's: what the search
            sees. 0 is reached, by luck of that seed too.
        gained: best mean score over the other seeds, less the incumbent's mean over them: what the
            user gets. Finding the best of one seed does not bring it to 0.
        spent: training seconds so far.
        start: seen and gained of a candidate drawn at random, which stand before any is complete.
    """

    seen: Array
    gained: Array
    spent: Array
    start: tuple[float, float]


def regret(course: Course, table: Table, metric: str) -> Regret:
    """What a search's trials came to; more of the metric is better."""
    others = [seed for seed in table.seeds if seed != course.table_seed]
    own, mean = table.finals(metric, [course.table_seed]), table.finals(metric, others)
    place = {candidate: index for index, candidate in enumerate(table.candidates)}
    seen, gained = own.max() - own, mean.max() - mean
    start = float(seen.mean()), float(gained.mean())
    found, spent, best = [start], [0.0], None
    for step in course.steps:
        index = place[step.candidate]
        if step.complete and (best is None or own[index] > own[best]):
            best = index
        found.append(start if best is None else (float(seen[best]), float(gained[best])))
        spent.append(
            spent[-1] + table.training(step.candidate, course.table_seed).cost(step.epochs)
        )
    values = np.array(found[1:])
    return Regret(values[:, 0], values[:, 1], np.array(spent[1:]), start)


def by_trials(regrets: Sequence[Regret], what: str, trials: int) -> Array:
    """A regret after 1, 2, ... trials, one line a search; one that ended keeps what it had."""
    lines = [getattr(one, what) for one in regrets]
    return np.stack([line[np.minimum(np.arange(trials), len(line) - 1)] for line in lines])


def by_cost(regrets: Sequence[Regret], what: str, costs: Array) -> Array:
    """A regret once so many seconds are spent, one line a search."""
    lines = []
    for one in regrets:
        known = np.concatenate([[one.start[what == "gained"]], getattr(one, what)])
        lines.append(known[np.searchsorted(one.spent, costs, side="right")])
    return np.stack(lines)


def resamples(searches: int) -> NDArray[np.int64]:
    """Which searches stand in each resample; the same for all methods, whose seeds are the same."""
    return np.random.default_rng(0).integers(searches, size=(RESAMPLES, searches))


def means(lines: Array, chosen: NDArray[np.int64]) -> Array:
    """The mean over searches in each resample."""
    counts = np.stack([np.bincount(one, minlength=len(lines)) for one in chosen])
    return np.asarray(counts @ lines / len(lines), dtype=float)


def band(lines: Array, what: Literal["mean", "median"]) -> tuple[Array, Array, Array]:
    """A mean or median over searches with its 95% bootstrap interval over them."""
    chosen = resamples(len(lines))
    if what == "mean":
        middle, drawn = lines.mean(axis=0), means(lines, chosen)
    else:
        middle = np.median(lines, axis=0)
        drawn = np.stack([np.median(lines[one], axis=0) for one in chosen])
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return middle, low, high


def share_of_cost(
    regrets: Sequence[Regret], baseline: Sequence[Regret], what: str, points: int = 1000
) -> tuple[float, float, float]:
    """Where a method's mean regret first is as low as the baseline's at its end.

    As a share of what the baseline spent, in steps of 1 / ``points``, with the 95% bootstrap
    interval over searches, resampled for both at once. Infinite where it does not get there within
    what the baseline spent on average.
    """
    spent = np.array([one.spent[-1] for one in baseline])
    costs = np.linspace(0, spent.mean(), points + 1)
    ends = np.array([getattr(one, what)[-1] for one in baseline])
    lines = np.column_stack([ends, spent, by_cost(regrets, what, costs)])

    def shares(chosen: NDArray[np.int64]) -> Array:
        drawn = means(lines, chosen)
        there = drawn[:, 2:] <= drawn[:, :1] + 1e-12
        return np.where(there.any(axis=1), costs[there.argmax(axis=1)] / drawn[:, 1], np.inf)

    [share] = shares(np.arange(len(lines))[None])
    drawn = shares(resamples(len(lines)))
    low, high = np.quantile(drawn, (0.025, 0.975), method="nearest")
    return float(share), float(low), float(high)
