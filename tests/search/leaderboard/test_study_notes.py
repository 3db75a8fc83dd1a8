"""What is said of fronts and of matched costs."""

import json

from search.leaderboard.board import Leaderboard
from search.leaderboard.study_notes import study_notes
from search.settings.study import StudySettings


def costs(macs):
    return {"parameters": 10 * macs, "macs": macs, "activations": macs}


def test_the_front_is_told_with_the_point_that_it_is_measured_from(make_study):
    against = {"monitor": "val/accuracy", "mode": "max", "against": ["macs"]}
    study = make_study(objective=against)
    point = {"val/accuracy": 0.0, "macs": 100.0}
    (study.folder / "study.json").write_text(
        json.dumps({"schema_version": 1, "reference_point": point})
    )
    for number, (score, macs) in enumerate([(0.5, 20), (0.75, 60), (0.4, 40), (0.9, 90)]):
        study.trial(number, score, cost=costs(macs))
    study.trial(9, 0.99, cost=costs(1), state="stopped")
    [note] = Leaderboard.from_folder(study.folder).notes
    # .5 x 80, then .25 x 40 and .15 x 10 on top
    assert note == (
        "Of 4 trials that came to their end 3 are on the Pareto front of val/accuracy against "
        "macs; they dominate a hypervolume of 51.5, measured from val/accuracy 0, macs 100."
    )


def test_matched_costs_are_told_with_what_was_not_matched(make_study):
    study = make_study(budget={"mode": "match", "macs": "1K", "parameters": None})
    for number, (parameters, off) in enumerate([(400, 0.012), (900, -0.02)]):
        cost = {"parameters": parameters, "macs": 1000, "activations": 50}
        matched = {"adjuster": "widths", "residuals": {"macs": off}}
        study.trial(number, 0.5, cost=cost, matched=matched)
    [note] = Leaderboard.from_folder(study.folder).notes
    assert note == (
        "Widths were solved so that every network has 1K macs, within 2.0%; parameters from 400 to "
        "900, activations from 50 to 50."
    )


def test_of_one_objective_and_limits_nothing_is_said(make_study):
    study = make_study()
    study.trial(0, 0.5)
    assert Leaderboard.from_folder(study.folder).notes == ()
    assert study_notes(study.folder, StudySettings(), []) == []
