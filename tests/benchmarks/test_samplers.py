"""The comparison of samplers, small: methods, files, picture."""

import json
from xml.etree import ElementTree

import pytest

from benchmarks.tabular import samplers
from benchmarks.tabular.methods import METHODS, Method, play


def test_every_method_has_a_name_of_its_own():
    assert len({method.name for method in METHODS}) == len(METHODS) == 18


@pytest.mark.parametrize("stopping", ["none", "halving", "median"])
def test_plain_optuna_trains_what_it_proposes(plain, table, stopping):
    method = Method("tpe", stopping, plain=True)
    course, again = (play(method, plain, table, 1, 2, 30) for _ in range(2))
    assert course.steps == again.steps
    assert len(course.steps) == 30
    stopped = [step for step in course.steps if step.epochs < 18]
    assert bool(stopped) == (stopping != "none")
    assert not any(step.complete for step in stopped)
    assert course.table_seed == 2


def test_rungs_cost_less_and_ours_never_trains_twice(plain, table):
    whole, rungs = (
        play(Method("random", stopping), plain, table, 1, 0, 30) for stopping in ("none", "asha")
    )
    assert [s.candidate for s in whole.steps] == [s.candidate for s in rungs.steps]
    assert all(step.complete for step in whole.steps)
    assert sum(s.epochs for s in rungs.steps) < sum(s.epochs for s in whole.steps)
    assert len({step.candidate for step in whole.steps}) == 30


def test_a_run_writes_three_files(curves, tmp_path, capsys):
    out = tmp_path / "figures" / "samplers"
    words = ["--seeds", "2", "--trials", "8", "--only", "tpe + asha", "Optuna tpe"]
    samplers.main([*words, "--table", str(curves), "--out", str(out)])
    report = json.loads(out.with_suffix(".json").read_text())
    names = ["random", "tpe + asha", "Optuna tpe"]
    assert list(report["methods"]) == names
    for found in report["methods"].values():
        assert found["searches"] == 2
        for what in samplers.KINDS:
            mean, low, high = found[what]["by_trials_mean"]
            assert len(mean) == 8
            assert all(a <= b <= c for a, b, c in zip(low, mean, high, strict=True))
    text = out.with_suffix(".md").read_text()
    assert text in capsys.readouterr().out
    assert all(text.count(f"| {name} |") == 4 for name in names)
    assert "samplers.svg" in text
    ElementTree.parse(out.with_suffix(".svg"))  # noqa: S314  # our own file
