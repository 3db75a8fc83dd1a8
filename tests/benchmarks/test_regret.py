"""Regret on tables made by hand."""

import numpy as np
import pytest

from benchmarks.tabular.methods import Course, Step
from benchmarks.tabular.regret import Regret, band, by_cost, by_trials, regret, share_of_cost
from benchmarks.tabular.table import Table, Training

# Final scores by candidate and seed; a training takes 10, 20 or 30 seconds for 2 epochs.
FINALS = {"a": (0.9, 0.5, 0.7), "b": (0.8, 0.9, 0.9), "c": (0.6, 0.6, 0.6)}


@pytest.fixture
def small():
    return Table(
        [
            Training(name, seed, 10.0 * (1 + place), 1, 1, {"val/accuracy": (0.1, score)})
            for place, (name, scores) in enumerate(FINALS.items())
            for seed, score in enumerate(scores)
        ],
        {name: {"x": name} for name in FINALS},
    )


def test_regret_is_of_the_best_complete_trial_so_far(small):
    steps = (
        Step("b", 1, complete=False),  # stopped: nothing is known yet
        Step("c", 2, complete=True),
        Step("a", 2, complete=True),  # best on the search's seed, not on the others
        Step("b", 2, complete=True),
    )
    found = regret(Course(0, steps, 0.0), small, "val/accuracy")
    np.testing.assert_allclose(found.seen, [0.4 / 3, 0.3, 0.0, 0.0])
    np.testing.assert_allclose(found.gained, [(0.3 + 0.3) / 3, 0.3, 0.3, 0.3])
    np.testing.assert_allclose(found.spent, [10, 40, 50, 70])
    assert found.start == pytest.approx((0.4 / 3, 0.2))


def test_a_pruned_last_epoch_costs_all_and_counts_for_nothing(small):
    found = regret(Course(1, (Step("b", 2, complete=False),), 0.0), small, "val/accuracy")
    assert found.spent.tolist() == [20.0]
    assert found.seen.tolist() == [found.start[0]]


def search(seen, spent, start=1.0):
    values = np.array(seen, float)
    return Regret(values, values, np.array(spent, float), (start, start))


def test_lines_by_trials_keep_their_end():
    lines = by_trials([search([0.5, 0.2], [1, 2]), search([0.3], [4])], "seen", 3)
    assert lines.tolist() == [[0.5, 0.2, 0.2], [0.3, 0.3, 0.3]]


def test_lines_by_cost_step_when_a_trial_is_paid():
    lines = by_cost([search([0.5, 0.2], [1, 3])], "seen", np.array([0.0, 0.9, 1.0, 2.9, 3.0, 9.0]))
    assert lines.tolist() == [[1.0, 1.0, 0.5, 0.5, 0.2, 0.2]]


def test_the_share_of_cost_is_where_the_mean_first_gets_there():
    baseline = [search([0.5, 0.1], [50, 100]), search([0.5, 0.1], [50, 100])]
    share, low, high = share_of_cost(baseline, baseline, "seen")
    assert share == low == high == 1.0
    mine = [search([0.1], [20]), search([0.3, 0.1], [10, 40])]  # mean: .2 at 20, .1 at 40
    share, low, high = share_of_cost(mine, baseline, "seen")
    assert (share, low, high) == pytest.approx((0.4, 0.2, 0.4))
    worse = [search([0.3], [20]), search([0.3], [20])]
    assert share_of_cost(worse, baseline, "seen") == (np.inf, np.inf, np.inf)


def test_a_band_holds_its_middle():
    rng = np.random.default_rng(0)
    lines = rng.normal(0, 1, (100, 3))
    middle, low, high = band(lines, "mean")
    assert (low < middle).all()
    assert (middle < high).all()
    np.testing.assert_allclose((high - low) / 2, 1.96 * lines.std(axis=0) / 10, rtol=0.1)
    middle, low, high = band(lines, "median")
    assert ((low <= middle) & (middle <= high)).all()
