"""The counting of false alarms and coverage."""

import json
import math

import numpy as np
import pytest

from benchmarks.tabular import coverage, train_table
from benchmarks.tabular.coverage_report import misses
from benchmarks.tabular.repeats import Repeats, board
from hybrid_swin.errors import InputError
from search.records.runs import RunResult, RunSpec
from search.statistics.intervals import Interval


def spec_of(candidate, seed):
    return RunSpec(
        "s", f"finalists/{candidate}/{seed}", "finalist", "final", f"label {candidate}", None, None,
        "", candidate, seed, seed_index=seed,
    )  # fmt: skip


def test_repeats_are_what_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(train_table, "HERE", tmp_path)
    rng = np.random.default_rng(0)
    right = rng.random((2, 3, 11)) < 0.7
    ended = []
    for place, name in enumerate("ab"):
        for seed in range(3):
            spec = spec_of(name, seed)
            folder = tmp_path / spec.key
            folder.mkdir(parents=True)
            logits = np.eye(2)[right[place, seed].astype(int)]  # class 1 is right
            ids = np.array([str(i) for i in range(11)])
            np.savez(folder / "predictions.npz", ids=ids, labels=np.ones(11, int), logits=logits)
            test = {"test/accuracy": float(right[place, seed].mean())}
            ended.append((spec, RunResult(spec.key, 1, "complete", 0.5 + seed / 10, test=test)))
    train_table.write_seeds(ended, tmp_path)
    found = Repeats.read(tmp_path / "seeds.npz")
    assert found.labels == ("label a", "label b")
    np.testing.assert_array_equal(found.correct, right)
    np.testing.assert_allclose(found.validation, [[0.5, 0.6, 0.7]] * 2, atol=1e-6)
    assert (found.seeds, found.images) == (3, 11)


def test_what_does_not_belong_together_is_refused(repeats):
    with pytest.raises(InputError, match="make them again"):
        Repeats(("a",), repeats.validation, repeats.correct)
    with pytest.raises(InputError, match="between 0 and 1"):
        Repeats(repeats.labels, 1 + repeats.validation, repeats.correct)


def test_a_boards_reference_is_the_best_of_the_search_or_the_first(repeats):
    validation = [np.array([0.1, 0.2]), np.array([0.5, 0.6]), np.array([0.3, 0.3])]
    correct = [repeats.correct[place][:2] for place in range(3)]
    searched = board(validation, correct, [0.2, 0.1, 0.4])
    assert [row.label for row in searched if row.is_test_reference] == ["2"]
    rows = board(validation, correct)
    assert [row.label for row in rows if row.is_test_reference] == ["0"]
    difference = correct[1].mean() - correct[0].mean()
    assert rows[1].difference == pytest.approx(difference)
    assert rows[1].difference_paired  # as rows of one study are


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.1, 0.3, True), (0.25, 0.3, False), (None, None, None)]
)
def test_an_interval_holds_the_truth_or_not(low, high, expected):
    assert coverage.holds(Interval(0.2, low, high, 3), 0.2) is expected


def test_shares_are_counted_by_unit_and_without_the_unknown():
    def replay(rng, unit):
        return {"x": None if unit == 2 else unit == 1, "y": True}

    found = coverage.shares(replay, units=3, replays=12, seed=[0])
    assert found["x"]["share"] == 0.5
    assert found["x"]["unknown"] == 4
    assert found["x"]["by_unit"] == [0.0, 1.0]
    assert found["x"]["error"] == pytest.approx((0.25 / 8) ** 0.5)
    assert (found["y"]["share"], found["y"]["unknown"]) == (1.0, 0)


def test_what_never_differs_raises_no_alarm_and_is_covered(repeats):
    """Every seed the same: groups are equal, and so are boards."""
    validation, correct = (x[:, :1].repeat(20, 1) for x in (repeats.validation, repeats.correct))
    same = Repeats(repeats.labels, validation, correct)
    found = coverage.measure(same, 6, ks=[3])
    twice, single = found["same_twice"]["3"], found["one_candidate"]["3"]
    assert twice["leaderboard row (test, seeds and images)"]["share"] == 0
    assert {figure["share"] for figure in found["same_eight_times"]["3"].values()} == {0.0}
    # seeds that all agree tell nothing of others: neither an alarm nor an interval
    assert math.isnan(twice["paired t (validation, seeds)"]["share"])
    assert math.isnan(single["test, t over seeds"]["share"])
    assert single["test, over seeds and images"]["share"] > 0.8


def test_what_misses_its_aim():
    assert misses({"share": 0.09, "error": 0.01}, alarms=True)
    assert not misses({"share": 0.08, "error": 0.01}, alarms=True)
    assert misses({"share": 0.9, "error": 0.01}, alarms=False)
    assert misses({"share": 0.99, "error": 0.005}, alarms=False)
    assert not misses({"share": 0.98, "error": 0.006}, alarms=False)


def test_a_run_writes_two_files(repeats, tmp_path, capsys):
    file, out = tmp_path / "seeds.npz", tmp_path / "figures" / "coverage"
    np.savez(
        file,
        labels=np.array(repeats.labels),
        validation=repeats.validation,
        correct=np.packbits(repeats.correct.astype(bool), axis=-1),
        images=np.array(repeats.images),
    )
    coverage.main(["--replays", "6", "--seeds", str(file), "--out", str(out)])
    report = json.loads(out.with_suffix(".json").read_text())
    assert list(report["same_twice"]) == list(report["two_candidates"]) == ["3", "5", "10"]
    text = out.with_suffix(".md").read_text()
    assert text in capsys.readouterr().out
    assert "| test, crossed |" in text
