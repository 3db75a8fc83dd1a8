import math

import pytest

from search.execution.training import falls_short
from search.records.runs import RunResult
from search.settings.study import RungSettings
from search.study.rungs import Rungs


def history(*scores, monitor="val/accuracy"):
    return [{"epoch": i + 1, monitor: score} for i, score in enumerate(scores)]


class Asha:
    """One bracket, whose trials have no numbers."""

    def __init__(self, first, factor, monitor, mode, most=200):
        self.rungs = Rungs(RungSettings("asha", "epochs", first, factor), monitor, mode, 0, most)
        self.epochs = self.rungs.all

    def tell(self, history):
        self.rungs.tell(0, RunResult("trials/0000", 1, "complete", None, history=tuple(history)))

    def cutoffs(self):
        return self.rungs.cutoffs(0)


def test_rungs_are_a_factor_apart():
    assert Asha(5, 3, "val/accuracy", "max").epochs[:4] == (5, 15, 45, 135)
    assert Asha(2, 2, "val/accuracy", "max").epochs[:4] == (2, 4, 8, 16)


def test_rungs_lie_before_the_end():
    assert Asha(5, 3, "val/accuracy", "max", most=45).epochs == (5, 15)
    assert Asha(5, 3, "val/accuracy", "max", most=46).epochs == (5, 15, 45)


def test_without_rungs_no_trial_is_cut_off():
    rungs = Asha(0, 3, "val/accuracy", "max")
    for _ in range(9):
        rungs.tell(history(*[0.5] * 40))
    assert rungs.epochs == ()
    assert rungs.cutoffs() == {}


def test_the_best_third_sets_the_cut_off():
    rungs = Asha(2, 3, "val/accuracy", "max")
    expected = []
    for score in (0.5, 0.9, 0.1, 0.8, 0.2, 0.7, 0.95):
        rungs.tell(history(0.99, score))  # the first epoch does not count
        expected.append(rungs.cutoffs())
    assert expected == [{}, {}, *({2: s} for s in (0.9, 0.9, 0.9, 0.8, 0.9))]


def test_less_is_better_where_the_mode_says_so():
    rungs = Asha(1, 2, "val/loss", "min")
    for loss in (3.0, 1.0, 2.0, 4.0):
        rungs.tell(history(loss, monitor="val/loss"))
    assert rungs.cutoffs() == {1: 2.0}


def test_each_rung_learns_from_those_that_reached_it():
    rungs = Asha(1, 2, "val/accuracy", "max")
    rungs.tell(history(0.1, 0.2))
    rungs.tell(history(0.3))
    assert rungs.cutoffs() == {1: 0.3}
    rungs.tell(history(0.2, 0.6))
    assert rungs.cutoffs() == {1: 0.3, 2: 0.6}


def test_a_training_that_early_stopping_ended_counts_at_later_rungs_by_what_it_keeps():
    rungs = Rungs(RungSettings("asha", "epochs", 1, 2), "val/accuracy", "max", 0, 9)
    whole = {"epochs": 8, "epochs_planned": 8, "history": tuple(history(*[0.5] * 8))}
    rungs.tell(0, RunResult("trials/0000", 1, "complete", 0.5, **whole))
    early = {"epochs": 3, "epochs_planned": 8, "history": tuple(history(0.7, 0.6, 0.6))}
    rungs.tell(1, RunResult("trials/0001", 1, "complete", 0.7, **early))
    assert rungs.cutoffs(2) == {1: 0.7, 2: 0.6, 4: 0.7, 8: 0.7}
    assert max(rungs.scores(RunResult("trials/0001", 1, "complete", 0.7, **early))) == 2


def test_the_order_of_telling_does_not_matter():
    scores = [0.3, 0.1, 0.9, 0.5, 0.7, 0.2]
    found = []
    for order in (scores, scores[::-1], sorted(scores)):
        rungs = Asha(1, 2, "val/accuracy", "max")
        for score in order:
            rungs.tell(history(score))
        found.append(rungs.cutoffs())
    assert found == [{1: 0.5}] * 3


def test_epochs_without_a_score_say_nothing():
    rungs = Asha(1, 2, "val/accuracy", "max")
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


# Hyperband


def hyperband(most=27, seed=0):
    return Rungs(RungSettings("hyperband", "epochs", 1, 3), "val/accuracy", "max", seed, most)


def test_brackets_leave_out_ever_more_rungs():
    rungs = hyperband()
    assert rungs.all == (1, 3, 9)
    kinds = {rungs.of(index) for index in range(200)}
    assert kinds == {(1, 3, 9), (3, 9), (9,), ()}


def test_brackets_get_their_share_of_the_trials():
    """Each costs about the same: of many trials that stop early, or of few that do not."""
    rungs = hyperband()
    counts = {}
    for index in range(20_000):
        rung = rungs.of(index)
        counts[len(rung)] = counts.get(len(rung), 0) + 1
    weights = {k: 3**k / (k + 1) for k in range(4)}
    for k, count in counts.items():
        assert count / 20_000 == pytest.approx(weights[k] / sum(weights.values()), abs=0.012)


def test_a_bracket_depends_on_the_seed_and_the_trial_only():
    first, again, other = hyperband(), hyperband(), hyperband(seed=1)
    assert [first.of(i) for i in range(50)] == [again.of(i) for i in range(50)]
    assert [first.of(i) for i in range(50)] != [other.of(i) for i in range(50)]


def test_brackets_do_not_learn_from_each_other():
    rungs = hyperband()
    by_kind = {}
    for index in range(300):
        by_kind.setdefault(rungs.of(index), []).append(index)
    whole, later = by_kind[1, 3, 9], by_kind[3, 9]
    for place, index in enumerate(whole[:6]):
        scores = history(*[place / 10] * 9)
        rungs.tell(index, RunResult("", 1, "complete", None, history=tuple(scores)))
    assert rungs.cutoffs(whole[7]) == {1: 0.4, 3: 0.4, 9: 0.4}
    assert rungs.cutoffs(later[0]) == {}
    assert rungs.cutoffs(by_kind[()][0]) == {}


# Images


def test_rungs_may_be_trainings_on_few_images():
    settings = RungSettings("asha", "images", 100, 3)
    rungs = Rungs(settings, "val/accuracy", "max", 0, most=900)
    assert rungs.all == (100, 300)
    for score in (0.1, 0.5, 0.3):
        scores = {"100": score, "300": score + 0.2}
        ended = {"epochs": 7, "epochs_planned": 9}  # by early stopping: no rung is an epoch here
        rungs.tell(0, RunResult("", 1, "complete", 0.9, rungs=scores, **ended))
    assert rungs.cutoffs(0) == {100: 0.5, 300: 0.7}
