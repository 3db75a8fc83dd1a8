"""Do the leaderboard's statistics keep their word on real seeds? False alarms and coverage.

Command: ``python -m benchmarks.tabular.coverage`` (4,000 replays of each figure; about 15 minutes).

*A/A*: two disjoint, randomly drawn groups of k of a candidate's 20 seeds, paired at random, are
compared as two rows of the leaderboard. Drawn without replacement from seeds that are independent
themselves, the groups are exactly as independent as fresh seeds would be: no correction for the
finite table. At k = 10 every replay uses all 20 seeds, so replays differ by the split only.

*Boards*: 8 rows that are all the same candidate, each of k seeds drawn with replacement (8 disjoint
groups do not fit into 20), compared with the reference row under Holm's adjustment. The 20 seeds
are then the whole world, and all rows are truly equal in it. As on the leaderboard, validation of
another training chooses the reference row; to see what that does, once more with one that was fixed
beforehand.

*Coverage*: the table is the world. Seeds, and for intervals that speak of new images the images
too, are drawn from it with replacement; the truth is its mean. So these are exact figures of this
world, whose scores are granular (1 / images), and no claim on others.

Monte-Carlo errors are beside every share; *spread* is the standard deviation over the candidates or
pairs (their Monte-Carlo noise included), which says more of how far another table may differ. All
draws are seeded.

Writes ``benchmarks/results/coverage.json`` and ``.md``.
"""

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tabular.coverage_report import tables
from benchmarks.tabular.repeats import SEEDS, Repeats, board
from benchmarks.writing import write_report
from search.statistics.intervals import (
    Interval,
    crossed_difference,
    paired_difference,
    score_interval,
)
from search.statistics.probabilities import accuracy_interval, probability_of_beating

RESULTS = Path(__file__).parents[1] / "results"
K = (3, 5, 10)
LEVEL = 0.05
Replay = Callable[[np.random.Generator, int], dict[str, bool | None]]


def holds(interval: Interval, truth: float) -> bool | None:
    """Whether an interval holds the truth, to rounding; None where there is no interval."""
    if interval.low is None or interval.high is None:
        return None
    return bool(interval.low - 1e-9 <= truth <= interval.high + 1e-9)


def same_twice(repeats: Repeats, k: int) -> Replay:
    """A/A: false alarms of one candidate against itself."""

    def replay(rng: np.random.Generator, unit: int) -> dict[str, bool | None]:
        a, b = rng.permutation(repeats.seeds)[: 2 * k].reshape(2, k)
        validation, correct = repeats.validation[unit], repeats.correct[unit]
        rows = board([validation[a], validation[b]], [correct[a], correct[b]])
        row = next(row for row in rows if not row.is_test_reference)
        low, high, p = row.difference_low, row.difference_high, row.difference_p
        outside = None
        if low is not None and high is not None and p is not None:
            outside = not low <= 0 <= high
            if outside != (p < LEVEL):
                raise AssertionError(f"interval {low} to {high} and p-value {p} disagree")
        paired = paired_difference(validation[a], validation[b])
        inside = holds(paired, 0.0)
        even = holds(probability_of_beating(validation[a], validation[b]), 0.5)
        return {
            "leaderboard row (test, seeds and images)": outside,
            "paired t (validation, seeds)": None if inside is None else not inside,
            "P(A > B) (validation, seeds)": None if even is None else not even,
        }

    return replay


def same_eight_times(repeats: Repeats, k: int) -> Replay:
    """A board of equal rows: whether any is called different, after Holm."""

    def replay(rng: np.random.Generator, unit: int) -> dict[str, bool | None]:
        drawn = rng.integers(repeats.seeds, size=(8, k))
        searched = repeats.validation[unit][rng.integers(repeats.seeds, size=8)].tolist()
        validation = [repeats.validation[unit][seeds] for seeds in drawn]
        correct = [repeats.correct[unit][seeds] for seeds in drawn]

        def alarm(search: list[float] | None) -> bool:
            rows = board(validation, correct, search)
            return any(row.difference_p is not None and row.difference_p < LEVEL for row in rows)

        return {
            "reference by the score of the search": alarm(searched),
            "reference fixed beforehand": alarm(None),
        }

    return replay


def one_candidate(repeats: Repeats, k: int) -> Replay:
    """Coverage of a candidate's own intervals."""

    def replay(rng: np.random.Generator, unit: int) -> dict[str, bool | None]:
        seeds = rng.integers(repeats.seeds, size=k)
        images = rng.integers(repeats.images, size=repeats.images)
        validation, correct = repeats.validation[unit], repeats.correct[unit]
        tests, mean = correct.mean(axis=1), float(correct.mean())
        both = accuracy_interval(correct[np.ix_(seeds, images)])
        return {
            "validation, t over seeds": holds(score_interval(validation[seeds]), validation.mean()),
            "test, t over seeds": holds(score_interval(tests[seeds]), mean),
            "test, over seeds and images": holds(both, mean),
        }

    return replay


def two_candidates(repeats: Repeats, k: int) -> Replay:
    """Coverage of differences between candidates, which share seeds and images."""
    pairs = list(itertools.combinations(range(len(repeats.labels)), 2))

    def replay(rng: np.random.Generator, unit: int) -> dict[str, bool | None]:
        seeds = rng.integers(repeats.seeds, size=k)
        images = rng.integers(repeats.images, size=repeats.images)
        a, b = pairs[unit]
        validation, correct = repeats.validation, repeats.correct
        paired = paired_difference(validation[a][seeds], validation[b][seeds])
        tests = correct.mean(axis=2)
        on_test = paired_difference(tests[a][seeds], tests[b][seeds])
        chosen = np.ix_(seeds, images)
        crossed = crossed_difference(correct[a][chosen], correct[b][chosen])
        return {
            "validation, paired over seeds": holds(paired, (validation[a] - validation[b]).mean()),
            "test, paired over seeds": holds(on_test, float((tests[a] - tests[b]).mean())),
            "test, crossed": holds(crossed, float((correct[a] - correct[b]).mean())),
        }

    return replay


def shares(replay: Replay, units: int, replays: int, seed: Sequence[int]) -> dict[str, Any]:
    """How often each thing is true, over units in turn; what is unknown is counted apart."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[list[bool | None]]] = {}
    for index in range(replays):
        for name, value in replay(rng, index % units).items():
            found.setdefault(name, [[] for _ in range(units)])[index % units].append(value)
    report = {}
    for name, by_unit in found.items():
        known = [[value for value in values if value is not None] for values in by_unit]
        count = sum(map(len, known))
        share = sum(map(sum, known)) / count if count else math.nan
        each = [float(np.mean(values)) for values in known if values]
        report[name] = {
            "share": share,
            "error": math.sqrt(share * (1 - share) / count) if count else math.nan,
            "replays": replays,
            "unknown": replays - count,
            "by_unit": each,
            "spread": float(np.std(each, ddof=1)) if len(each) > 1 else math.nan,
        }
    return report


def measure(repeats: Repeats, replays: int, ks: Sequence[int] = K) -> dict[str, Any]:
    """Every figure for every k."""
    candidates = len(repeats.labels)
    kinds: dict[str, tuple[Callable[[Repeats, int], Replay], int]] = {
        "same_twice": (same_twice, candidates),
        "same_eight_times": (same_eight_times, candidates),
        "one_candidate": (one_candidate, candidates),
        "two_candidates": (two_candidates, math.comb(candidates, 2)),
    }
    return {
        kind: {
            str(k): shares(make(repeats, k), units, replays, (index, k))
            for k in ks
            if kind != "same_twice" or 2 * k <= repeats.seeds
        }
        for index, (kind, (make, units)) in enumerate(kinds.items())
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay, count, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--replays", type=int, default=4000, help="of each figure and k")
    parser.add_argument("--seeds", type=Path, default=SEEDS)
    parser.add_argument("--out", type=Path, default=RESULTS / "coverage")
    options = parser.parse_args(arguments)
    repeats = Repeats.read(options.seeds)
    report = {
        "command": f"python -m benchmarks.tabular.coverage --replays {options.replays}",
        "candidates": list(repeats.labels),
        "seeds": repeats.seeds,
        "images": repeats.images,
        "test_means": repeats.correct.mean(axis=(1, 2)).tolist(),
        "test_spreads": repeats.correct.mean(axis=2).std(axis=1, ddof=1).tolist(),
        "validation_means": repeats.validation.mean(axis=1).tolist(),
        "validation_spreads": repeats.validation.std(axis=1, ddof=1).tolist(),
        # Whether a lucky seed is lucky on both splits: then validation chooses on test's luck too.
        "validation_with_test": [
            float(np.corrcoef(v, c.mean(axis=1))[0, 1])
            for v, c in zip(repeats.validation, repeats.correct, strict=True)
        ],
        **measure(repeats, options.replays),
    }
    write_report(options.out, report, tables(report))


if __name__ == "__main__":
    main()
