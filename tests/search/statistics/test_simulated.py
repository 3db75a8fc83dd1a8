"""Intervals and tests on simulated scores: what they cover, call different, and find.

``python -m benchmarks.simulated`` does the same over a wider grid and prints the table.
"""

import numpy as np
import pytest
from scipy import special

from benchmarks.simulated.worlds import World, simulate
from search.statistics import intervals
from search.statistics.intervals import (
    crossed_difference,
    paired_difference,
    score_interval,
)
from search.statistics.multiplicity import holm
from search.statistics.power import detectable_difference
from search.statistics.probabilities import accuracy_interval, probability_of_beating
from search.statistics.quantiles import half_width

WORLDS = [
    World((0.80, 0.85), 360, seed=0.3),
    World((0.97, 0.95), 200),
    World((0.92, 0.90), 1000),
]
CEILING = [  # where nearly all images are right and few of them tell arms apart
    World((0.99, 0.95), 30),
    World((0.995, 0.995), 30, seed=0.3),
    World((0.995, 0.98), 100),
    World((0.99, 0.98), 100, seed=0.3),
]


def covered(found, truths):
    """Share of the intervals that hold the truth; seeds that all agree give none, and are few."""
    pairs = [(i, t) for i, t in zip(found, truths, strict=True) if i.low is not None]
    assert len(pairs) >= 0.95 * len(truths)
    return np.mean([i.low <= t <= i.high for i, t in pairs])


@pytest.fixture
def no_p_values(monkeypatch):
    """Coverage asks for none, and the search for them takes longest."""
    monkeypatch.setattr(intervals, "level_at", lambda *_: 1.0)


def called(difference):
    return difference.p_value is not None and difference.p_value < 0.05


@pytest.mark.parametrize(
    ("world", "seeds"),
    [
        *((WORLDS[0], 3), (WORLDS[0], 10), (WORLDS[1], 3), (WORLDS[2], 10)),
        (World((0.95, 0.96), 2000), 3),
    ],
    ids=lambda v: str(v) if isinstance(v, int) else f"{v.images} images, {v.accuracies[0]}",
)
def test_intervals_over_seeds_and_over_images_too_cover(world, seeds, no_p_values):
    right, truths = simulate(world, seeds, 1000)
    scores = right.mean(axis=3)
    means = [score_interval(s, (0, 1), world.images) for s in scores[0]]
    assert 0.93 <= covered(means, truths[0]) <= 0.97
    differences = [
        paired_difference(a, b, items=world.images) for a, b in zip(*scores, strict=True)
    ]
    assert 0.93 <= covered(differences, truths[0] - truths[1]) <= 0.97
    first, second = world.accuracies
    differences = [crossed_difference(a, b) for a, b in zip(*right, strict=True)]
    assert 0.93 <= covered(differences, [first - second] * len(differences)) <= 0.97
    singles = [accuracy_interval(a) for a in right[0]]
    assert 0.93 <= covered(singles, [first] * len(singles)) <= 0.98
    # the estimate itself leans to no side
    estimates = np.array([d.mean for d in differences])
    assert abs(estimates.mean() - (first - second)) < 4 * estimates.std() / len(estimates) ** 0.5


@pytest.mark.parametrize("world", CEILING, ids=lambda w: f"{w.images} images, {w.accuracies}")
@pytest.mark.parametrize("seeds", [3, 10])
def test_near_the_ceiling_intervals_cover_no_less(world, seeds, no_p_values):
    """More is allowed there. t intervals of the scores cover .4 to .8 of these."""
    right, truths = simulate(world, seeds, 500)
    first, second = world.accuracies
    crossed = [crossed_difference(a, b) for a, b in zip(*right, strict=True)]
    assert covered(crossed, [first - second] * len(crossed)) >= 0.93
    assert covered([accuracy_interval(a) for a in right[0]], [first] * len(crossed)) >= 0.93
    scores, items = right.mean(axis=3), world.images
    assert covered([score_interval(s, (0, 1), items) for s in scores[1]], truths[1]) >= 0.93
    paired = [paired_difference(a, b, items=items) for a, b in zip(*scores, strict=True)]
    assert covered(paired, truths[0] - truths[1]) >= 0.93


@pytest.mark.parametrize("accuracy", [0.8, 0.97])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_an_arm_against_itself_is_rarely_called_different(accuracy, seeds):
    right, _ = simulate(World((accuracy, accuracy), 300, suits=0), seeds, 800)
    crossed = [called(crossed_difference(a, b)) for a, b in zip(*right, strict=True)]
    scores = right.mean(axis=3)
    paired = [called(paired_difference(a, b)) for a, b in zip(*scores, strict=True)]
    assert np.mean(crossed) <= 0.065
    assert np.mean(paired) <= 0.065
    wins = [probability_of_beating(a, b) for a, b in zip(*scores, strict=True)]
    assert np.mean([not w.low <= 0.5 <= w.high for w in wins]) <= 0.05


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_a_family_of_equal_arms_rarely_holds_a_difference(seeds):
    arms = 4
    right, _ = simulate(World((0.9,) * arms, 200), seeds, 800)
    family_errors = 0
    for replay in range(right.shape[1]):
        baseline, *others = right[:, replay]
        p_values = [crossed_difference(arm, baseline).p_value for arm in others]
        family_errors += min(holm(p_values)) < 0.05
    assert family_errors / right.shape[1] <= 0.065


@pytest.mark.parametrize(("seeds", "most"), [(2, 1.75), (3, 1.3), (5, 1.1), (10, 1.1)])
@pytest.mark.parametrize("level", [0.05, 0.01, 0.05 / 44])
@pytest.mark.parametrize("ratio", [0.5, 1, 2, 4, 8])
def test_small_levels_are_kept_for_every_mix_of_seeds_and_images(seeds, most, level, ratio):
    """Under the null, with the seed part u from S - 1 degrees of freedom and v from 300.

    Given the standard errors seen, the mean is beyond the half width with the normal's chance, so
    that chance is averaged: far fewer draws than counting needs.
    """
    draws = 40_000
    rng = np.random.default_rng(seeds)
    seen_u = ratio * np.sqrt(rng.chisquare(seeds - 1, draws) / (seeds - 1))
    seen_v = np.sqrt(rng.chisquare(300, draws) / 300)
    half = half_width(level, seen_u, seeds - 1, seen_v, 300)
    beyond = 2 * special.ndtr(-half / np.hypot(ratio, 1))
    assert beyond.mean() / level <= most


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_a_known_effect_is_found_as_often_as_promised(seeds):
    rng, spread, replays = np.random.default_rng(seeds), 0.01, 2000
    effect = detectable_difference(seeds, 0, spread, 0)
    seed_effects = rng.normal(0, 0.02, (replays, seeds))
    first = 0.9 + effect + seed_effects + rng.normal(0, spread / 2**0.5, (replays, seeds))
    second = 0.9 + seed_effects + rng.normal(0, spread / 2**0.5, (replays, seeds))
    found = [paired_difference(a, b) for a, b in zip(first, second, strict=True)]
    estimates = np.array([d.mean for d in found])
    assert estimates.mean() == pytest.approx(effect, abs=4 * estimates.std() / replays**0.5)
    assert np.mean([d.p_value < 0.05 for d in found]) == pytest.approx(0.8, abs=0.03)
