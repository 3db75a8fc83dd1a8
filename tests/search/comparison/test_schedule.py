"""The loop over a real plan, with a dispatcher that ends runs in any order."""

import dataclasses

import numpy as np
import pytest

from search.comparison.design.plan import make_plan
from search.comparison.schedule import Schedule
from search.execution.view import Silent
from search.records.runs import RunResult
from search.records.time_limit import TimeLimit, read_time_limit
from search.study.deadline import Deadline, TimePlan


class Shuffled:
    """Ends what is submitted in a random order, one or two at a time, with scores by rate."""

    def __init__(self, folder, seed):
        self.folder, self.rng = folder, np.random.default_rng(seed)
        self.waiting, self.submitted = [], []

    def submit(self, spec):
        self.submitted.append(spec.key)
        self.waiting.append(spec)

    @property
    def busy(self):
        return bool(self.waiting)

    def results(self):
        self.rng.shuffle(self.waiting)
        count = self.rng.integers(1, 3)
        ended, self.waiting = self.waiting[:count], self.waiting[count:]
        return [(spec, self.result(spec)) for spec in ended]

    @staticmethod
    def result(spec):
        """Arms that add something like .001, the baseline .003."""
        rate = spec.recipe["learning_rate"]
        score = 0.9 - rate if "+" in spec.label else 0.8 + rate
        return RunResult(key=spec.key, attempt=1, state="complete", score=score)


def schedule(plan, folder, seed=0):
    folder.mkdir(exist_ok=True)
    dispatcher = Shuffled(folder, seed)
    Schedule(plan, dispatcher, Silent()).run()
    return dispatcher


@pytest.fixture(scope="module")
def plan(fake):
    return make_plan(fake.settings(seeds=3))


def test_all_is_run_once_and_told(plan, tmp_path):
    dispatcher = schedule(plan, tmp_path / "c")
    assert len(dispatcher.submitted) == sum(plan.trainings()) == 3 * (2 * 3 + 3)
    assert len(dispatcher.submitted) == len(set(dispatcher.submitted))


@pytest.mark.parametrize("seed", range(5))
def test_what_is_run_does_not_depend_on_the_order_of_ends(plan, tmp_path, seed):
    first = schedule(plan, tmp_path / "a", 100)
    other = schedule(plan, tmp_path / "b", seed)
    assert sorted(first.submitted) == sorted(other.submitted)


def test_each_arm_goes_on_with_its_own_best_rate(plan, tmp_path):
    dispatcher = schedule(plan, tmp_path / "c")
    for entry in plan.entries:
        rate = 1 if entry.against is None else 0
        for seed in range(plan.seeds):
            assert plan.final(entry, rate, seed).key in dispatcher.submitted
            assert plan.final(entry, 1 - rate, seed).key not in dispatcher.submitted


def test_one_seed_is_asked_for_before_the_next(plan, tmp_path):
    dispatcher = schedule(plan, tmp_path / "c")
    first = {plan.final(entry, rate, 0).key for entry in plan.entries for rate in range(2)}
    last = {s.key for entry in plan.entries for s in plan.selection(entry, 0, 2)}
    order = dispatcher.submitted
    assert max(order.index(k) for k in first & set(order)) < min(order.index(k) for k in last)


def test_a_comparison_that_goes_on_with_more_seeds_repeats_nothing(fake, tmp_path):
    few, many = (make_plan(fake.settings(seeds=seeds)) for seeds in (3, 5))
    first = schedule(few, tmp_path / "a")
    second = schedule(many, tmp_path / "b")
    assert set(first.submitted) < set(second.submitted)


def test_seeds_begin_arm_by_arm_so_that_an_early_end_leaves_pairs(fake, tmp_path):
    plan = make_plan(dataclasses.replace(fake.settings(seeds=3), learning_rates=()))
    dispatcher = schedule(plan, tmp_path / "c")
    seeds = [key.rsplit("/", 1)[1] for key in dispatcher.submitted]
    assert seeds == sorted(seeds)


class Timed(Shuffled):
    """Two workers, on which each training takes so many seconds."""

    def __init__(self, folder, seconds):
        super().__init__(folder, 0)
        self.now, self.seconds = 0.0, seconds

    def results(self):
        ended = super().results()
        self.now += self.seconds * len(ended) / 2
        return [(s, dataclasses.replace(r, seconds={"total": self.seconds})) for s, r in ended]


def in_time(plan, folder, ends, seconds=1.0, limit=None):
    folder.mkdir(exist_ok=True)
    dispatcher = Timed(folder, seconds)
    limit = limit or TimeLimit(1.0, 0, plan.seeds)
    planned = TimePlan(limit, ends, ends, 1.0, 1.0, least_seeds=3)
    deadline = Deadline(planned, folder, 2, clock=lambda: dispatcher.now)
    schedule = Schedule(plan, dispatcher, Silent(), 2, deadline)
    schedule.run()
    return schedule, dispatcher, deadline


@pytest.mark.parametrize("rates", [True, False])
def test_as_many_whole_seeds_are_trained_as_there_is_time_for(fake, tmp_path, rates):
    settings = fake.settings(seeds=20)
    if not rates:
        settings = dataclasses.replace(settings, learning_rates=())
    plan = make_plan(settings)
    ends = 50 if rates else 20
    schedule, dispatcher, _ = in_time(plan, tmp_path, ends)
    runs = (2 * 3 if rates else 0) + 3  # of each seed
    assert len(dispatcher.submitted) == schedule.seeds * runs
    assert 3 < schedule.seeds < 20
    assert ends - runs <= dispatcher.now <= ends  # no time is left for another seed
    assert read_time_limit(tmp_path).seeds == schedule.seeds


def test_the_least_seeds_are_trained_and_a_decision_is_repeated(fake, tmp_path):
    plan = make_plan(fake.settings(seeds=5))
    first, dispatcher, deadline = in_time(plan, tmp_path / "a", ends=5, seconds=4.0)
    assert first.seeds == 3 == deadline.limit.seeds
    again, other, _ = in_time(plan, tmp_path / "b", 1000, 0.1, deadline.limit)
    assert sorted(other.submitted) == sorted(dispatcher.submitted)
    assert again.seeds == 3


def test_time_enough_changes_nothing(fake, tmp_path):
    plan = make_plan(fake.settings(seeds=4))
    _, dispatcher, deadline = in_time(plan, tmp_path / "a", ends=1000)
    free = schedule(plan, tmp_path / "b")
    assert sorted(dispatcher.submitted) == sorted(free.submitted)
    assert deadline.limit.seeds == 0
