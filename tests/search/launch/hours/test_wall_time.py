"""How long a study takes by its numbers, and what fits."""

import dataclasses

import pytest

from search.launch.hours.wall_time import (
    ComparisonWork,
    StudyWork,
    hours_for,
    most_that_fit,
    shorter_settings,
    too_long,
    what_takes,
)
from search.settings.study import StudySettings

STUDY = StudyWork(
    trial=10.0,
    baselines=30.0,
    final=12.0,
    final_baselines=36.0,
    worth=lambda trials: trials / 2,
    audits=2,
    arms=1,
    top=2,
    means=1,
)


def test_a_study_is_the_sum_of_its_trainings():
    """3 baselines and a reference, 8 trials worth 4 and 2 audits, 3 seeds of 5 rows, 1 mean."""
    work = 30 + 10 + (4 + 2) * 10 + 3 * (36 + 2 * 12) + 12
    assert STUDY.seconds(8, 3, slots=1) == work + 22
    assert STUDY.seconds(8, 3, slots=2) == work / 2 + 22


def test_no_more_finalists_than_trials():
    assert STUDY.seconds(1, 1, 1) == 30 + 10 + 1.5 * 10 + 36 + 12 + 12 + 22


def test_what_has_ended_is_not_planned_again():
    """More search than expected was done: it pays for no finalist."""
    ended = {"baselines": 30.0, "search": 100.0, "finals": 42.0}
    work = dataclasses.replace(STUDY, past_seconds=ended)
    assert work.seconds(8, 3, slots=2) == (10 + 3 * (36 + 2 * 12) + 12 - 42) / 2 + 22
    arms = ComparisonWork(once=20.0, per_seed=50.0, longest=5.0, past_seconds=100.0)
    assert arms.seconds(3, slots=2) == 70 / 2 + 10
    assert arms.seconds(1, slots=2) == 10


def test_the_rest_of_a_study_is_said_to_be_one():
    assert what_takes("study", 0) == "a study of these settings"
    assert str(too_long(what_takes("study", 22), 1080, 0.33, "fewer")).startswith(
        "the rest of this study, of which 22 runs have ended, takes at least 0.38 h on this machine"
    )
    assert "epochs" not in shorter_settings(StudySettings(), 5, "finalists.seeds", num_runs=1)


def test_a_comparison_is_its_seeds():
    work = ComparisonWork(once=20.0, per_seed=50.0, longest=5.0)
    assert work.seconds(3, slots=2) == (20 + 150) / 2 + 10


@pytest.mark.parametrize(("time", "found"), [(9, 0), (20, 2), (29.9, 2), (30, 3), (1000, 7)])
def test_the_most_that_fits(time, found):
    assert most_that_fit(lambda n: 10.0 * n, 2 if time > 9 else 1, 7, time) == found


@pytest.mark.parametrize(("seconds", "hours"), [(2880, 1.0), (5000, 1.8), (500, 0.18), (30, 0.011)])
def test_hours_are_rounded_up_with_a_fifth_to_spare(seconds, hours):
    assert hours_for(seconds) == hours


def test_the_message_says_what_to_give():
    text = str(too_long("a study of these settings", 6000, 1.0, "fewer epochs: --recipe.epochs 9"))
    assert text == (
        "a study of these settings takes at least 2.1 h on this machine, and --hours is 1; give "
        "--hours 2.1, or fewer epochs: --recipe.epochs 9"
    )
