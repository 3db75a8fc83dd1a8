"""What a worker does for a job, in this process: real trainings, of a second each."""

import dataclasses
import errno
import json
import os
import shutil

import numpy as np
import pytest
import torch

from hybrid_swin.data.test_reads import LEDGER, read_ledger
from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.load_save import save_weights
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec import registry
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.files import read_json
from hybrid_swin.training import classifier
from hybrid_swin.training.memory import OutOfMemoryError
from hybrid_swin.training.optimization import make_optimizer
from hybrid_swin.training.prediction.calibration import CALIBRATION_FILE, read_calibration
from search.execution import training_job as jobs
from search.execution.bound_images import OtherImagesError
from search.execution.bound_weights import OtherWeightsError
from search.execution.job import Job
from search.execution.run_folder import DeletedFolderError, UnfitMachineError
from search.execution.training_job import do_job
from search.launch.study import check, prepare
from search.records.runs import RunResult
from search.records.validation import VALIDATION_FILE, read_answers
from search.settings.study import BaselineSettings, StudyObjective, StudySettings
from search.study.sampling.draws import Draw

VARIANT = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": 10,
    "patch_size": 4,
    "window_size": 2,
    "stages": [{"width": 8, "depth": 1, "num_heads": 2, "blocks": {"choose": [["conv"]]}}],
}
RECIPE = {"epochs": 2, "batch_size": 256, "learning_rate": 0.01}


class Bench:
    """A prepared study, and its runs done one by one."""

    def __init__(self, root, **settings):
        self.root = root
        plain = {"name": "s", "folder": str(root), "variant": VARIANT, "recipe": RECIPE}
        workers = dataclasses.replace(StudySettings().workers, accelerator="cpu")
        self.settings = StudySettings(**(plain | {"workers": workers} | settings))
        self.settings.path.mkdir(exist_ok=True)
        space, self.candidates = check(self.settings)
        self.prepared = prepare(self.settings, space, self.candidates)
        self.draw = Draw(0, 0, space.default())

    def trial(self, cutoffs=None, **changes):
        spec = self.candidates.trial(self.draw, cutoffs or {})
        return dataclasses.replace(spec, **changes)

    def finalist(self):
        return self.candidates.finalist(self.trial(), 0)

    def do(self, spec, attempt=1, hear=lambda data: None, **common):
        """The result and the reports of one job; ``hear`` is told of each report."""
        folder = self.settings.path / spec.key / f"attempt-{attempt}"
        folder.mkdir(parents=True, exist_ok=True)
        task = "reference" if spec.kind == "reference" else "train"
        settings = self.prepared.job_settings | common | {"spec": spec.to_dict()}
        # As it travels to a worker.
        job = Job(
            **json.loads(json.dumps(vars(Job(spec.key, attempt, task, str(folder), settings))))
        )
        reports = []
        do_job(job, lambda data: (reports.append(data), hear(data)))
        return RunResult.from_dict(read_json(folder / "result.json")), reports

    def predictions(self, spec):
        with np.load(self.settings.path / spec.key / "attempt-1" / "predictions.npz") as file:
            return dict(file)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


GREEDY = '''
import torch
from torch import nn
from hybrid_swin.cost import linear
from hybrid_swin.network.branches import Branch

class Greedy(Branch):
    """Has room for 100 images."""

    def __init__(self, dim, num_heads, window_size, grid_size):
        super().__init__()
        self.proj = nn.Linear(dim, dim)

    def mix(self, x, value_gate=None):
        if len(x) > 100:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\\nmore")
        return x

    @classmethod
    def cost(cls, dim, num_heads, window_size, grid_size):
        return linear(grid_size[0] * grid_size[1], dim, dim)
'''


def test_half_the_images_at_once_fit_where_all_do_not(tmp_path, write_plugin):
    """In training, in validation and where the test split is read."""
    greedy = write_plugin("greedy", GREEDY)
    stage = VARIANT["stages"][0] | {"blocks": ["greedy+conv"]}
    recipe = RECIPE | {"batch_size": 128, "epochs": 1}
    bench = Bench(
        tmp_path, plugins=(str(greedy),), variant=VARIANT | {"stages": [stage]}, recipe=recipe
    )
    spec = bench.finalist()
    with pytest.raises(OutOfMemoryError) as error:
        bench.do(spec)
    assert str(error.value) == (
        "out of memory with 128 images at once: it asked for 2 GiB more of the GPU's memory"
    )
    result, _ = bench.do(spec, attempt=2, micro_batches=2)
    assert (result.state, result.devices, result.micro_batch) == ("complete", 1, 64)
    assert result.test["test/accuracy"] > 0


def test_other_images_and_splits_are_refused_before_anything_is_trained(bench):
    [images] = bench.prepared.images
    hashes = bench.prepared.hashes
    expected = dataclasses.asdict(images)
    assert expected["hashes"] == hashes
    finalist = bench.finalist()
    assert finalist.data["validation_seed"] is not None
    jobs._check_images(finalist, bench.prepared.job_settings | {"images": expected})
    for spec in (bench.trial(), finalist):
        for name, what in (("data_hash", "images"), ("split_hash", "splits")):
            other = expected | {"hashes": hashes | {name: "others"}}
            said = rf"has {what} other than the study's \({name} {hashes[name]} instead of others\)"
            with pytest.raises(OtherImagesError, match=said):
                bench.do(spec, images=other)
    assert not list(bench.root.rglob("*.ckpt")) and not list(bench.root.rglob("result.json"))


def test_nothing_is_trained_from_other_first_weights(bench):
    network = HybridSwin(Variant.from_dict(bench.trial().variant))
    file = bench.root / "first.safetensors"
    save_weights(network, file)
    spec = bench.trial(init=str(file), init_strict=False)
    with pytest.raises(OtherWeightsError, match=r"has other first weights at .* instead of others"):
        bench.do(spec, init_hash="others")
    file.unlink()
    with pytest.raises(OtherWeightsError, match="cannot read the first weights"):
        bench.do(spec)
    assert not list(bench.root.rglob("*.ckpt")) and not list(bench.root.rglob("result.json"))


def test_a_machine_that_cannot_write_an_attempt_is_unfit(tmp_path, monkeypatch):
    attempt = tmp_path / "study" / "trials" / "0000" / "attempt-1"
    job = Job("trials/0000", 1, "train", str(attempt), {"plugins": {}})
    with pytest.raises(UnfitMachineError, match=r"does not see the study's folder as '.*/study'; "):
        do_job(job, print)
    attempt.mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UnfitMachineError, match=r"cannot write into '.*/attempt-1'; mount it"):
        do_job(job, print)


def test_a_trial_leaves_all_that_a_row_needs(bench):
    spec = bench.trial()
    result, reports = bench.do(spec)
    assert (result.key, result.attempt, result.state) == ("trials/0000", 1, "complete")
    assert (result.epochs, result.epochs_planned) == (2, 2)
    assert [epoch["epoch"] for epoch in result.history] == [1, 2]
    assert result.score == result.history[-1]["val/accuracy"] == result.metrics["val/accuracy"]
    assert {"train/loss", "val/loss", "val/top5"} <= result.history[0].keys()
    assert result.test is None and result.latency is None and result.error is None
    assert result.seconds.keys() == {"setup", "fit", "teardown", "total"}
    assert 0 < result.seconds["fit"] < result.seconds["total"]
    assert result.precision in ("32-true", "bf16-mixed") and "thread" in result.device
    data = bench.prepared.data
    assert (result.data_hash, result.split_hash) == (data.data_hash, data.splits.hash)
    assert (result.validation_images, result.test_images) == (
        len(data.splits.validation),
        len(data.splits.test),
    )
    assert result.code_hash == bench.prepared.job_settings["code_hash"]
    assert result.peak_memory_mb > 0
    assert reports == [
        {"epoch": n, "epochs": 2, "score": result.history[n - 1]["val/accuracy"]} for n in (1, 2)
    ]
    attempt = bench.settings.path / spec.key / "attempt-1"
    assert not (attempt / "predictions.npz").exists()
    answers = read_answers(attempt)
    assert answers.right.mean() == pytest.approx(result.score, abs=1e-6)
    assert answers.groups is None


def test_validation_answers_of_a_training_that_is_over_are_read_again(bench):
    spec = bench.trial()
    bench.do(spec)
    folder = bench.settings.path / spec.key / "attempt-1"
    first = read_answers(folder)
    (folder / VALIDATION_FILE).unlink()
    bench.do(spec)  # the attempt that is over is not trained again
    again = read_answers(folder)
    assert again.images == first.images
    assert again.right.tolist() == first.right.tolist()


def test_a_finalist_is_calibrated_by_what_it_answered_on_validation(bench):
    spec = bench.finalist()
    result, _ = bench.do(spec)
    attempt = bench.settings.path / spec.key / "attempt-1"
    kept = read_calibration(attempt)
    assert kept.images == result.validation_images
    assert kept.error_before == pytest.approx(result.metrics["val/calibration_error"], abs=1e-5)
    (attempt / CALIBRATION_FILE).unlink()
    (attempt / "validation.npz").unlink()
    bench.do(spec)  # the attempt that is over is read again
    assert read_calibration(attempt).temperature == pytest.approx(kept.temperature, rel=1e-3)


def test_early_stopping_by_the_studys_objective_is_the_trials_whole_training(tmp_path):
    bench = Bench(
        tmp_path,
        recipe={**RECIPE, "epochs": 30, "early_stopping": 1, "learning_rate": 0.1},
        objective=StudyObjective(monitor="val/calibration_error", mode="min"),
    )
    result, reports = bench.do(spec := bench.trial())
    assert (result.state, result.epochs_planned) == ("complete", 30)
    assert result.epochs == len(result.history) == len(reports) < 30
    kept = result.history[-2]
    assert (
        result.score
        == kept["val/calibration_error"]
        == min(row["val/calibration_error"] for row in result.history)
    )
    assert result.metrics["val/accuracy"] == kept["val/accuracy"]
    answers = read_answers(bench.settings.path / spec.key / "attempt-1")
    assert answers.right.mean() == pytest.approx(kept["val/accuracy"], abs=1e-6)


def test_a_reading_of_test_is_in_the_ledger_before_and_after_it_happens(bench, monkeypatch):
    bench.do(bench.trial())
    assert read_ledger(bench.settings.path / LEDGER) == []
    evaluate, seen = jobs.evaluate, []

    def watched(*args, **options):
        seen.extend(read_ledger(bench.settings.path / LEDGER, bench.root / LEDGER))
        return evaluate(*args, **options)

    monkeypatch.setattr(jobs, "evaluate", watched)
    spec = bench.finalist()
    result, _ = bench.do(spec)
    (before,), (after,) = seen, read_ledger(bench.settings.path / LEDGER)
    assert (before.key, before.command, before.happened) == (spec.key, "study", False)
    assert (after.key, after.test_hash, after.happened) == (spec.key, result.test_hash, True)
    assert read_ledger(bench.root / LEDGER) == [after]
    bench.do(spec, attempt=2)  # as after a kill before its result was written
    assert read_ledger(bench.settings.path / LEDGER) == [after]


def test_the_precision_is_the_studys_unless_the_recipe_has_its_own(tmp_path):
    one = Bench(tmp_path)
    assert one.do(one.trial(), precision="bf16-mixed")[0].precision == "bf16-mixed"
    own = Bench(tmp_path, name="own", recipe=RECIPE | {"precision": "32-true"})
    assert own.do(own.trial(), precision="bf16-mixed")[0].precision == "32-true"


def test_an_attempt_that_is_over_is_not_trained_again(bench):
    first, _ = bench.do(bench.trial())
    again, reports = bench.do(bench.trial())
    assert reports == []
    assert (again.state, again.score, again.history) == (first.state, first.score, first.history)


# Rungs


@pytest.mark.parametrize(
    ("cutoffs", "mode", "epochs", "state"),
    [
        ({1: 1.1}, "max", 1, "stopped"),
        ({1: 0.0}, "max", 2, "complete"),
        ({2: 1.1}, "max", 2, "complete"),  # the last epoch's rung stops nothing
        ({1: -1.0}, "min", 1, "stopped"),
        ({1: 1e9}, "min", 2, "complete"),
        ({7: 1.1}, "max", 2, "complete"),
    ],
)
def test_a_trial_stops_itself_at_a_rung_that_it_does_not_reach(
    tmp_path, cutoffs, mode, epochs, state
):
    monitor = "val/accuracy" if mode == "max" else "val/loss"
    bench = Bench(tmp_path, objective=StudyObjective(monitor, mode))
    result, reports = bench.do(bench.trial(cutoffs))
    assert (result.state, result.epochs, result.epochs_planned) == (state, epochs, 2)
    assert len(result.history) == len(reports) == epochs
    assert result.score == result.history[-1][monitor]


@pytest.mark.parametrize(("cutoff", "state"), [(0.0, "complete"), (1.1, "stopped")])
def test_rungs_of_images_are_trainings_that_come_first(bench, cutoff, state):
    """Each from scratch, on a part of the train split; the last one is the whole trial's."""
    spec = bench.trial({100: 0.0, 300: cutoff}, image_rungs=(100, 300))
    result, reports = bench.do(spec)
    train = len(bench.prepared.data.splits.train)
    assert set(result.rungs) == {"100", "300"}
    assert result.state == state
    small = 2 * (100 + 300) / train
    assert result.passes == pytest.approx(small + 2 * (state == "complete"))
    said = [report.get("images", 0) for report in reports]
    assert said == [100, 100, 300, 300] + [0, 0] * (state == "complete")
    if state == "complete":
        assert result.history == bench.do(bench.trial(key="trials/0001"))[0].history
        assert result.score == result.history[-1]["val/accuracy"]
    else:
        assert result.score == result.rungs["300"]


# Divergence


def test_a_trial_that_diverges_says_so(tmp_path, monkeypatch):
    def wild(*arguments, **options):  # no recipe may ask for such a rate
        optimizer = make_optimizer(*arguments, **options)
        for group in optimizer.param_groups:
            group["lr"] = 1e38
        return optimizer

    monkeypatch.setattr(classifier, "make_optimizer", wild)
    bench = Bench(tmp_path, recipe=RECIPE | {"gradient_clip": 0.0})
    result, _ = bench.do(bench.trial())
    assert (result.state, result.score) == ("diverged", None)
    assert "not finite" in result.error
    final, _ = bench.do(bench.finalist())
    assert (final.state, final.test) == ("diverged", None)
    assert not (bench.settings.path / bench.finalist().key / "attempt-1/predictions.npz").exists()


# Finalists


def test_a_finalist_reads_test_and_keeps_its_answers(bench):
    spec = bench.finalist()
    result, _ = bench.do(spec)
    assert result.state == "complete"
    assert result.test.keys() == {n.replace("val/", "test/") for n in result.metrics}
    assert result.latency["low_ms"] <= result.latency["median_ms"] <= result.latency["high_ms"]
    saved, data = bench.predictions(spec), bench.prepared.data
    index = data.splits.test
    assert saved.keys() == {"ids", "labels", "logits"}  # digits have no groups
    assert list(saved["ids"]) == [data.images.ids[i] for i in index]
    assert list(saved["labels"]) == list(data.images.labels[index])
    accuracy = (saved["logits"].argmax(axis=1) == saved["labels"]).mean()
    assert accuracy == pytest.approx(result.test["test/accuracy"], abs=1e-6)
    assert not [f for f in (bench.settings.path / spec.key).iterdir() if f.is_file()]


def test_groups_are_kept_where_images_have_them(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (60, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(60) % 3
    arrays = {"images": images, "labels": labels, "groups": np.arange(60) // 3}
    np.savez(tmp_path / "set.npz", **{f"train_{name}": array for name, array in arrays.items()})
    bench = Bench(
        tmp_path,
        data=dataclasses.replace(
            StudySettings().data, source="npz", options={"path": str(tmp_path / "set.npz")}
        ),
        variant=VARIANT | {"num_classes": 3},
    )
    spec = bench.finalist()
    bench.do(spec)
    saved, data = bench.predictions(spec), bench.prepared.data
    assert list(saved["groups"]) == [data.images.groups[i] for i in data.splits.test]
    validated = read_answers(bench.settings.path / spec.key / "attempt-1")
    assert len(set(validated.groups)) == len(
        {data.images.groups[i] for i in data.splits.validation}
    )


def test_the_reference_leaves_a_row_too(bench):
    spec = bench.candidates.reference()
    result, reports = bench.do(spec)
    assert reports == []
    assert (result.state, result.epochs, result.history) == ("complete", 0, ())
    assert result.score == result.metrics["val/accuracy"] > 0.9
    assert result.test["test/accuracy"] > 0.9
    assert len(bench.predictions(spec)["ids"]) == result.test_images
    assert spec.cost == {"parameters": 650}


# Data of the user's own

OWN = """
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset

class Mine(LightningDataModule):
    def __init__(self, batch_size: int, spoilt: bool = False):
        super().__init__()
        self.batch_size, self.spoilt = batch_size, spoilt

    def loader(self, count, seed, spoilt=False):
        draw = torch.Generator().manual_seed(seed)
        labels = torch.randint(3, (count,), generator=draw)
        images = torch.randn(count, 1, 8, 8, generator=draw)
        if spoilt:
            images[0] = float("nan")
        return DataLoader(TensorDataset(images, labels), self.batch_size)

    def train_dataloader(self):
        return self.loader(64, 0)

    def val_dataloader(self):
        return self.loader(32, 1)

    def test_dataloader(self):
        return self.loader(31, 2, self.spoilt)
"""


@pytest.fixture
def own_bench(tmp_path, monkeypatch):
    (tmp_path / "own_images.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)

    def make(**init_args):
        data = dataclasses.replace(
            StudySettings().data, class_path="own_images.Mine", init_args=init_args
        )
        return Bench(tmp_path, data=data, variant=VARIANT | {"num_classes": 3})

    return make


def test_a_data_module_of_the_users_own(own_bench):
    bench = own_bench()
    trial, _ = bench.do(bench.trial())
    assert (trial.state, trial.data_hash, trial.split_hash) == ("complete", "", "")
    spec = bench.finalist()
    result, _ = bench.do(spec)
    saved = bench.predictions(spec)
    assert list(saved["ids"]) == [str(i) for i in range(31)]
    draw = torch.Generator().manual_seed(2)
    assert list(saved["labels"]) == torch.randint(3, (31,), generator=draw).tolist()
    assert result.test["test/accuracy"] == pytest.approx(
        (saved["logits"].argmax(axis=1) == saved["labels"]).mean(), abs=1e-6
    )


def test_a_finalist_whose_test_answers_are_not_finite_costs_only_itself(own_bench):
    bench = own_bench(spoilt=True)
    spec = bench.finalist()
    result, _ = bench.do(spec)
    assert (result.state, result.score, result.test) == ("diverged", None, None)
    assert len(result.history) == 2
    assert "the test split cannot be read" in result.error
    assert not (bench.settings.path / spec.key / "attempt-1/predictions.npz").exists()


# What the user must mend


def test_a_metric_that_is_not_logged(bench):
    objective = {"monitor": "val/nothing", "mode": "max"}
    with pytest.raises(InputError, match=r"'val/nothing' is not among those logged: val/acc"):
        bench.do(bench.trial(), objective=objective)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_the_users_and_no_fault_of_the_run(bench, monkeypatch, number):
    def full(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(InputError, match=os.strerror(number)):
        bench.do(bench.finalist())
    assert not list(bench.settings.path.rglob("result.json"))


def test_a_deleted_folder_costs_an_attempt_and_not_the_study(bench):
    spec = bench.trial()

    def delete(data):
        shutil.rmtree(bench.settings.path / spec.key)

    with pytest.raises(DeletedFolderError, match="its folder was deleted"):
        bench.do(spec, hear=delete)


def test_another_error_of_the_disk_is_one_message(bench, monkeypatch):
    def broken(*arguments, **options):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(np, "savez_compressed", broken)
    with pytest.raises(InputError, match=rf"{os.strerror(errno.EIO)}; check the disk"):
        bench.do(bench.finalist())


def test_plug_ins_are_known_to_the_worker(tmp_path, write_plugin):
    plugin = write_plugin("average")
    bench = Bench(
        tmp_path,
        plugins=(str(plugin),),
        baselines=(BaselineSettings(("average",)),),
    )
    registry._plugins.clear()  # as in a process of its own
    registry._describe.cache_clear()
    plugin.unlink()  # the study has its copy
    result, _ = bench.do(bench.candidates.baselines[0])
    assert result.state == "complete"
