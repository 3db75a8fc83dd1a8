import pytest
from scipy import stats

from search.statistics.probabilities import share_upper_bound
from search.statistics.wilson import wilson


@pytest.mark.parametrize(("successes", "count"), [(9, 10), (10, 10), (0, 7), (81, 263)])
def test_wilsons_interval_of_whole_counts_is_scipys(successes, count):
    expected = stats.binomtest(successes, count).proportion_ci(method="wilson")
    found = wilson(successes / count, stats.norm.ppf(0.975) ** 2 / count)
    assert found == pytest.approx((expected.low, expected.high))


def test_a_finite_population_that_was_looked_at_is_known():
    assert share_upper_bound(3, 10, 10) == 0.3
    # none of 5 of 20: with 9 such P(none) = C(11, 5) / C(20, 5) = .030, with 8 it is .051
    assert share_upper_bound(0, 5, 20) == pytest.approx(8 / 20)
    # the binomial bound would be 1 - .05^(1/5) = .45
    assert share_upper_bound(0, 5, 10**6) == pytest.approx(1 - 0.05**0.2, abs=1e-4)


@pytest.mark.parametrize("such", [0, 3, 10, 20])
def test_the_bound_holds_as_often_as_it_says(such):
    chances = [stats.hypergeom.pmf(k, 20, such, 6) for k in range(7)]
    held = sum(
        chance
        for k, chance in enumerate(chances)
        if chance > 0 and share_upper_bound(k, 6, 20) >= such / 20
    )
    assert held >= 0.95


@pytest.mark.parametrize("counts", [(-1, 2, 3), (3, 2, 5), (1, 5, 3), (0, 0, 0)])
def test_counts_that_contradict_one_another_are_refused(counts):
    with pytest.raises(ValueError, match="cannot be"):
        share_upper_bound(*counts)
