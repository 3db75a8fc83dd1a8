"""Differences over seeds of their own: against scipy, and what they cover on simulated scores."""

import numpy as np
import pytest
from scipy import special, stats

from search.statistics.crossed import by_group
from search.statistics.unpaired import unpaired_crossed_difference, unpaired_difference


def test_over_seeds_it_is_welch():
    first, second = [0.90, 0.93, 0.95, 0.91], [0.85, 0.80, 0.88]
    expected = stats.ttest_ind(first, second, equal_var=False)
    found = unpaired_difference(first, second)
    assert found.mean == pytest.approx(np.mean(first) - np.mean(second))
    assert found.p_value == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.items, found.n) == (0, 3)
    turned = unpaired_difference(second, first)
    assert (turned.mean, turned.p_value) == pytest.approx((-found.mean, found.p_value))


def test_a_single_seed_has_no_interval():
    found = unpaired_difference([0.9], [0.8, 0.7])
    assert (found.low, found.high, found.p_value) == (None, None, None)
    assert found.mean == pytest.approx(0.15)


def test_groups_of_one_image_are_images_and_twins_count_once():
    rng = np.random.default_rng(0)
    first, second = rng.random((3, 40)) < 0.9, rng.random((4, 40)) < 0.8
    names = [f"g{i:02d}" for i in range(40)]
    plain = unpaired_crossed_difference(first, second)
    alone = unpaired_crossed_difference(first, second, groups=names)
    assert (alone.low, alone.high) == pytest.approx((plain.low, plain.high))
    twins = [np.repeat(x, 2, axis=1) for x in (first, second)]
    found = unpaired_crossed_difference(*twins, groups=list(np.repeat(names, 2)))
    assert (found.low, found.high, found.items) == pytest.approx((plain.low, plain.high, 40))
    assert by_group(twins[0].astype(float), list(np.repeat(names, 2)), 0.9).shape == (3, 40)


@pytest.mark.parametrize(
    ("first", "second"),
    [([[1.0, 0.0]], [[1.0]]), ([1.0, 0.0], [[1.0]]), ([[np.nan]], [[1.0]]), ([[]], [[]])],
)
def test_scores_that_cannot_be_compared_are_refused(first, second):
    with pytest.raises(ValueError, match=r"give shared items|need a finite"):
        unpaired_crossed_difference(first, second)


def simulate(accuracies, seeds, images, skill, replays):
    """Right or wrong of two arms (replays, seeds, images); images are shared, seeds are not."""
    rng = np.random.default_rng([*seeds, images])
    total = np.sqrt(skill**2 + 1.5**2 + 0.4**2 + 1)
    ease = 1.5 * rng.standard_normal((replays, 1, images))
    right = []
    for accuracy, count in zip(accuracies, seeds, strict=True):
        level = special.ndtri(accuracy) * total + ease
        level = level + 0.4 * rng.standard_normal((replays, 1, images))
        level = level + skill * rng.standard_normal((replays, count, 1))
        right.append(level + rng.standard_normal((replays, count, images)) > 0)
    return right


@pytest.mark.parametrize("seeds", [(3, 3), (5, 5), (3, 10), (10, 10)])
@pytest.mark.parametrize(("accuracies", "skill"), [((0.80, 0.85), 0.3), ((0.95, 0.93), 0.1)])
def test_intervals_cover_new_seeds_and_images(seeds, accuracies, skill):
    right = simulate(accuracies, seeds, 200, skill, 1000)
    truth = accuracies[0] - accuracies[1]
    found = [unpaired_crossed_difference(a, b) for a, b in zip(*right, strict=True)]
    covered = np.mean([d.low <= truth <= d.high for d in found])
    assert 0.93 <= covered <= 0.98
    agree = [(d.p_value < 0.05) == (not d.low <= 0 <= d.high) for d in found]
    assert all(agree)


@pytest.mark.parametrize("seeds", [(3, 3), (5, 5), (3, 10)])
def test_intervals_over_seeds_cover(seeds):
    rng = np.random.default_rng(seeds)
    first = rng.normal(0.9, 0.01, (1000, seeds[0]))
    second = rng.normal(0.88, 0.02, (1000, seeds[1]))
    found = [unpaired_difference(a, b) for a, b in zip(first, second, strict=True)]
    assert 0.93 <= np.mean([d.low <= 0.02 <= d.high for d in found]) <= 0.975
