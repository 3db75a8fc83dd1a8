"""False alarms of whole tables, of chosen rates and growing seeds, and what is said of the best.

All worlds here are the hardest for what is asked: rows that are all the same, so that any of them
may come out first and any difference is a false alarm. All tests are those that are printed.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated.worlds import World, simulate
from search.statistics.best import selected_confidence, set_of_the_best
from search.statistics.intervals import crossed_difference, score_interval
from search.statistics.looks import level_of_look
from search.statistics.multiplicity import holm_with_missing
from search.statistics.probabilities import accuracy_interval

LEVEL = 0.05
ROWS = (3, 10, 40)
SEEDS = (3, 5, 10)
LOOKS = (3, 5, 8, 10)
RATES = 3
APART = 0.026  # between learning rates, in accuracy
Right = NDArray[np.bool_]


def places() -> Iterator[tuple[int, int, float, int]]:
    """Rows, seeds, accuracy and images of the boards."""
    for accuracy, images in ((0.9, 360), (0.99, 100)):
        for rows, seeds in itertools.product(ROWS, SEEDS):
            yield rows, seeds, accuracy, images


def board(rows: int, seeds: int, accuracy: float, images: int, replays: int) -> dict[str, Any]:
    """Tables of equal rows: false alarms against a reference, the best's interval, the set."""
    world = World((accuracy,) * rows, images)
    counts = {"false alarms": 0, "best, validation": 0, "best, test": 0, "set": 0}
    for start in range(0, replays, 50):  # 40 rows of 50 replays at once
        some = min(50, replays - start)
        right, truths = simulate(_numbered(world, start), seeds, some)
        for r in range(some):
            _count(right[:, r], truths[:, r], accuracy, counts)
    shares = {name: count / replays for name, count in counts.items()}
    return {"rows": rows, "seeds": seeds, "accuracy": accuracy, "images": images, **shares}


def _numbered(world: World, number: int) -> World:
    """The same world but for a billionth, so that its draws are others."""
    return World(world.accuracies, world.images, world.seed + 1e-9 * number)


def _count(right: Right, truths: NDArray[np.float64], truth: float, counts: dict[str, Any]) -> None:
    """One board: its best by these very scores, a reference that was chosen by others."""
    rows, _, images = right.shape
    scores = right.mean(axis=2)
    best = int(scores.mean(axis=1).argmax())
    confidence = selected_confidence(rows)
    over_seeds = score_interval(scores[best], (0.0, 1.0), images, confidence)
    over_both = accuracy_interval(right[best], confidence)
    counts["best, validation"] += _holds(over_seeds.low, truths[best], over_seeds.high)
    counts["best, test"] += _holds(over_both.low, truth, over_both.high)
    # the reference was chosen on other runs: it may be any fixed row
    pairs = {(0, j): crossed_difference(right[0], right[j]) for j in range(1, rows)}
    adjusted = holm_with_missing([pair.p_value for pair in pairs.values()])
    counts["false alarms"] += any(p is not None and p < LEVEL for p in adjusted)
    counts["set"] += set_of_the_best(pairs, rows)[0]  # all are best: each must stay in it


def _holds(low: float | None, truth: float, high: float | None) -> bool:
    return low is not None and high is not None and low - 1e-9 <= truth <= high + 1e-9


def learning_rates(seeds: int, images: int, replays: int, anew: bool) -> float:
    """Two exchangeable arms, each with its own choice among rates: how often they are called apart.

    Rates differ by ``APART`` in accuracy, and one training of each, of other luck, tells which is
    best. ``anew`` chooses for each seed; else one choice serves all seeds.
    """
    levels = 2 * tuple(0.9 - APART * rate for rate in range(RATES))  # of both arms
    alarms = 0
    for start in range(0, replays, 50):
        some = min(50, replays - start)
        world = _numbered(World(levels, images, seed=0.3, suits=0.0, shared=0.0), start)
        finals, _ = simulate(world, seeds, some)
        tried, _ = simulate(_numbered(world, start + 10**6), seeds if anew else 1, some)
        validation = tried.mean(axis=3)
        for r in range(some):
            first, second = (
                _chosen(finals[arm, r], validation[arm, r].argmax(axis=0))
                for arm in (slice(RATES), slice(RATES, None))
            )
            p = crossed_difference(first, second).p_value
            alarms += p is not None and p < LEVEL
    return alarms / replays


def _chosen(right: Right, rates: NDArray[np.intp]) -> Right:
    """Of (rates, seeds, images) the chosen rate of each seed; a single choice serves all."""
    seeds = right.shape[1]
    return right[np.resize(rates, seeds), np.arange(seeds)]


def growing(planned: Sequence[int], images: int, replays: int) -> float:
    """Two equal arms, seeds added until they are called different: how often that happens."""
    right, _ = simulate(World((0.9, 0.9), images, seed=0.3, suits=0.0), max(LOOKS), replays)
    alarms = 0
    for r in range(replays):
        for look, seeds in enumerate(LOOKS, 1):
            p = crossed_difference(right[0, r, :seeds], right[1, r, :seeds]).p_value
            if p is not None and p < level_of_look(planned, look):
                alarms += 1
                break
    return alarms / replays


def tables(report: dict[str, Any]) -> list[str]:
    """Markdown of all of it."""
    lines = [
        "## Tables of equal rows",
        "",
        "Any difference is a false alarm (against a reference that was chosen on other runs, Holm, "
        "nominal 5%). The row that looks best has its interval at 1 - .05 / rows; the set of the "
        "best must hold a row that is one. Both: nominal 95%.",
        "",
        "| accuracy, images | rows | seeds | false alarms | best covered, validation | best "
        "covered, test | set holds it |",
        "|---|---|---|---|---|---|---|",
    ]
    for b in report["boards"]:
        shares = (b[n] for n in ("false alarms", "best, validation", "best, test", "set"))
        cells = " | ".join(f"{share:.3f}" for share in shares)
        lines.append(
            f"| {100 * b['accuracy']:g}%, {b['images']} | {b['rows']} | {b['seeds']} | {cells} |"
        )
    lines += [
        "",
        "## Choices on the way",
        "",
        f"Two exchangeable arms; {RATES} learning rates {100 * APART:.1f} points apart, chosen by "
        "one training each. Nominal 5%.",
        "",
        "| learning rate chosen | called different |",
        "|---|---|",
        *(f"| {name} | {share:.3f} |" for name, share in report["learning_rates"].items()),
        "",
        f"Seeds added until a difference is shown, with looks at {', '.join(map(str, LOOKS))} "
        "seeds, by the looks that were planned. Nominal 5% where all were, 6.5% where not.",
        "",
        "| planned | called different |",
        "|---|---|",
        *(f"| {name} | {share:.3f} |" for name, share in report["growing"].items()),
    ]
    return lines
