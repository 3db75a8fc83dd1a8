"""What the printed intervals cover where the truth is known: every one, over a grid of worlds.

Two arms, equal or not, of 3 to 10 seeds, 30 to 1,000 images, accuracies from 50% to 99.5%, and
small or large luck of a seed. A nominal 95% should cover 93 to 97%; near the ceiling, where few
images tell anything, more is allowed.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.simulated.worlds import World, simulate
from search.statistics.intervals import (
    Interval,
    crossed_difference,
    paired_difference,
    score_interval,
)
from search.statistics.probabilities import accuracy_interval
from search.statistics.unpaired import unpaired_crossed_difference, unpaired_difference

SEEDS = (3, 5, 8, 10)
IMAGES = (30, 100, 1000)
ACCURACIES = ((0.5, 0.5), (0.5, 0.45), (0.9, 0.9), (0.9, 0.85))
CEILING = ((0.99, 0.99), (0.99, 0.98), (0.995, 0.995), (0.995, 0.99))
LUCK = (0.1, 0.3)  # 0.9 and 2.7 points at an accuracy of 90%
# where few seeds may all miss the bad ones: beyond the grid, to know how far the promise goes
STEEP = ((0.995, 0.99), (0.995, 0.98), (0.995, 0.95))
STEEP_LUCK = (0.6, 1.0)  # of these arms: 1.5 and 2.5 points at an accuracy of 98%
STEEP_SEEDS = (3, 5, 10)
SHARE = (0.0, 1.0)
Cell = dict[str, Any]


def places() -> Iterator[Cell]:
    """The grid."""
    for accuracies, images, luck in itertools.product((*ACCURACIES, *CEILING), IMAGES, LUCK):
        for seeds in SEEDS:
            yield {"seeds": seeds, "images": images, "luck": luck, "accuracies": accuracies}


def steep_places() -> Iterator[Cell]:
    """Unequal arms near the ceiling whose seeds differ very much."""
    for accuracies, luck in itertools.product(STEEP, STEEP_LUCK):
        for seeds in STEEP_SEEDS:
            yield {"seeds": seeds, "images": 1000, "luck": luck, "accuracies": accuracies}


def cell(here: Cell, replays: int) -> Cell:
    """Coverage of each interval in one world."""
    return {**here, "covers": {**_paired(here, replays), **_unpaired(here, replays)}}


def _paired(here: Cell, replays: int) -> dict[str, float]:
    images = here["images"]
    world = World(here["accuracies"], images, seed=here["luck"])
    right, truths = simulate(world, here["seeds"], replays)
    scores, truth = right.mean(axis=3), world.accuracies[0] - world.accuracies[1]
    on_these = truths[0] - truths[1]
    known = np.full(replays, world.accuracies[1])
    return {
        "validation": _share(
            lambda r: score_interval(scores[1, r], SHARE, images), truths[1], replays
        ),
        "validation, difference": _share(
            lambda r: paired_difference(scores[0, r], scores[1, r], bounds=SHARE, items=images),
            on_these,
            replays,
        ),
        "test": _share(lambda r: accuracy_interval(right[1, r]), known, replays),
        "test, difference": _share(
            lambda r: crossed_difference(right[0, r], right[1, r]),
            np.full(replays, truth),
            replays,
        ),
    }


def _unpaired(here: Cell, replays: int) -> dict[str, float]:
    """Arms with seeds of their own, as of two studies."""
    images = here["images"]
    world = World(here["accuracies"], images, seed=here["luck"], shared=0.0)
    right, truths = simulate(world, here["seeds"], replays)
    scores, truth = right.mean(axis=3), world.accuracies[0] - world.accuracies[1]
    return {
        "validation, difference without pairs": _share(
            lambda r: unpaired_difference(scores[0, r], scores[1, r], bounds=SHARE, items=images),
            truths[0] - truths[1],
            replays,
        ),
        "test, difference without pairs": _share(
            lambda r: unpaired_crossed_difference(right[0, r], right[1, r]),
            np.full(replays, truth),
            replays,
        ),
    }


def steep_table(found: list[Cell]) -> list[str]:
    """Markdown: what differences on test cover where luck is very large."""
    lines = [
        "## Very large luck near the ceiling",
        "",
        "Beyond the grid: 1,000 images, arms that differ, seeds whose errors spread as widely as "
        "they are large. That spread is skewed: few seeds may all miss the bad ones, and 95% is "
        "not kept. Coverage of the difference on test:",
        "",
        "| accuracies | luck | " + " | ".join(f"{seeds} seeds" for seeds in STEEP_SEEDS) + " |",
        "|---|---|" + "---|" * len(STEEP_SEEDS),
    ]
    for accuracies, luck in itertools.product(STEEP, STEEP_LUCK):
        here = {
            c["seeds"]: c["covers"]["test, difference"]
            for c in found
            if (tuple(c["accuracies"]), c["luck"]) == (accuracies, luck)
        }
        pair = " and ".join(f"{100 * a:g}%" for a in accuracies)
        cells = " | ".join(f"{here[seeds]:.3f}" for seeds in STEEP_SEEDS)
        lines.append(f"| {pair} | {luck} | {cells} |")
    return [*lines, ""]


def _share(interval: Callable[[int], Interval], truths: Any, replays: int) -> float:
    held = 0
    for replay in range(replays):
        found = interval(replay)
        if found.low is None or found.high is None:
            raise AssertionError("an interval is missing where images are known")
        held += found.low - 1e-9 <= truths[replay] <= found.high + 1e-9
    return held / replays


def table(found: list[Cell], replays: int) -> list[str]:
    """Markdown: the least and the most that each interval covers, by accuracy and images."""
    names = list(found[0]["covers"])
    lines = [
        f"Nominal 95%, {replays:,} replays a cell (Monte-Carlo error at .95: "
        f"{math.sqrt(0.95 * 0.05 / replays):.3f}). Each entry is the least and the most over "
        f"{', '.join(map(str, SEEDS))} seeds and luck of {' and '.join(map(str, LUCK))}.",
        "",
        "| accuracies | images | " + " | ".join(names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    for accuracies in (*ACCURACIES, *CEILING):
        for images in IMAGES:
            here = [
                c["covers"]
                for c in found
                if (tuple(c["accuracies"]), c["images"]) == (accuracies, images)
            ]
            least, most = ([pick(c[n] for c in here) for n in names] for pick in (min, max))
            sides = [f"{low:.3f} to {high:.3f}" for low, high in zip(least, most, strict=True)]
            pair = " and ".join(f"{100 * a:g}%" for a in accuracies)
            lines.append(f"| {pair} | {images:,} | " + " | ".join(sides) + " |")
    return lines
