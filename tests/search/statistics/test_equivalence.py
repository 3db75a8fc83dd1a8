import numpy as np
import pytest
from scipy import stats

from search.statistics.intervals import crossed_difference, equivalence_p, paired_difference


def test_it_is_two_one_sided_tests():
    first, second = [0.90, 0.93, 0.91, 0.95, 0.92], [0.90, 0.925, 0.915, 0.945, 0.925]
    found = paired_difference(first, second)
    difference = np.subtract(first, second)
    above = stats.ttest_1samp(difference, -0.01, alternative="greater").pvalue
    below = stats.ttest_1samp(difference, 0.01, alternative="less").pvalue
    assert equivalence_p(found, 0.01) == pytest.approx(max(above, below))
    inside = found.at(0.9)
    assert (equivalence_p(found, 0.01) < 0.05) == (-0.01 < inside.low and inside.high < 0.01)


@pytest.mark.parametrize("images", [30, 3000])
def test_equal_arms_are_equal_where_there_are_images_enough(images):
    right = np.random.default_rng(0).random((5, images)) < 0.95
    p = equivalence_p(crossed_difference(right, right), 0.01)
    assert (p < 0.05) == (images == 3000)


@pytest.mark.parametrize("margin", [0, -1, float("nan")])
def test_a_margin_is_above_0(margin):
    with pytest.raises(ValueError, match="margin"):
        equivalence_p(paired_difference([1, 2], [1, 3]), margin)


def test_a_single_seed_tells_nothing():
    assert equivalence_p(paired_difference([0.9], [0.9]), 0.01) is None


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_arms_at_the_margin_are_rarely_called_equal(seeds):
    rng = np.random.default_rng(seeds)
    draws = rng.normal(0.01, 0.005, (1000, seeds))
    called = [equivalence_p(paired_difference(d, np.zeros(seeds)), 0.01) < 0.05 for d in draws]
    assert np.mean(called) <= 0.06
