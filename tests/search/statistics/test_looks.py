"""Levels of looks: Pocock's published ones, and false alarms of growing comparisons."""

import numpy as np
import pytest
from scipy import stats

from search.statistics.looks import UNPLANNED, level_of_look, pocock_level


@pytest.mark.parametrize(("looks", "published"), [(1, 0.05), (2, 0.0294), (3, 0.0221), (5, 0.0158)])
def test_levels_of_equal_steps_are_pococks(looks, published):
    assert pocock_level(tuple(range(4, 4 * looks + 1, 4))) == pytest.approx(published, abs=2e-4)


def test_a_further_look_that_nobody_planned_adds_little():
    assert level_of_look([5], 1) == 0.05
    further = [level_of_look([5], k) for k in range(2, 200)]
    assert further[0] == pytest.approx(0.0075)
    assert sum(further) <= UNPLANNED
    assert level_of_look([3, 5], 3) == further[0]
    assert level_of_look([3, 5], 2) == pocock_level((3, 5))


@pytest.mark.parametrize("planned", [[], [5, 3], [3, 3], [0, 2]])
def test_looks_rise(planned):
    with pytest.raises(ValueError, match="rising"):
        pocock_level(tuple(planned))


@pytest.mark.parametrize(("planned", "most"), [([3, 5, 8, 10], 0.06), ([3], 0.065)])
def test_growing_seeds_raise_few_false_alarms(planned, most):
    """Seeds are added until a difference is shown; there is none."""
    draws = np.random.default_rng(0).normal(size=(20_000, 10))
    alarms = np.zeros(len(draws), dtype=bool)
    for look, seeds in enumerate((3, 5, 8, 10), 1):
        p_values = stats.ttest_1samp(draws[:, :seeds], 0, axis=1).pvalue
        alarms |= p_values < level_of_look(planned, look)
    assert alarms.mean() <= most
    at_5_percent = [stats.ttest_1samp(draws[:, :n], 0, axis=1).pvalue < 0.05 for n in (3, 5, 8, 10)]
    assert np.any(at_5_percent, axis=0).mean() > 0.11
