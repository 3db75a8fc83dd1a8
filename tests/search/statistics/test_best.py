"""The set of the best: by hand, and how often it holds the best."""

import numpy as np
import pytest

from search.statistics.best import selected_confidence, set_of_the_best
from search.statistics.intervals import Difference, paired_difference


def difference(mean, one_sided):
    """A difference whose p-values are known: v alone, so wide that p comes out."""
    from scipy import stats

    error = abs(mean) / stats.norm.isf(one_sided)
    return Difference(mean, 0, 0, 5, 2 * one_sided, 0, error, 10**9, mean, 4, 10**9)


def test_a_row_leaves_where_any_other_beats_it_at_its_share_of_the_level():
    # three rows: each is tested against two others, at .025
    differences = {
        (0, 1): difference(0.1, 0.02),
        (0, 2): difference(0.1, 0.03),
        (1, 2): difference(-0.1, 0.4),
    }
    assert set_of_the_best(differences, 3) == (True, False, True)
    assert set_of_the_best(differences, 3, sign=-1) == (False, True, True)
    assert set_of_the_best(differences, 3, level=0.01) == (True, True, True)
    turned = {(1, 0): difference(-0.1, 0.02), (0, 2): None}
    assert set_of_the_best(turned, 3) == (True, False, True)
    assert set_of_the_best({}, 1) == (True,)


@pytest.mark.parametrize("rows", [3, 10])
def test_it_holds_the_best_of_equals(rows):
    """The hardest case: all are equal, and any of them may look beaten."""
    rng, replays, lost = np.random.default_rng(rows), 400, 0
    for _ in range(replays):
        scores = rng.normal(0.9, 0.01, (rows, 1)) * 0 + 0.9 + rng.normal(0, 0.01, (rows, 5))
        pairs = {(0, j): paired_difference(scores[0], scores[j]) for j in range(1, rows)}
        lost += not set_of_the_best(pairs, rows)[0]
    assert lost / replays <= 0.07


def test_the_interval_of_a_selected_row():
    assert selected_confidence(1) == 0.95
    assert selected_confidence(10) == pytest.approx(0.995)
