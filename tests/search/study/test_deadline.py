"""When a further trial or seed is no longer begun, with a clock that is set by hand."""

import json
from dataclasses import replace

import pytest

from search.records.runs import RunResult, RunSpec
from search.records.time_limit import TimeLimit, read_time_limit, write_time_limit
from search.study.deadline import Deadline, TimePlan

SPEC = RunSpec("s", "trials/0000", "trial", "search", "", {}, {}, "", "", 0)


@pytest.fixture
def at(tmp_path):
    """A deadline at 100 s, of two workers, when the clock says so much."""

    def make(now, **limit):
        plan = TimePlan(TimeLimit(1.0, 10, 5, **limit), 100.0, 60.0, 4.0, 6.0, 2, 3)
        return Deadline(plan, tmp_path, 2, clock=lambda: now)

    return make


PENDING = {"search": 3, "random_search": 0, "finals": 10}
# 4 trainings of 4 s and 10 of 6 s on two workers, and one of each in the end: 38 + 10
NEEDED = 48.0


def test_a_trial_is_begun_as_long_as_all_ends_in_time(at):
    assert at(100 - NEEDED).allows_trial(5, **PENDING)
    assert not at(100 - NEEDED + 0.01).allows_trial(5, **PENDING)


def test_a_random_search_costs_each_trial_again(at):
    both = PENDING | {"random_search": 3}  # 3 trainings more, and one more for this trial
    assert at(100 - NEEDED - 8).allows_trial(5, **both)
    assert not at(100 - NEEDED - 7.9).allows_trial(5, **both)


def test_the_least_is_always_begun(at):
    late = at(1000.0)
    assert late.allows_trial(1, **PENDING)
    assert late.allows_seed(2, 8, 0)
    assert late.limit == TimeLimit(1.0, 10, 5)  # nothing was decided


def test_what_was_decided_is_written_and_repeated(at, tmp_path):
    late = at(99.0)
    assert not late.allows_trial(5, **PENDING)
    assert not late.allows_seed(4, 8, 0)
    known = read_time_limit(tmp_path)
    assert (known.trials, known.seeds) == (5, 4)
    assert len(known.why) == 2
    early = at(0.0, trials=known.trials, seeds=known.seeds)
    assert [early.allows_trial(index, **PENDING) for index in (4, 5, 6)] == [True, False, False]
    assert [early.allows_seed(index, 8, 0) for index in (3, 4)] == [True, False]


def test_trainings_that_are_slower_than_the_pilot_count(at):
    deadline = at(100 - NEEDED)
    deadline.heard(SPEC, RunResult("trials/0000", 1, "complete", 0.5, seconds={"total": 8.0}))
    assert not deadline.allows_trial(5, **PENDING)


def test_finals_are_slower_as_trials_are(at):
    """No final has ended, and trials take twice the pilot's time: so will finals."""
    deadline = at(100 - (8 * 12 / 2 + 12))
    deadline.heard(SPEC, RunResult("trials/0000", 1, "complete", 0.5, seconds={"total": 8.0}))
    assert deadline.allows_seed(3, 8, 0)
    assert not deadline.allows_seed(3, 9, 0)


def test_finals_are_expected_from_whole_trainings_on_average(at):
    """One slow start and two stopped trials do not make all finals slow, or quick."""
    deadline = at(100 - (8 * 9 / 2 + 9))  # finals of 9 s, at 6 s trials for the pilot's 4 s
    for seconds, state in ((10.0, "complete"), (2.0, "complete"), (1.0, "stopped")):
        result = RunResult("trials/0000", 1, state, 0.5, seconds={"total": seconds})
        deadline.heard(SPEC, result)
    assert deadline.allows_seed(3, 8, 0)
    assert not deadline.allows_seed(3, 9, 0)


def test_a_reference_tells_nothing_of_trainings(at):
    deadline = at(100 - NEEDED)
    spec = replace(SPEC, kind="reference", stage="final")
    deadline.heard(spec, RunResult("r", 1, "complete", 0.5, seconds={"total": 80.0}))
    assert deadline.allows_trial(5, **PENDING)


def test_a_limit_survives_its_file(tmp_path):
    limit = TimeLimit(0.5, 3, 4, 2, 3, {"per_epoch": 0.1}, ("slow",))
    write_time_limit(tmp_path, limit)
    assert read_time_limit(tmp_path) == limit
    assert read_time_limit(tmp_path / "other") is None


def test_the_file_says_nothing_of_what_was_not_decided(tmp_path):
    """A study that was in time has no number of trials at which it was cut; 0 would be one."""
    for limit, more in (
        (TimeLimit(0.5, 3, 4), {}),
        (TimeLimit(0.5, 3, 4, seeds=2), {"seeds": 2}),
    ):
        write_time_limit(tmp_path, limit)
        written = json.loads((tmp_path / "time_limit.json").read_text())
        always = {
            "schema_version": 1,
            "hours": 0.5,
            "planned_trials": 3,
            "planned_seeds": 4,
            "pace": {},
            "why": [],
        }
        assert written == always | more
        assert read_time_limit(tmp_path) == limit
