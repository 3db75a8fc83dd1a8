"""Scores and costs of a run, and the point from which fronts are measured."""

import math

import pytest

from hybrid_swin.errors import InputError
from search.records.runs import RunResult, RunSpec
from search.settings.study import StudyObjective
from search.study import objectives

SPEC = RunSpec(
    "s", "trials/0000", "trial", "search", "", {}, {}, "", "", 0, cost={"macs": 5, "parameters": 7}
)
RESULT = RunResult(
    "trials/0000", 1, "complete", 0.5, peak_memory_mb=300.0, latency={"median_ms": 2.5}
)


def test_the_score_comes_first():
    against = ("latency", "macs", "memory")
    objective = StudyObjective(against=against)
    assert objectives.names(objective) == ["val/accuracy", *against]
    assert objectives.directions(objective) == ["max", "min", "min", "min"]
    assert objectives.values_of(SPEC, RESULT, against) == (0.5, 2.5, 5, 300.0)


def test_what_was_not_measured_is_not_known():
    bare = RunResult("trials/0000", 1, "complete", None)
    assert objectives.values_of(SPEC, bare, ("latency", "memory")) == (None, None, None)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (StudyObjective(against=("macs", "macs")), "names macs twice"),
        (
            StudyObjective(against=("latency",)),
            "objective.reference, for example {latency: 50}",
        ),
        (StudyObjective(reference={"macs": 5.0}), "give objective.against, such as .macs., or"),
        (
            StudyObjective(against=("parameters",), reference={"macs": 5.0}),
            "'macs' is not an objective; they are val/accuracy, parameters",
        ),
        (
            StudyObjective(against=("latency",), reference={"latency": -50.0}),
            "latency is the most that still counts, so above 0; got -50.0",
        ),
        (
            StudyObjective(against=("macs",), reference={"val/accuracy": 95.0}),
            "as a share from 0 to 1; got 95.0",
        ),
        (
            StudyObjective(against=("macs",), reference={"macs": math.inf}),
            "objective.reference.macs must be a number; got inf",
        ),
    ],
)
def test_what_cannot_be_is_refused(objective, message):
    with pytest.raises(InputError, match=message):
        objectives.check(objective)


def test_the_reference_is_chance_and_a_bit_beyond_the_dearest():
    seen = [{"macs": 5, "parameters": 9}, {"macs": 8, "parameters": 2}]
    objective = StudyObjective(against=("macs", "parameters"))
    point = objectives.reference_point(objective, 10, {"parameters": 100}, seen)
    assert point == pytest.approx({"val/accuracy": 0.0, "macs": 8.8, "parameters": 110.0})
    loss = StudyObjective("val/loss", "min", ("macs",), {"macs": 20.0})
    point = objectives.reference_point(loss, 10, {}, seen)
    assert point == {"val/loss": math.log(10), "macs": 20.0}
    assert objectives.reference_point(StudyObjective(), 10, {}, []) == {}
