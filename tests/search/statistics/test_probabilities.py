import math

import numpy as np
import pytest
from scipy import stats

from search.statistics.crossed import crossed_parts
from search.statistics.probabilities import accuracy_interval, probability_of_beating


def test_wins_in_every_pair():
    found = probability_of_beating([0.9, 0.8, 0.95], [0.8, 0.7, 0.94])
    assert (found.mean, found.high, found.n) == (1.0, 1.0, 3)
    assert found.low == pytest.approx(0.025 ** (1 / 3))  # P(3 wins of 3) = p^3 = .025


def test_losses_in_every_pair_are_the_mirror():
    ours = probability_of_beating([1, 2, 3, 4], [2, 3, 4, 5])
    theirs = probability_of_beating([2, 3, 4, 5], [1, 2, 3, 4])
    assert (ours.mean, ours.low) == (0.0, 0.0)
    assert ours.high == pytest.approx(1 - theirs.low)


def test_ties_count_one_half():
    assert probability_of_beating([1, 1, 1, 1], [1, 1, 1, 1]).mean == 0.5
    assert probability_of_beating([1, 2, 1], [1, 1, 2]).mean == 0.5
    assert probability_of_beating([2, 2, 1], [1, 1, 1]).mean == pytest.approx(2.5 / 3)


@pytest.mark.parametrize("n", range(3, 11))
def test_it_agrees_with_the_sign_test(n):
    for wins in range(n + 1):
        found = probability_of_beating([1] * wins + [0] * (n - wins), [0] * wins + [1] * (n - wins))
        expected = stats.binomtest(wins, n).proportion_ci(method="exact")
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        rejects = stats.binomtest(wins, n).pvalue < 0.05
        assert (not found.low <= 0.5 <= found.high) == rejects


@pytest.mark.parametrize("n", [3, 5, 10])
def test_it_never_covers_less_than_it_says(n):
    bounds = []
    for wins in range(n + 1):
        found = probability_of_beating(np.arange(n) < wins, np.full(n, 0.5))
        bounds.append((found.low, found.high))
    for p in np.linspace(0.01, 0.99, 99):
        held = [low <= p <= high for low, high in bounds]
        assert stats.binom.pmf(np.arange(n + 1), n, p)[held].sum() >= 0.95


@pytest.mark.parametrize(("a", "b"), [([], []), ([1], [1, 2]), ([float("nan")], [1])])
def test_what_is_no_pair_is_refused(a, b):
    with pytest.raises(ValueError, match="finite pairs"):
        probability_of_beating(a, b)


def test_an_accuracy_of_equal_seeds_is_wilsons_interval():
    """With one outcome an image whatever the seed, only images count: Wilson with t for z.

    The count is effective: 45 and 5 of 50, with one right and one wrong image more.
    """
    items = np.array([1.0] * 45 + [0.0] * 5)
    found = accuracy_interval(np.stack([items] * 4))
    t, n, p = stats.t.ppf(0.975, 51), 51, 0.9  # the variance divides by 52 - 1
    assert (found.low, found.high) == pytest.approx(
        [x for x in sorted(np.roots([1 + t**2 / n, -(2 * p + t**2 / n), p**2]))]
    )


def test_an_accuracy_interval_is_skewed_and_stays_inside():
    correct = np.random.default_rng(0).random((3, 50)) < 0.98
    found, (mean, u, v, *_) = accuracy_interval(correct), crossed_parts(correct)
    assert mean + 2 * math.hypot(u, v) > 1 >= found.high
    assert found.mean - found.low > found.high - found.mean
    low, mean, high = 0.3, 0.5, 0.7
    centred = accuracy_interval(np.random.default_rng(1).random((5, 5000)) < mean)
    assert low < centred.low < centred.high < high
    assert centred.high - centred.mean == pytest.approx(centred.mean - centred.low, rel=0.05)


def test_an_accuracy_of_one_is_not_certain():
    found = accuracy_interval(np.ones((3, 60)))
    assert (found.mean, found.high) == (1.0, 1.0)
    t = stats.t.ppf(0.975, 61)
    assert found.low == pytest.approx(61 / (61 + t**2))
    patients = [f"p{i // 6}" for i in range(60)]
    assert accuracy_interval(np.ones((3, 60)), groups=patients).low < found.low
    assert accuracy_interval(np.zeros((3, 60))).low == 0.0


def test_one_seed_has_no_interval():
    assert accuracy_interval([[1, 0, 1]]).low is None
