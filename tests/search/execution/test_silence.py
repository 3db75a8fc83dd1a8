"""Silent trainings: which are given up, and which only look so. All by a clock of the test's."""

import dataclasses

import pytest

from search.execution.silence import Silence
from search.records.runs import RunSpec

MACS, BATCH = 1000, 64


def run(key="a", macs=MACS, batch=BATCH, **changes):
    recipe = {"epochs": 3, "batch_size": batch}
    spec = RunSpec("s", key, "trial", "search", "w_msa", {}, recipe, "v", "c", 7)
    return dataclasses.replace(spec, cost={"macs": macs}, **changes)


class Clocked:
    """A Silence whose clock goes on in steps, as a study looks at it."""

    def __init__(self, factor=20.0, minutes=10.0, **most):
        self.silence, self.now = Silence(factor, minutes, **most), 0.0

    def wait(self, seconds):
        """Which runs are overdue at the end of it."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 10)
            late = dict(self.silence.overdue(self.now))
        return late

    def train(self, spec, seconds=(10, 10, 10, 10), **data):
        """A run from its beginning over its epochs to its end: seconds of each step."""
        *epochs, end = seconds
        self.silence.begin(spec, self.now)
        for number, span in enumerate(epochs, 1):
            self.wait(span)
            self.silence.epoch(spec.key, {"epoch": number, "epochs": len(epochs), **data}, self.now)
        self.wait(end)
        self.silence.done(spec.key, self.now)

    def begin(self, spec, epoch=None, **data):
        self.silence.begin(spec, self.now)
        if epoch is not None:
            self.silence.epoch(spec.key, {"epoch": epoch, "epochs": 3, **data}, self.now)

    def ends_after(self, key, most=100_000):
        """Seconds of silence after which a run is given up; None if it is not."""
        begin = self.now
        while self.now < begin + most:
            if key in self.wait(10):
                return self.now - begin
        return None


@pytest.fixture
def clocked():
    return Clocked()


def test_nothing_is_expected_before_anything_was_seen(clocked):
    clocked.begin(run())
    assert clocked.ends_after("a") is None


@pytest.mark.parametrize(
    ("epochs", "limit"),
    [((10, 10, 40, 10), 20 * 40), ((10, 10, 11, 10), 600), ((10, 50, 90, 10), 20 * 90)],
)
def test_the_limit_is_a_multiple_of_the_slowest_epoch_and_never_under_the_least(
    clocked, epochs, limit
):
    clocked.train(run(), epochs)
    clocked.begin(run("b"), epoch=1)
    assert clocked.ends_after("b") == limit + 10  # the look at the clock after it


def test_the_first_epoch_alone_tells_how_long_one_takes(clocked):
    clocked.begin(run())
    clocked.wait(60)
    clocked.silence.epoch("a", {"epoch": 1, "epochs": 3}, clocked.now)
    assert clocked.ends_after("a") == 20 * 60 + 10


def test_the_machine_may_become_twenty_times_as_slow(clocked):
    clocked.train(run(), (60, 60, 60, 60))
    clocked.begin(run("b"))
    for epoch in (1, 2, 3):
        assert clocked.wait(20 * 60) == {}
        clocked.silence.epoch("b", {"epoch": epoch, "epochs": 3}, clocked.now)
    assert clocked.wait(20 * 60) == {}


@pytest.mark.parametrize(
    ("other", "times"),
    [
        (run("b", macs=5 * MACS), 5),
        (run("b", batch=BATCH // 4), 4),
        (run("b", macs=3 * MACS, batch=BATCH // 2), 6),
        (run("b", macs=MACS // 9, batch=9 * BATCH), 1),  # less than what was seen is no less time
    ],
)
def test_what_costs_more_than_all_that_was_seen_may_take_longer(clocked, other, times):
    clocked.train(run(), (60, 60, 60, 60))
    clocked.begin(other, epoch=1)
    assert clocked.ends_after("b") == times * 20 * 60 + 10


def test_one_that_costs_as_much_says_more_than_one_that_costs_little(clocked):
    clocked.train(run(macs=1), (60, 60, 60, 60))
    clocked.train(run(macs=MACS), (120, 120, 120, 120))
    clocked.begin(run("b"), epoch=1)
    assert clocked.ends_after("b") == 20 * 120 + 10


@pytest.mark.parametrize(
    ("spec", "event"),
    [
        (run("b", data={"source": "large"}), {}),
        (run("b", image_rungs=(100,)), {"images": 100}),
        (run("b", stage="final"), {"epoch": 3}),  # which reads the test images
    ],
    ids=["other data", "few images", "the test"],
)
def test_other_steps_say_nothing_of_a_step(clocked, spec, event):
    clocked.train(run())
    clocked.begin(spec, **{"epoch": 1} | event)
    # it has begun in no time, which says nothing either
    clocked.silence._seen.pop(("begin", *clocked.silence._watched["b"].step[1:]), None)
    assert clocked.ends_after("b") is None


def test_epochs_of_few_images_say_nothing_of_the_training_on_all_that_follows(clocked):
    rungs = run("a", image_rungs=(100,))
    clocked.train(run("c", image_rungs=(100,)), images=100)  # was stopped at the rung
    clocked.begin(rungs)
    for epoch in (1, 2, 3):
        clocked.silence.epoch("a", {"epoch": epoch, "epochs": 3, "images": 100}, clocked.now)
    assert clocked.ends_after("a") is None
    clocked.silence.epoch("a", {"epoch": 1, "epochs": 3}, clocked.now)
    assert clocked.ends_after("a", 20_000) is None


def test_a_training_on_few_images_that_goes_on_may_be_at_any_rung(clocked):
    spec = run("a", image_rungs=(100, 10_000))
    clocked.train(dataclasses.replace(spec, key="b"), images=100)
    clocked.silence.begin(spec, clocked.now, attempt=2)
    assert clocked.ends_after("a") is None


def test_one_that_is_only_measured_is_not_held_against_those_that_begin(clocked):
    clocked.train(run(stage="final"), (10, 10, 10, 3000))
    clocked.silence.begin(run("b", stage="final"), clocked.now, attempt=2, trained=True)
    assert clocked.ends_after("b") == 20 * 3000 + 10


def test_a_time_in_which_the_study_itself_stood_still_does_not_count(clocked):
    clocked.train(run())
    clocked.begin(run("b"), epoch=1)
    clocked.wait(100)
    clocked.now += 50_000  # Ctrl-Z, fg
    assert dict(clocked.silence.overdue(clocked.now)) == {}
    assert clocked.ends_after("b") == 600 - 100 + 10


def test_nor_is_it_learnt_as_an_epoch(clocked):
    clocked.begin(run(), epoch=1)
    clocked.wait(50)
    clocked.now += 50_000
    clocked.silence.epoch("a", {"epoch": 2, "epochs": 3}, clocked.now)
    assert clocked.ends_after("a") == 20 * 50 + 10


def test_references_and_what_has_ended_are_not_watched(clocked):
    clocked.train(run())
    clocked.begin(run("r", recipe=None))
    clocked.begin(run("b"))
    clocked.silence.forget("b")
    assert clocked.wait(10_000) == {}


def test_the_first_training_may_not_hang_for_ever_either():
    clocked = Clocked(most=60)
    clocked.begin(run())
    assert clocked.ends_after("a") == 3610
    clocked.now += 1
    [(_, sentence)] = clocked.silence.overdue(clocked.now)
    assert sentence == (
        "it hung: nothing was heard for 60 minutes before its first epoch; "
        "workers.epoch_minutes allows 60"
    )
