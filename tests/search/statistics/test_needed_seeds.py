"""Numbers of seeds against the noncentral t, and against draws."""

import math

import numpy as np
import pytest
from scipy import stats

from search.statistics.needed_seeds import (
    Spread,
    images_to_find,
    seeds_to_equal,
    seeds_to_find,
    with_doubt,
)


def power_of_paired_t(difference, std, seeds, level):
    at = stats.t.ppf(1 - level / 2, seeds - 1)
    shift = difference / std * math.sqrt(seeds)
    return stats.nct.sf(at, seeds - 1, shift) + stats.nct.cdf(-at, seeds - 1, shift)


@pytest.mark.parametrize("level", [0.05, 0.05 / 8])
@pytest.mark.parametrize("difference", [0.5, 1.0, -2.0])
def test_without_images_it_is_the_paired_t_test(difference, level):
    wanted = next(
        n for n in range(2, 1000) if power_of_paired_t(abs(difference), 1.0, n, level) >= 0.8
    )
    found = seeds_to_find(difference, Spread(5, 1 / math.sqrt(5), 0.0, 0, level))
    assert abs(found - wanted) <= 1


def test_seeds_that_show_equal_arms_equal_do_so_four_times_in_five():
    spread = Spread(5, 1 / math.sqrt(5), 0.0, 0, 0.05)
    for sides in (1, 2):
        seeds = seeds_to_equal(1.0, spread, sides)
        rng = np.random.default_rng(0)
        d = rng.normal(size=(20_000, seeds))
        half = stats.t.ppf(0.975, seeds - 1) * d.std(1, ddof=1) / math.sqrt(seeds)
        low, high = d.mean(1) - half > -1, d.mean(1) + half < 1
        within = low if sides == 1 else low & high
        assert within.mean() == pytest.approx(0.8, abs=0.1)
    assert seeds_to_equal(1.0, spread, 1) < seeds_to_equal(1.0, spread, 2)


def test_the_range_is_that_of_the_spread():
    """Of 95 in 100 draws of a few seeds, the range holds what the true spread needs."""
    true = Spread(5, 1 / math.sqrt(5), 0.0, 0, 0.05)
    wanted = seeds_to_find(1.0, true)
    rng = np.random.default_rng(0)
    held = 0
    for std in rng.normal(size=(200, 5)).std(1, ddof=1):
        drawn = Spread(5, float(std) / math.sqrt(5), 0.0, 0, 0.05)
        low, high = (end.u / true.u for end in drawn.ends())
        held += low <= 1 <= high
    assert held / 200 == pytest.approx(0.95, abs=0.035)
    needed = with_doubt(lambda spread: seeds_to_find(1.0, spread), true)
    assert needed.seeds == wanted and needed.low < wanted < needed.high
    assert with_doubt(lambda spread: 9, Spread(2, 1.0, 0.0, 0, 0.05)) is None


def test_seeds_do_nothing_to_the_images():
    spread = Spread(5, 0.001, 0.01, 400, 0.05)
    assert seeds_to_find(0.02, spread) is None
    assert 400 < images_to_find(0.02, spread) < 1600
    assert images_to_find(0.05, spread) is None
    assert images_to_find(0.02, Spread(5, 0.1, 0.0, 0, 0.05)) is None
    assert seeds_to_equal(0.02, spread) is None
