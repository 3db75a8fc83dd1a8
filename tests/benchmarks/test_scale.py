"""Many trials without trainings, and the clock of workers; small."""

import dataclasses
import json
import os
import sys
import threading
from types import SimpleNamespace

import pytest

from benchmarks import scale, workers
from benchmarks.instant import LOOKAHEAD, Instant, formula
from search.launch.study import check
from search.study.sampling.draws import Draw


def test_the_formula_stops_itself(tmp_path):
    settings = scale.settings_of(tmp_path, 3)
    space, candidates = check(settings)
    spec = candidates.trial(Draw(0, 0, space.default()), {})
    whole = formula(spec)
    assert (whole.state, whole.epochs) == ("complete", 18)
    assert formula(spec) == whole
    cutoff = whole.history[5]["val/accuracy"] + 1e-6
    stopped = formula(dataclasses.replace(spec, cutoffs={"6": cutoff}))
    assert (stopped.state, stopped.epochs) == ("stopped", 6)
    assert stopped.history == whole.history[:6]


def test_service_runs_from_a_result_to_the_job_that_it_makes_possible():
    executor = Instant(10)
    executor.announced = {f"trials/{i:04d}": float(i) for i in range(10)}
    executor.handed = {f"trials/{i:04d}": i - LOOKAHEAD + 0.25 for i in range(10)}
    assert scale.service_times(executor, 10).tolist() == [0.25, 0.25]


def test_a_study_runs_and_goes_on(tmp_path, capsys, monkeypatch):
    def run_here(words, **_):  # in a process of its own, it would only import for seconds
        assert words[:3] == [sys.executable, "-m", "benchmarks.scale"]
        capsys.readouterr()
        scale.main(words[3:])
        return SimpleNamespace(stdout=capsys.readouterr().out)

    monkeypatch.setattr(scale, "subprocess", SimpleNamespace(run=run_here))
    out = tmp_path / "scale"
    scale.main(["--trials", "20", "--out", str(out)])
    report = json.loads(out.with_suffix(".json").read_text())
    assert report["resume"]["seconds"] > 0
    assert 0 < report["service"]["median"] <= report["service"]["p95"]
    assert report["parts"]["asking, in all"] > report["parts"]["proposing (TPE)"] > 0
    assert out.with_suffix(".md").read_text() in capsys.readouterr().out


def test_how_often_a_trial_waits_for_the_disk(tmp_path, monkeypatch):
    """What the coordinator hands out a second hangs on it; see docs/cluster.md."""
    real, waits = os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda file: (waits.append(threading.get_ident()), real(file)))
    here, others = [], []
    for trials in (6, 12):
        waits.clear()
        scale.run(scale.settings_of(tmp_path / str(trials), trials), Instant(trials))
        here.append(waits.count(threading.get_ident()))
        others.append(len(waits) - here[-1])
    assert others == [2 * 6, 2 * 12]  # a draw and an end in the journal
    a_file = 2  # itself and its folder
    assert here[1] - here[0] == 6 * 3 * a_file  # run, result, and the worker's result


def test_the_rate_leaves_out_start_and_end():
    # the first 4 end late, the last drags on; between them one per second
    assert workers.rate([50, 51, 52, 53, 54, 55, 56, 99]) == pytest.approx(60)


def test_only_the_workers_differ(tmp_path):
    one, two = (workers.settings_of(tmp_path, count, 9, 2) for count in (1, 2))
    assert (one.workers.count, two.workers.count) == (1, 2)
    assert one.fixed() == two.fixed() | {"name": one.name}


def test_the_gain_is_in_the_table():
    report = {"command": "c", "hardware": "h", "versions": {"torch": "2"}, "gain": 1.9}
    text = workers.tables(report | {"rates": [[10.0, 19.0, 19.0, 10.0]], "gains": [1.9]})
    assert "| 1 | 10.0 | 19.0 | 19.0 | 10.0 | 1.90 |" in text
