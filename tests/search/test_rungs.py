import math

import pytest

from search.rungs import Rungs, falls_short


def history(*scores, monitor="val/accuracy"):
    return [{"epoch": i + 1, monitor: score} for i, score in enumerate(scores)]


def test_rungs_are_a_factor_apart():
    assert Rungs(5, 3, "val/accuracy", "max").epochs[:4] == (5, 15, 45, 135)
    assert Rungs(2, 2, "val/accuracy", "max").epochs[:4] == (2, 4, 8, 16)


def test_without_rungs_no_trial_is_cut_off():
    rungs = Rungs(0, 3, "val/accuracy", "max")
    for _ in range(9):
        rungs.tell(history(*[0.5] * 40))
    assert rungs.epochs == ()
    assert rungs.cutoffs() == {}


def test_the_best_third_sets_the_cut_off():
    rungs = Rungs(2, 3, "val/accuracy", "max")
    expected = []
    for score in (0.5, 0.9, 0.1, 0.8, 0.2, 0.7, 0.95):
        rungs.tell(history(0.99, score))  # the first epoch does not count
        expected.append(rungs.cutoffs())
    assert expected == [{}, {}, *({2: s} for s in (0.9, 0.9, 0.9, 0.8, 0.9))]


def test_less_is_better_where_the_mode_says_so():
    rungs = Rungs(1, 2, "val/loss", "min")
    for loss in (3.0, 1.0, 2.0, 4.0):
        rungs.tell(history(loss, monitor="val/loss"))
    assert rungs.cutoffs() == {1: 2.0}


def test_each_rung_learns_from_those_that_reached_it():
    rungs = Rungs(1, 2, "val/accuracy", "max")
    rungs.tell(history(0.1, 0.2))
    rungs.tell(history(0.3))
    assert rungs.cutoffs() == {1: 0.3}
    rungs.tell(history(0.2, 0.6))
    assert rungs.cutoffs() == {1: 0.3, 2: 0.6}


def test_the_order_of_telling_does_not_matter():
    scores = [0.3, 0.1, 0.9, 0.5, 0.7, 0.2]
    found = []
    for order in (scores, scores[::-1], sorted(scores)):
        rungs = Rungs(1, 2, "val/accuracy", "max")
        for score in order:
            rungs.tell(history(score))
        found.append(rungs.cutoffs())
    assert found == [{1: 0.5}] * 3


def test_epochs_without_a_score_say_nothing():
    rungs = Rungs(1, 2, "val/accuracy", "max")
    rungs.tell(history(math.nan))
    rungs.tell([{"epoch": 1, "train/loss": 3.0}])
    rungs.tell([{"epoch": 1, "val/accuracy": None}])
    rungs.tell([])
    assert rungs.cutoffs() == {}
    rungs.tell(history(0.5))
    rungs.tell(history(0.4))
    assert rungs.cutoffs() == {1: 0.5}


@pytest.mark.parametrize(
    ("score", "cutoff", "mode", "short"),
    [
        (0.4, 0.5, "max", True),
        (0.5, 0.5, "max", False),
        (0.6, 0.5, "max", False),
        (0.4, 0.5, "min", False),
        (0.5, 0.5, "min", False),
        (0.6, 0.5, "min", True),
        (math.nan, 0.5, "max", True),
        (math.nan, 0.5, "min", True),
    ],
)
def test_a_score_at_the_cut_off_goes_on(score, cutoff, mode, short):
    assert falls_short(score, cutoff, mode) is short
