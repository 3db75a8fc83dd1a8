"""The loop over a real plan, with a dispatcher that ends runs in any order."""

import dataclasses

import numpy as np
import pytest

from search.comparison.design.plan import make_plan
from search.comparison.schedule import Schedule
from search.launch.pilot import Silent
from search.records.runs import RunResult


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
    dispatcher, ended = Shuffled(folder, seed), []
    Schedule(
        plan,
        dispatcher,
        lambda spec: ended.append(spec.key),
        Silent(),
    ).run()
    return dispatcher, ended


@pytest.fixture(scope="module")
def plan(fake):
    return make_plan(fake.settings(seeds=3))


def test_all_is_run_once_and_told(plan, tmp_path):
    dispatcher, ended = schedule(plan, tmp_path / "c")
    assert len(dispatcher.submitted) == sum(plan.trainings()) == 3 * (2 * 3 + 3)
    assert sorted(dispatcher.submitted) == sorted(set(ended)) == sorted(ended)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_run_does_not_depend_on_the_order_of_ends(plan, tmp_path, seed):
    first, _ = schedule(plan, tmp_path / "a", 100)
    other, _ = schedule(plan, tmp_path / "b", seed)
    assert sorted(first.submitted) == sorted(other.submitted)


def test_each_arm_goes_on_with_its_own_best_rate(plan, tmp_path):
    dispatcher, _ = schedule(plan, tmp_path / "c")
    for entry in plan.entries:
        rate = 1 if entry.against is None else 0
        for seed in range(plan.seeds):
            assert plan.final(entry, rate, seed).key in dispatcher.submitted
            assert plan.final(entry, 1 - rate, seed).key not in dispatcher.submitted


def test_one_seed_is_asked_for_before_the_next(plan, tmp_path):
    dispatcher, _ = schedule(plan, tmp_path / "c")
    first = {plan.final(entry, rate, 0).key for entry in plan.entries for rate in range(2)}
    last = {s.key for entry in plan.entries for s in plan.selection(entry, 0, 2)}
    order = dispatcher.submitted
    assert max(order.index(k) for k in first & set(order)) < min(order.index(k) for k in last)


def test_a_comparison_that_goes_on_with_more_seeds_repeats_nothing(fake, tmp_path):
    few, many = (make_plan(fake.settings(seeds=seeds)) for seeds in (3, 5))
    first, _ = schedule(few, tmp_path / "a")
    second, _ = schedule(many, tmp_path / "b")
    assert set(first.submitted) < set(second.submitted)


def test_seeds_begin_arm_by_arm_so_that_an_early_end_leaves_pairs(fake, tmp_path):
    plan = make_plan(dataclasses.replace(fake.settings(seeds=3), learning_rates=()))
    dispatcher, _ = schedule(plan, tmp_path / "c")
    seeds = [key.rsplit("/", 1)[1] for key in dispatcher.submitted]
    assert seeds == sorted(seeds)
