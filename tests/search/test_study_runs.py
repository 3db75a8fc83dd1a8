"""Whole studies, as a user runs them: what they leave, and that they depend on their seed only."""

import csv
import json

import optuna
from optuna.trial import TrialState


def storage(folder):
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "optuna.journal"))
    return optuna.storages.JournalStorage(backend)


def optuna_trials(folder):
    return optuna.load_study(study_name="tiny", storage=storage(folder)).get_trials()


def test_leaves_a_result_for_every_run(finished):
    results = finished.results()
    kinds = [key.split("/")[0] for key in results]
    assert kinds.count("trials") == 7
    assert kinds.count("baselines") == 1
    assert kinds.count("references") == 1
    assert kinds.count("audits") == 1
    assert kinds.count("random") == 1
    assert kinds.count("finalists") == 4  # the best trial and the baseline over two seeds
    assert {r["state"] for r in results.values()} <= {"complete", "stopped"}


def test_stops_poor_trials_at_a_rung(finished):
    trials = {k: r for k, r in finished.results().items() if k.startswith("trials")}
    stopped = [r for r in trials.values() if r["state"] == "stopped"]
    assert stopped
    assert all(r["epochs"] in (1, 2) for r in stopped)
    for key in trials:
        run = json.loads((finished.folder / key / "run.json").read_text())
        for epoch in trials[key]["history"]:
            cutoff = run["cutoffs"].get(str(epoch["epoch"]))
            last = epoch["epoch"] == trials[key]["epochs"]
            if cutoff is not None and epoch["epoch"] < 3:
                falls_short = epoch["val/accuracy"] < cutoff
                assert falls_short == (last and trials[key]["state"] == "stopped")


def test_trains_no_candidate_twice(finished):
    runs = [json.loads(f.read_text()) for f in finished.folder.glob("*/*/run.json")]
    searched = [r["candidate_id"] for r in runs if r["kind"] in ("trial", "baseline")]
    assert len(searched) == len(set(searched)) == 8


def test_optuna_knows_what_the_folder_knows(finished):
    trials = optuna_trials(finished.folder)
    assert not [t for t in trials if t.state in (TrialState.RUNNING, TrialState.WAITING)]
    accepted = [t for t in trials if "refused" not in t.user_attrs]
    assert [t.user_attrs["trial"] for t in accepted] == list(range(7))
    for trial in accepted:
        key = f"trials/{trial.user_attrs['trial']:04d}"
        result = finished.results()[key]
        run = json.loads((finished.folder / key / "run.json").read_text())
        assert run["params"] == trial.params
        assert (
            trial.state
            == {"complete": TrialState.COMPLETE, "stopped": TrialState.PRUNED}[result["state"]]
        )
        if result["state"] == "complete":
            assert trial.value == result["score"]


def test_retrains_finalists_from_the_best_trial_over_fresh_seeds(finished):
    runs = [json.loads(f.read_text()) for f in finished.folder.glob("finalists/*/*/run.json")]
    results = finished.results()
    complete = {
        k: r["score"]
        for k, r in results.items()
        if k.startswith(("trials", "audits")) and r["state"] == "complete"
    }
    best = max(complete, key=lambda key: (complete[key], key < "b", -int(key[-4:])))
    assert {r["origin"] for r in runs} == {best, "baselines/00"}
    search_seed = json.loads((finished.folder / "trials/0000/run.json").read_text())["seed"]
    seeds = {r["seed"] for r in runs}
    assert len(seeds) == 2
    assert search_seed not in seeds


def test_reads_test_once_for_each_finalist_and_never_for_a_trial(finished):
    reads = [
        json.loads(line) for line in (finished.folder / "test_reads.jsonl").read_text().splitlines()
    ]
    keys = [read["key"] for read in reads]
    assert len(keys) == len(set(keys)) == 6
    for key, result in finished.results().items():
        assert (result["test"] is not None) == (key in keys)
        assert (finished.folder / key / "predictions.npz").exists() == (key in keys)


def test_receipt_says_what_it_takes_to_repeat(finished):
    receipt = json.loads((finished.folder / "receipt.json").read_text())
    assert receipt["runs"] == {"asked": 15, "ended": 15}
    assert receipt["failures"] == {}
    assert receipt["test_reads"] == receipt["test_reads_begun"] == 6
    assert receipt["draws"]["running"] == 0
    assert receipt["space"]["combinations"] == 16
    assert set(receipt["versions"]) >= {"python", "torch", "optuna", "lightning", "wandb"}
    assert receipt["data"]["split_hash"] == finished.results()["trials/0000"]["split_hash"]


def test_prints_and_writes_the_same_leaderboard(finished):
    with (finished.folder / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 + 8 + 1 + 1  # the mean of random candidates
    assert "plain" in finished.output
    assert "logistic" in finished.output


def test_more_workers_change_nothing(finished, tiny):
    tiny.run("--workers.count", "2")
    assert tiny.digest() == finished.digest()


def test_another_seed_is_another_study(finished, tiny):
    tiny.run("--seed", "1", "--trials", "1", "--finalists.top", "0")
    assert tiny.results()["trials/0000"]["score"] != finished.results()["trials/0000"]["score"]


def test_the_same_command_again_trains_nothing(tiny, finished):
    tiny.copy_of(finished)
    before = {f: f.stat().st_mtime_ns for f in tiny.folder.glob("*/**/result.json")}
    tiny.run()
    assert {f: f.stat().st_mtime_ns for f in tiny.folder.glob("*/**/result.json")} == before
    assert tiny.digest() == finished.digest()
    # more trials go on from there
    tiny.run("--trials", "8")
    assert {f: f.stat().st_mtime_ns for f in before} == before
    assert "trials/0007" in tiny.results()


def test_ends_when_the_space_is_used_up(tiny):
    stage = {"width": 8, "depth": 1, "num_heads": 2, "blocks": {"choose": [["w_msa"], ["conv"]]}}
    variant = {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 4,
        "window_size": 2,
        "stages": [stage],
    }
    tiny.write(variant=variant, baselines=[])
    output = tiny.run("--recipe.epochs", "1")
    assert "no further candidate was found after 2 trials" in output
    assert len([k for k in tiny.results() if k.startswith("trials")]) == 2


PLUGIN = '''
from torch import Tensor, nn

from hybrid_swin import Branch, Cost, linear


class Scale(Branch):
    """A linear layer for each token."""

    def __init__(self, dim, num_heads, window_size, grid_size, times: float = 1.0):
        super().__init__()
        self.times = times
        self.proj = nn.Linear(dim, dim)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        return x * self.times

    @classmethod
    def cost(cls, dim, num_heads, window_size, grid_size, times: float = 1.0) -> Cost:
        return linear(grid_size[0] * grid_size[1], dim, dim)
'''


def test_a_plug_in_reaches_every_worker_and_stays_as_it_was(tiny):
    plugin = tiny.root / "my_scale.py"
    plugin.write_text(PLUGIN)
    tiny.write(
        plugins=[str(plugin)],
        baselines=[{"blocks": ["w_msa+my_scale(times=2)"]}, {"blocks": ["my_scale"]}],
        trials=0,
        finalists={"top": 0, "seeds": 1},
        recipe={"epochs": 1, "batch_size": 256},
    )
    tiny.run()
    assert {r["state"] for r in tiny.results().values()} == {"complete"}
    plugin.write_text(PLUGIN + "# another\n")
    assert "has changed since the study began" in tiny.run(code=2)


def test_random_search_draws_too(tiny):
    tiny.run("--sampler.name", "random", "--trials", "1", "--finalists.top", "0")
    assert tiny.results()["trials/0000"]["state"] == "complete"
