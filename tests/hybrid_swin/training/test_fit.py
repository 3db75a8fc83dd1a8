"""Training and reading on scikit-learn's digits: exact resuming, stopping, failing, repeating."""

import dataclasses
import math
import os
import threading

import lightning.pytorch as L
import numpy as np
import pytest
import torch

from hybrid_swin.data.datamodule import make_datamodule
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.files import SaveError
from hybrid_swin.training import classifier
from hybrid_swin.training.fit import evaluate, fit, load_classifier
from hybrid_swin.training.optimization import make_optimizer
from hybrid_swin.training.resume import load_state

VARIANT = Variant.from_dict(
    {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "window_size": 2,
        "stages": [{"width": 8, "depth": 2, "num_heads": 2, "blocks": ["w_msa+mdta", "sw_msa"]}],
    }
)
DATA = {"epoch_images": 350, "validation_share": 0.1}  # six batches, the last one smaller
# Everything random is on.
RECIPE = Recipe(
    epochs=3,
    batch_size=64,
    learning_rate=5e-3,
    warmup_epochs=0.5,
    drop_path=0.3,
    shift=1,
    flip="horizontal",
    class_weights="balanced",
    precision="32-true",
)


@pytest.fixture(autouse=True)
def one_thread():
    """Sums of several threads have no fixed order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def datamodule(batch_size=RECIPE.batch_size, seed=1, **data):
    return make_datamodule(DataSettings(**DATA | data), VARIANT, batch_size, seed)


def train(folder, callbacks=(), *, recipe=RECIPE, seed=1, data=None, every=0.0, **options):
    # A module of its own each time, as after a crash.
    return fit(
        VARIANT,
        recipe,
        datamodule(recipe.batch_size, seed, **data or {}),
        seed=seed,
        folder=folder,
        accelerator="cpu",
        callbacks=callbacks,
        checkpoint_every_seconds=every,
        **options,
    )


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    result = train(tmp_path_factory.mktemp("uninterrupted"))
    torch.set_num_threads(threads)
    return result


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What a kill in the third epoch leaves."""
    folder = tmp_path_factory.mktemp("killed")
    with pytest.raises(KilledError):
        train(folder, [Kill("on_train_epoch_start", 3)])
    return folder


def weights(result):
    return load_classifier(result.checkpoint).state_dict()


def assert_same_bits(result, other):
    assert result.history == other.history  # every metric of every epoch, as floats
    mine, theirs = weights(result), weights(other)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


class KilledError(Exception):
    """Stands for the end of the process: nothing of ours catches it."""


class Kill(L.Callback):
    """Raises at a hook of an epoch (from 1), at a batch (from 0) where the hook has one."""

    def __init__(self, hook, epoch, batch=0):
        self.epoch, self.batch = epoch, batch
        setattr(self, hook, self.strike)

    def strike(self, trainer, pl_module, *args):
        batch = args[-1] if args else self.batch
        if trainer.current_epoch + 1 == self.epoch and batch == self.batch:
            raise KilledError


class StopAt(L.Callback):
    """Ends the training after an epoch, as a rung does."""

    def __init__(self, epoch):
        self.epoch, self.seen = epoch, []

    def on_train_epoch_end(self, trainer, pl_module):
        self.seen.append(trainer.current_epoch + 1)
        if trainer.current_epoch + 1 == self.epoch:
            trainer.should_stop = True


def test_a_training_is_complete_and_says_what_it_did(uninterrupted):
    result = uninterrupted
    assert (result.state, result.epochs, result.resumed_from) == ("complete", 3, 0)
    assert [row["epoch"] for row in result.history] == [1, 2, 3]
    names = ("loss", "accuracy", "top5", "f1", "balanced_accuracy", "auroc", "calibration_error")
    for row in result.history:
        assert set(row) == {"epoch", "train/loss", *(f"val/{name}" for name in names)}
        assert all(math.isfinite(value) for value in row.values())
    assert result.metrics == {k: v for k, v in result.history[-1].items() if k[:4] == "val/"}
    assert set(result.seconds) == {"setup", "fit", "teardown", "total"}
    assert result.seconds["total"] >= result.seconds["fit"] > 0
    assert result.precision == "32-true" and result.peak_memory_mb > 0 and not result.notes
    folder = result.checkpoint.parent
    assert [file.name for file in folder.iterdir()] == ["final.ckpt"]


def test_the_seed_decides_every_bit(uninterrupted, tmp_path):
    assert_same_bits(train(tmp_path / "same"), uninterrupted)
    other = train(tmp_path / "other", seed=2)
    assert other.history != uninterrupted.history


@pytest.mark.parametrize(
    ("kill", "resumed_from"),
    [
        (Kill("on_train_epoch_start", 2), 1),
        (Kill("on_train_epoch_start", 3), 2),
        (Kill("on_train_batch_end", 3, batch=4), 2),
        (Kill("on_validation_batch_end", 2), 1),
        (Kill("on_train_batch_start", 1, batch=3), 0),
    ],
)
def test_going_on_after_a_kill_gives_the_same_bits(uninterrupted, tmp_path, kill, resumed_from):
    with pytest.raises(KilledError):
        train(tmp_path, [kill])
    result = train(tmp_path)
    assert result.resumed_from == resumed_from
    assert_same_bits(result, uninterrupted)
    assert result.seconds["fit"] > 0 and result.state == "complete"


def test_what_a_training_holds_beside_its_weights_goes_on_too(tmp_path):
    """The average, the best epoch's weights, momenta of two optimizers, batches of a step."""
    recipe = dataclasses.replace(
        RECIPE,
        epochs=5,
        optimizer="muon",
        schedule="one_cycle",
        layer_decay=0.9,
        ema=0.8,
        accumulate_batches=3,
        early_stopping=1,
    )
    training = {"recipe": recipe, "seed": 2}  # of this seed the third epoch is the best
    monitored = training | {"monitor": "val/calibration_error", "mode": "min"}
    whole = train(tmp_path / "whole", **monitored)
    errors = [row["val/calibration_error"] for row in whole.history]
    assert whole.state == "complete" and 2 < whole.epochs == whole.kept_epoch + 1 < 5
    assert whole.metrics["val/calibration_error"] == min(errors)
    for hook, epoch in (("on_train_batch_end", whole.epochs), ("on_train_end", whole.epochs + 1)):
        with pytest.raises(KilledError):
            train(tmp_path / hook, [Kill(hook, epoch)], **monitored)
        again = train(tmp_path / hook, **monitored)
        assert again.resumed_from == whole.epochs - 1
        assert_same_bits(again, whole)
        assert (again.kept_epoch, again.state) == (whole.kept_epoch, "complete")
    read = train(tmp_path / "whole", **monitored)  # over already
    assert (read.kept_epoch, read.metrics) == (whole.kept_epoch, whole.metrics)
    data = datamodule()
    assert evaluate(whole.checkpoint, data, "validation").metrics == whole.metrics
    with pytest.raises(InputError, match=r"another early_stopping \('min of val/calib"):
        train(tmp_path / "whole", **training)
    with pytest.raises(InputError, match=r"another recipe ema \(0.8, now 'the default'\)"):
        train(tmp_path / "whole", **monitored | {"recipe": dataclasses.replace(recipe, ema=0)})


def test_killed_again_and_again(uninterrupted, tmp_path):
    for epoch in (2, 3):
        with pytest.raises(KilledError):
            train(tmp_path, [Kill("on_train_epoch_start", epoch)])
    assert_same_bits(train(tmp_path), uninterrupted)


def test_a_state_is_not_written_more_often_than_asked(uninterrupted, tmp_path):
    with pytest.raises(KilledError):
        train(tmp_path, [Kill("on_train_epoch_start", 3)], every=3600.0)
    assert not list(tmp_path.iterdir())
    result = train(tmp_path)
    assert result.resumed_from == 0
    assert_same_bits(result, uninterrupted)


def test_a_training_that_is_over_is_not_done_again(uninterrupted):
    seen = StopAt(0)
    again = train(uninterrupted.checkpoint.parent, [seen])
    assert not seen.seen
    assert (again.state, again.resumed_from) == ("complete", 3)
    assert again.history == uninterrupted.history
    assert again.seconds["fit"] == pytest.approx(uninterrupted.seconds["fit"])


def test_without_resuming_it_starts_again(uninterrupted, tmp_path):
    train(tmp_path, [StopAt(1)])
    result = train(tmp_path, resume=False)
    assert (result.state, result.resumed_from) == ("complete", 0)
    assert_same_bits(result, uninterrupted)


def test_a_callback_stops_a_training_and_it_stays_stopped(uninterrupted, tmp_path):
    result = train(tmp_path, [StopAt(2)])
    assert (result.state, result.epochs) == ("stopped", 2)
    assert result.history == uninterrupted.history[:2]
    seen = StopAt(2)
    again = train(tmp_path, [seen])
    assert (again.state, again.epochs, again.history) == ("stopped", 2, result.history)
    assert not seen.seen


def test_a_stop_is_not_lost_when_the_kill_comes_right_after_it(tmp_path):
    with pytest.raises(KilledError):
        train(tmp_path, [StopAt(2), Kill("on_train_end", 3)])  # Lightning has counted on by then
    stop = StopAt(2)
    result = train(tmp_path, [stop])
    assert (result.state, result.epochs, result.resumed_from) == ("stopped", 2, 1)
    assert stop.seen == [2]


def test_callbacks_see_each_epochs_metrics(tmp_path):
    class Report(L.Callback):
        def __init__(self):
            self.rows = []

        def on_train_epoch_end(self, trainer, pl_module):
            values = {name: float(v) for name, v in trainer.callback_metrics.items()}
            self.rows.append({"epoch": trainer.current_epoch + 1} | values)

    report = Report()
    result = train(tmp_path, [report])
    assert report.rows == result.history


def test_global_step_and_epoch_go_on_counting(tmp_path):
    class Count(L.Callback):
        def __init__(self):
            self.seen = []

        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            self.seen.append((trainer.current_epoch, trainer.global_step, batch_idx))

    whole, before, after = Count(), Count(), Count()
    recipe = dataclasses.replace(RECIPE, epochs=2)
    train(tmp_path / "whole", [whole], recipe=recipe)
    with pytest.raises(KilledError):
        train(tmp_path / "parts", [before, Kill("on_train_epoch_start", 2)], recipe=recipe)
    train(tmp_path / "parts", [after], recipe=recipe)
    assert before.seen + after.seen == whole.seen


def test_divergence_ends_the_training_and_keeps_finite_history(tmp_path, monkeypatch):
    def wild(*arguments, **options):  # no recipe may ask for such a rate
        optimizer = make_optimizer(*arguments, **options)
        for group in optimizer.param_groups:
            group["lr"] = 1e38
        return optimizer

    monkeypatch.setattr(classifier, "make_optimizer", wild)
    recipe = Recipe(epochs=4, batch_size=128, gradient_clip=0, warmup_epochs=0)
    result = train(tmp_path, recipe=recipe)
    assert result.state == "diverged"
    assert result.epochs == len(result.history) < 4
    assert all(math.isfinite(value) for row in result.history for value in row.values())
    assert result.checkpoint is None
    assert "not finite" in result.notes[0]


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty", "other"])
def test_a_damaged_checkpoint_is_said_and_done_without(uninterrupted, killed, tmp_path, damage):
    path = tmp_path / "last.ckpt"
    content = bytearray((killed / path.name).read_bytes())
    if damage == "torn":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        weight = load_state(killed / path.name)["state_dict"]["model.head.fc.weight"]
        content[content.index(weight.numpy().tobytes())] ^= 1
    elif damage == "empty":
        content = bytearray()
    else:
        content = bytearray(b"something else")
    path.write_bytes(content)
    result = train(tmp_path)
    assert result.resumed_from == 0
    assert "last.ckpt" in result.notes[0] and "started again" in result.notes[0]
    assert_same_bits(result, uninterrupted)


def _temporary(folder):
    return folder / f".last.ckpt.{os.getpid()}-{threading.get_ident()}.tmp"


def test_a_leftover_of_a_torn_write_is_no_obstacle(uninterrupted, tmp_path):
    _temporary(tmp_path).write_bytes(b"half a check")
    assert_same_bits(train(tmp_path), uninterrupted)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device that is always full")
def test_a_full_disk_is_one_error_and_the_training_can_go_on(uninterrupted, tmp_path):
    class FullDisk(L.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == 1:
                _temporary(tmp_path).symlink_to("/dev/full")

    with pytest.raises(SaveError, match="could not be written: No space left"):
        train(tmp_path, [FullDisk()])
    assert load_state(tmp_path / "last.ckpt")["epoch"] == 1
    result = train(tmp_path)
    assert result.resumed_from == 1
    assert_same_bits(result, uninterrupted)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"seed": 7}, "another seed (1, now 7)"),
        (
            {"recipe": Recipe(**RECIPE.to_dict() | {"learning_rate": 0.1})},
            "another recipe learning_rate (0.005, now 0.1)",
        ),
        ({"data": {"split_seed": 5}}, "another splits"),
    ],
)
@pytest.mark.parametrize("over", [True, False])
def test_the_folder_of_another_training_is_refused(uninterrupted, killed, other, named, over):
    folder = uninterrupted.checkpoint.parent if over else killed
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(InputError) as error:
        train(folder, **other)
    assert named in str(error.value) and str(folder) in str(error.value)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_reading_validation_again_gives_the_numbers_of_the_last_epoch(uninterrupted):
    data = datamodule()
    reading = evaluate(uninterrupted.checkpoint, data, "validation", accelerator="cpu")
    assert reading.metrics == uninterrupted.metrics
    assert reading.logits.shape == (len(data.splits.validation), 10)
    assert np.array_equal(reading.labels, data.images.labels[data.splits.validation])
    right = (reading.logits.argmax(1) == reading.labels).mean()
    assert right == pytest.approx(reading.metrics["val/accuracy"])


def test_reading_test_takes_a_module_too_and_is_a_split_of_its_own(uninterrupted):
    data = datamodule()
    module = load_classifier(uninterrupted.checkpoint)
    reading = evaluate(module, data, "test", accelerator="cpu")
    again = evaluate(uninterrupted.checkpoint, data, "test", accelerator="cpu")
    assert reading.metrics == again.metrics
    assert np.array_equal(reading.logits, again.logits)
    assert all(name.startswith("test/") for name in reading.metrics)
    assert np.array_equal(reading.labels, data.images.labels[data.splits.test])


def test_what_cannot_be_read_is_refused(uninterrupted, tmp_path):
    data = datamodule()
    with pytest.raises(InputError, match="unknown split 'tset'; did you mean 'test'"):
        evaluate(uninterrupted.checkpoint, data, "tset")
    (tmp_path / "a.ckpt").write_bytes(b"nothing")
    for path in (tmp_path / "a.ckpt", tmp_path / "missing.ckpt"):
        with pytest.raises(InputError, match=path.name):
            evaluate(path, data, "test")
    broken = load_classifier(uninterrupted.checkpoint)
    with torch.no_grad():
        broken.model.head.fc.weight.fill_(float("nan"))
    with pytest.raises(InputError, match="not finite"):
        evaluate(broken, data, "test", accelerator="cpu")
