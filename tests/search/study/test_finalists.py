"""Who is retrained: the best, or the front's best spread."""

import itertools
import json

import numpy as np
import pytest

from search.records.finalists_file import read_finalists, write_finalists
from search.records.runs import RunResult, RunSpec
from search.settings.study import StudyObjective
from search.study.finalists import choose_finalists, choosers
from search.study.pareto import front, hypervolume


def ended(key, score, state="complete", macs=1):
    cost = {"macs": macs, "parameters": 2 * macs}
    spec = RunSpec("s", key, "trial", "search", "", {}, {}, "", key, 0, cost=cost)
    return spec, RunResult(key, 1, state, score)


def test_the_best_that_ran_to_their_end_are_finalists():
    runs = [
        ended("trials/0000", 0.5),
        ended("trials/0001", 0.9, "stopped"),
        ended("trials/0002", 0.7),
        ended("trials/0003", None, "failed"),
        ended("trials/0004", 0.7),
        ended("trials/0005", None),
        ended("trials/10000", 0.6),
        ended("trials/9999", 0.6),
    ]
    most, least = StudyObjective(mode="max"), StudyObjective("val/loss", "min")
    best = [spec.key for spec in choose_finalists(runs, 5, most)]
    assert best == ["trials/0002", "trials/0004", "trials/9999", "trials/10000", "trials/0000"]
    lowest = [s.key for s in choose_finalists(runs, 2, least)]
    assert lowest == ["trials/0000", "trials/9999"]
    assert choose_finalists(runs, 0, most) == []
    assert len(choose_finalists(runs, 99, most)) == 5


REFERENCE = {"val/accuracy": 0.0, "macs": 100.0}


def points(runs):
    return [(result.score, spec.cost["macs"]) for spec, result in runs]


@pytest.mark.parametrize("seed", range(20))
def test_with_costs_the_front_is_spanned(seed):
    """Within 1 - 1/e of the best choice, found by trying all."""
    draw = np.random.default_rng(seed)
    runs = [
        ended(f"trials/{i:04d}", float(draw.random()), macs=int(draw.integers(1, 99)))
        for i in range(14)
    ]
    objective = StudyObjective(against=("macs",))
    chosen = {spec.key for spec in choose_finalists(runs, 3, objective, REFERENCE)}
    kept = [run for run in runs if run[0].key in chosen]
    places = front(points(runs), ["max", "min"])
    assert chosen <= {runs[place][0].key for place in places}
    assert len(chosen) == min(3, len(places))

    def volume(some):
        return hypervolume(points(some), (0.0, 100.0), ["max", "min"])

    best = max(volume(some) for some in itertools.combinations(runs, 3))
    assert volume(kept) >= (1 - 1 / np.e) * best
    assert volume(kept) >= 0.9 * best  # as greedy choices do in two dimensions


def test_a_run_without_its_measured_cost_is_no_finalist():
    objective = StudyObjective(against=("latency",), reference={"latency": 9.0})
    spec, result = ended("trials/0000", 0.9)
    assert choose_finalists([(spec, result)], 1, objective, {"val/accuracy": 0, "latency": 9}) == []


def test_who_chose_what_is_read_back(tmp_path):
    keys = ("baselines/x", "trials/0", "random/0")
    (plain, _), (a, _), (b, _) = (ended(key, 0.9) for key in keys)
    write_finalists(tmp_path, {"baselines": [plain], "search": [a, b], "random_search": [b]}, print)
    candidates = {plain.key: "p", a.key: "p", b.key: "b"}  # the search found the baseline again
    assert choosers(tmp_path, candidates) == {
        "p": ("baseline", "search"),
        "b": ("search", "random search"),
    }
    assert choosers(tmp_path, {}) == {}
    assert choosers(tmp_path / "nowhere", candidates) == {}


def test_the_choice_is_written_down_once(tmp_path):
    spec, _ = ended("trials/0002", 0.9)
    write_finalists(tmp_path, {"search": [spec], "baselines": []}, print)
    file = tmp_path / "finalists.json"
    assert read_finalists(tmp_path) == {"search": ["trials/0002"], "baselines": []}
    assert json.loads(file.read_text())["schema_version"] == 1
    before = file.stat().st_mtime_ns
    write_finalists(tmp_path, {"search": [spec], "baselines": []}, print)
    assert file.stat().st_mtime_ns == before
