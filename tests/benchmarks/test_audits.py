"""What a study says of its rungs, held against a made-up table."""

import json

import pytest

from benchmarks.tabular import audits


def test_what_a_study_says_is_held_against_the_truth(plain, table):
    found = audits.look(plain, table, 1, "random", "asha", 40)
    again = audits.look(plain, table, 1, "random", "asha", 40)
    assert found == again
    assert 0 < found.stopped < 40
    # Made-up curves do not cross: nothing that a rung stops would have ended best.
    assert found.true_correlation == pytest.approx(1.0)
    assert (found.lost, found.points, found.better, found.kept) == (False, 0.0, 0, True)
    assert found.mean_points >= 0
    assert 0 < found.saved < 1


def test_a_run_writes_both_files(curves, tmp_path, capsys):
    out = tmp_path / "audits"
    audits.main(["--studies", "2", "--trials", "20", "--table", str(curves), "--out", str(out)])
    report = json.loads(out.with_suffix(".json").read_text())
    names = [f"{sampler} + {rungs}" for sampler, rungs in audits.METHODS]
    assert list(report["methods"]) == names
    assert all(len(found) == 2 for found in report["methods"].values())
    text = out.with_suffix(".md").read_text()
    assert all(text.count(f"| {name} |") == 2 for name in names)
    assert text in capsys.readouterr().out
