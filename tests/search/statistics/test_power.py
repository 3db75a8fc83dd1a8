"""What can be found is found as often as promised, by simulation."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from search.statistics.intervals import crossed_difference
from search.statistics.power import (
    detectable_at,
    detectable_difference,
)


def test_what_is_detectable_is_found_with_the_stated_power():
    delta = detectable_difference(5, 0, 0.02, 0)
    draws = np.random.default_rng(0).normal(delta, 0.02, (20_000, 5))
    found = stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("seeds", [2, 3, 10, 100])
def test_what_is_detectable_scales(seeds):
    delta = detectable_difference(seeds, 0, 1.0, 0)
    assert detectable_difference(seeds, 0, 0.5, 0) == pytest.approx(delta / 2)
    assert delta > detectable_difference(seeds + 1, 0, 1.0, 0)
    assert delta > 2.8 / math.sqrt(seeds)  # what a known spread would need


def test_one_seed_detects_nothing():
    assert detectable_difference(1, 0, 0.01, 0) == math.inf


@pytest.mark.parametrize("level", [0.05, 0.05 / 44])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_without_images_it_is_the_paired_t_test(seeds, level):
    df, error = seeds - 1, 0.02 / seeds**0.5
    critical = stats.t.ppf(1 - level / 2, df)

    def missing_power(noncentrality):
        above = stats.nct.sf(critical, df, noncentrality)
        return above + np.nan_to_num(stats.nct.cdf(-critical, df, noncentrality)) - 0.8

    expected = optimize.brentq(missing_power, 0, 2 * (critical + 3)) * error
    found = detectable_difference(seeds, 0, 0.02, 0.3, level)
    assert found == detectable_at(error, df, 0, 1, level) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("seeds", [3, 8])
def test_few_images_hide_what_seeds_would_show(seeds):
    """Arms that differ on some images in all seeds: the crossed test finds what is promised."""
    rng, images, q, noise = np.random.default_rng(seeds), 360, 0.08, 0.02
    promised = detectable_difference(seeds, images, (noise / images) ** 0.5, q**0.5)
    assert promised > 1.5 * detectable_difference(seeds, 0, (noise / images) ** 0.5, q**0.5)
    won, found, replays = (q + promised) / 2, 0, 400
    for _ in range(replays):
        sign = rng.choice([1, -1, 0], size=images, p=[won, q - won, 1 - q])
        first = np.broadcast_to(sign > 0, (seeds, images)).astype(float)
        second = np.broadcast_to(sign < 0, (seeds, images)).astype(float)
        flips = rng.random((2, seeds, images)) < noise / 2
        first, second = np.where(flips, 1 - np.stack([first, second]), [first, second])
        difference = crossed_difference(first, second)
        found += difference.p_value < 0.05 and difference.mean > 0
    assert found / replays == pytest.approx(0.8, abs=0.08)
