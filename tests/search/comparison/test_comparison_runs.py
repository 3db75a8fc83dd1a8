"""Whole comparisons, as a user runs them: what they leave depends on their seed only."""

import json
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
SETTINGS = {
    "name": "tiny",
    "data": {"source": "digits", "train_images": 128},
    "variant": {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "window_size": 2,
        "mlp_ratio": 2.0,
        "stages": [{"width": 32, "depth": 1, "num_heads": 4, "blocks": ["w_msa"]}],
    },
    "recipe": {"epochs": 1, "batch_size": 64},
    "arms": [
        {"label": "plain"},
        {"add": "mdta", "controls": {"channel attention": "no attention"}},
        {"label": "no attention", "add": "mdta(attention=false)"},
    ],
    "factors": {"data.split_seed": [0, 1]},
    "match": {"by": ["macs"], "tolerance": 0.1},
    "learning_rates": [0.003, 0.01],
    "seeds": 2,
    "milestone": 0.1,
    "wandb": {"mode": "disabled"},
    "workers": {"count": 1, "checkpoint_seconds": 0.001},
}
RUNS = 2 * 3 * (2 + 1) * 2  # cells x arms x (learning rates + the seed) x seeds


class Tiny:
    """A comparison in a folder of its own, started as a user does."""

    def __init__(self, doors, root, **changes):
        self.doors, self.root, self.folder = doors, root, root / "runs" / "tiny"
        self.config = root / "tiny.yaml"
        self.config.write_text(yaml.safe_dump({**SETTINGS, **changes}))

    def start(self, *more):
        given = ["--config", str(self.config), "--folder", str(self.root / "runs"), *more]
        return self.doors.open("compare", *given)

    def run(self, *more, code=0):
        process = self.start(*more)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == code, output
        assert "Traceback" not in output
        return output

    def results(self):
        return {
            str(f.parent.relative_to(self.folder)): json.loads(f.read_text())
            for f in self.folder.glob("*/**/result.json")
            if not f.parent.name.startswith("attempt-")
        }

    def read(self, name="comparison.json"):
        return json.loads((self.folder / name).read_text())


@pytest.fixture(scope="module")
def finished(doors, made_once):
    return Tiny(doors, made_once("compared", lambda root: Tiny(doors, root).run()))


@pytest.fixture
def tiny(doors, tmp_path):
    return lambda **changes: Tiny(doors, tmp_path, **changes)


def test_trains_every_arm_and_reads_test_once_a_seed(finished):
    results = finished.results()
    assert len(results) == RUNS
    assert {r["state"] for r in results.values()} == {"complete"}
    tested = [key for key, r in results.items() if r["test"] is not None]
    assert len(tested) == 2 * 3 * 2
    assert all(key.startswith("finalists/") for key in tested)
    ledger = (finished.folder / "test_reads.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["key"] for line in ledger) == sorted(tested)


def test_paired_seeds_see_the_same_images_in_the_same_order(finished):
    specs = [json.loads(f.read_text()) for f in finished.folder.glob("finalists/*/*/run.json")]
    for index in (0, 1):
        assert len({s["seed"] for s in specs if s["seed_index"] == index}) == 1
    hashes = {(s["data"]["split_seed"], finished.results()[s["key"]]["split_hash"]) for s in specs}
    assert len(hashes) == 2  # one a split seed, whatever the arm


def test_the_learning_rate_is_chosen_on_validation_of_its_own_runs(finished):
    results = finished.results()
    chosen = {}
    for key in results:
        spec = json.loads((finished.folder / key / "run.json").read_text())
        if spec["stage"] == "final":
            chosen[spec["label"], spec["seed_index"]] = spec["recipe"]["learning_rate"]
    assert len(chosen) == 6 * 2
    for (label, seed), rate in chosen.items():
        scores = {}
        for key, result in results.items():
            spec = json.loads((finished.folder / key / "run.json").read_text())
            if (spec["stage"], spec["label"], spec["seed_index"]) == ("search", label, seed):
                scores[spec["recipe"]["learning_rate"]] = result["score"]
        assert len(scores) == 2
        assert scores[rate] == max(scores.values())


def test_what_is_shown_is_what_is_saved(finished):
    told = finished.read()
    assert len(told["results"]) == 6
    for name in ("comparison.csv", "comparison.md", "comparison.tex", "differences.svg"):
        assert (finished.folder / name).stat().st_size > 200
    page, _ = finished.doors.open("leaderboard", str(finished.folder), "--all").communicate()
    for result in told["results"]:
        assert f"{100 * result['test_mean']:.1f}" in page
        assert result["seeds"] == 2
    assert "Fewer than 5 epochs do not tell" in " ".join(page.split())
    receipt = finished.read("receipt.json")
    assert receipt["trainings"] == {"for_learning_rates": 24, "over_seeds": 12}
    assert set(receipt["data"]) == {"split_seed=0", "split_seed=1"}


def test_kills_and_workers_change_nothing(tiny, finished):
    again = tiny()
    process = again.start("--workers.count", "2")
    end = time.monotonic() + 200
    while len(again.results()) < 5:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    process.kill()
    process.communicate(timeout=60)
    kept = {key: (again.folder / key / "result.json").stat().st_mtime_ns for key in again.results()}
    again.run("--workers.count", "2")
    assert again.read()["digest"] == finished.read()["digest"]
    for key, written in kept.items():
        assert (again.folder / key / "result.json").stat().st_mtime_ns == written
    ledger = (again.folder / "test_reads.jsonl").read_text().splitlines()
    assert len(ledger) == len({json.loads(line)["key"] for line in ledger}) == 12


def test_a_rehearsal_trains_nothing_that_stays(tiny):
    made = tiny()
    output = " ".join(made.run("--dry-run").split())
    assert not made.folder.exists()
    assert "36 in all" in output
    assert "no attention" in output
    assert "find a true difference of" in output


def test_first_weights_are_taken_and_the_baseline_pays_for_the_branch(tiny, finished):
    spec = next(
        json.loads(f.read_text())
        for f in finished.folder.glob("finalists/*/0/run.json")
        if json.loads(f.read_text())["label"].startswith("plain")
    )
    start = finished.folder / spec["key"]
    made = tiny(
        factors={},
        learning_rates=[],
        match={"by": ["control"], "tolerance": 0.1},
        recipe={"epochs": 1, "batch_size": 256, "learning_rate": 1e-5},
    )
    made.run("--init", str(start))
    told = {r["arm"]: r for r in made.read()["results"]}
    assert "+pointwise as costly as +mdta" in told
    trained = finished.results()[spec["key"]]["score"]
    # an epoch at next to no learning rate leaves what the weights knew
    for arm in told.values():
        assert abs(arm["validation_mean"] - trained) < 0.1
    assert made.read("receipt.json")["init"]["hash"]
    base, other = told["plain"]["fresh"], told["+mdta"]["fresh"]
    assert base == 0 < told["+pointwise as costly as +mdta"]["fresh"] < 1 and other < 1
    said = " ".join((made.folder / "comparison.md").read_text().split())
    assert "so much started fresh, the rest from the file: plain 0%, " in said
    assert "is one between mixers." in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 1}, "error: seeds 1: one training of each arm gives no interval"),
        ({"arms": [{"label": "plain"}]}, "error: a comparison needs at least two arms"),
        ({"match": {"by": ["macs"], "tolerance": 0}}, "allow a larger tolerance"),
        ({"init": "nowhere.ckpt", "match": {"by": ["control"]}}, "nowhere.ckpt"),
        ({"sedes": 3}, "did you mean 'seeds'"),
        ({"factors": {"data.options.reech": [2]}}, "reech"),
    ],
)
def test_what_cannot_work_is_said_before_work_starts(tiny, changes, message):
    made = tiny(**changes)
    output = made.run(code=2)
    assert message in output
    assert output.count("\n") == 1
    assert not made.folder.exists()


def test_a_comparison_of_other_settings_is_not_gone_on_with(finished):
    output = finished.run("--learning_rates", "[0.02]", code=2)
    assert "was begun with other settings" in output
