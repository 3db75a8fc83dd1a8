"""What happens between epochs: seeding, the history, saving, resuming.

All randomness of epoch e (from 0) derives from (seed, e), and a state is saved between two epochs
only. So a training that is resumed gives the same bits as one that was never interrupted.

A state's file is a Lightning checkpoint (``Classifier.load_from_checkpoint`` reads it) with the
history and the identity of the training inside, so that one rename replaces them together.
"""

import io
import time
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import lightning
import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import Checkpoint

from hybrid_swin.data.datamodule import ImageData
from hybrid_swin.data.pixels import full_scale
from hybrid_swin.data.same_images import check_data, data_identity
from hybrid_swin.data.seeding import seed_all
from hybrid_swin.data.sources import LabelledImages
from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import message_of
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.file_names import FINAL, LAST
from hybrid_swin.system.files import SaveError, replacing
from hybrid_swin.training.averaging import WeightAverage
from hybrid_swin.training.early_stopping import EarlyStopping

SCHEMA_VERSION = 1  # of a state
_ELSEWHERE = "choose another folder, or start anew, without resuming (--resume false)"


def identify(variant: Variant, recipe: Recipe, seed: int) -> dict[str, Any]:
    """What two trainings share if one may go on from the other, apart from their data."""
    plugins = {"recipe_plugins": recipe.plugins} if recipe.plugins else {}
    return {"variant": variant.id, "recipe": recipe.to_dict(), "seed": seed, **plugins}


def data_facts(datamodule: object) -> dict[str, Any]:
    """What the network must be told of images to come; empty for a data module of the user's."""
    if not isinstance(datamodule, ImageData):
        return {}
    return {
        "mean": list(datamodule.mean),
        "std": list(datamodule.std),
        "full_scale": full_scale(datamodule.images.images.dtype),
        **data_options(datamodule.images),
        "class_names": list(datamodule.class_names),
    }


def data_options(images: LabelledImages) -> dict[str, Any]:
    """The options of a source by which its files became these pixels, where it has such."""
    options: dict[str, Any] = {}
    if images.value_range is not None:
        options["value_range"] = list(images.value_range)
    if images.resize:
        options["resize"] = images.resize
    return options


@dataclass
class Progress:
    """How far a training has come: what a checkpoint holds beside weights and optimiser.

    ``history`` has one dict an epoch: ``epoch`` (from 1) and what was logged, all finite.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    fit_seconds: float = 0.0  # over all attempts, for the epochs that count
    global_step: int = 0
    state: str = "running"  # then "complete", "stopped" or "diverged"
    kept_epoch: int = 0  # whose weights are kept; 0 for the last one's
    fresh: float | None = None  # share of parameters that no file of first weights gave

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return len(self.history)


class EpochKeeper(Checkpoint):
    """Seeds each epoch, records it, and saves the training after it.

    A ``Checkpoint`` to Lightning, which runs those after all other callbacks: so a callback that
    stops the training at this epoch has already said so when the state is saved.

    ``identity`` is what a training must share to be resumed from the files in ``folder``. An epoch
    is saved if the last save is at least ``every_seconds`` ago; ``saved`` is what to go on from.
    What is kept in the end are the weights that ``early_stopping`` keeps, else those of
    ``average``, else the module's.
    """

    def __init__(
        self,
        seed: int,
        folder: Path,
        identity: Mapping[str, Any],
        every_seconds: float,
        saved: Mapping[str, Any] | None = None,
        average: WeightAverage | None = None,
        early_stopping: EarlyStopping | None = None,
    ) -> None:
        self.seed = seed
        self.folder, self.identity = folder, dict(identity)
        self.every_seconds = every_seconds
        self.progress = Progress(**saved["progress"]) if saved else Progress()
        self.loop_start: float | None = None  # perf_counter at the loop's start and end
        self.loop_end: float | None = None
        self._saved = saved
        self._average, self._early_stopping = average, early_stopping
        self._check_identity()
        self._before = self.progress.fit_seconds
        self._last_save = time.monotonic()

    def _check_identity(self) -> None:
        """Refuse a saved state of another training. Raises InputError."""
        saved = self._saved["identity"] if self._saved else {}
        for name, value in self.identity.items():
            before = saved.get(name, value)
            if before == value:
                continue
            if isinstance(value, Mapping):
                name, before, value = next(
                    (f"{name} {key}", before.get(key, "the default"), value.get(key, "the default"))
                    for key in {**before, **value}
                    if before.get(key) != value.get(key)
                )
            raise InputError(
                f"{self.folder} holds a training with another {name} ({before!r}, now {value!r}); "
                f"{_ELSEWHERE}"
            )

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Add the data, which the trainer has just set up, to the identity."""
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        self.check_data(datamodule)
        self.identity |= data_identity(datamodule)

    def check_data(self, datamodule: object) -> None:
        """Refuse a saved state of other images. Raises InputError."""
        check_data(self._saved or {}, datamodule, self.folder, _ELSEWHERE)

    def restore_counters(self, trainer: L.Trainer) -> None:
        """Let a fresh trainer begin at the saved epoch; call before ``trainer.fit``.

        Lightning's own resuming replays the end of the saved epoch, and draws from the generators
        where a training without interruption does not.
        """
        loop, epochs = trainer.fit_loop, self.progress.epochs
        for count in (loop.epoch_progress.current, loop.epoch_progress.total):
            vars(count).update(ready=epochs, started=epochs, processed=epochs, completed=epochs)
        steps = loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.total
        steps.ready = steps.completed = self.progress.global_step
        loop.epoch_loop._batches_that_stepped = self.progress.global_step

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take weights, optimiser, schedule and loss scale from the saved state."""
        saved, self._saved = self._saved, None
        epochs = trainer.strategy.broadcast(self.progress.epochs)
        if epochs != self.progress.epochs:  # each reads the file itself
            raise RuntimeError(
                f"rank {trainer.global_rank} would go on after epoch {self.progress.epochs}, and "
                f"rank 0 after epoch {epochs}; they do not see the same {self.folder}"
            )
        if saved is None:
            return
        pl_module.load_state_dict(saved["state_dict"])
        trainer.optimizers[0].load_state_dict(saved["optimizer_states"][0])
        trainer.lr_scheduler_configs[0].scheduler.load_state_dict(saved["lr_schedulers"][0])
        trainer.precision_plugin.load_state_dict(saved["precision_state"])
        if self._average is not None:
            self._average.restore(saved["average"], pl_module)
        if self._early_stopping is not None:
            self._early_stopping.restore(saved["early_stopping"])

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self.loop_start = time.perf_counter()
        self._last_save = time.monotonic()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Seed; the loader's iterator is made after this and draws its base seed from here."""
        seed_all(self.seed, "epoch", trainer.current_epoch)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Record the epoch; save if it is time."""
        row: dict[str, float] = {"epoch": trainer.current_epoch + 1}
        row |= {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        self.progress.history.append(row)
        self.progress.global_step = trainer.global_step
        over = trainer.should_stop or self.progress.epochs == trainer.max_epochs
        due = time.monotonic() - self._last_save >= self.every_seconds
        if due and not over:  # what is over is saved at once as final
            self._save(trainer, LAST)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save the result; the state between epochs is not needed any more."""
        self.loop_end = time.perf_counter()
        complete = self.progress.epochs == trainer.max_epochs
        if self._early_stopping is not None:
            complete = complete or self._early_stopping.has_ended
            self.progress.kept_epoch = self._early_stopping.epoch
        self.progress.state = "complete" if complete else "stopped"
        self._save(trainer, FINAL)
        if trainer.is_global_zero:
            (self.folder / LAST).unlink(missing_ok=True)

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Stop the clock."""
        self.loop_end = time.perf_counter()
        self._count_seconds()

    def _count_seconds(self) -> None:
        if self.loop_start is not None:
            until = self.loop_end or time.perf_counter()
            self.progress.fit_seconds = self._before + until - self.loop_start

    def _save(self, trainer: L.Trainer, name: str) -> None:
        self._last_save = time.monotonic()
        if not trainer.is_global_zero:
            return
        self._count_seconds()
        module = trainer.lightning_module
        state = {
            "pytorch-lightning_version": lightning.__version__,
            "state_dict": module.state_dict(),
            "hyper_parameters": dict(module.hparams),
            "epoch": self.progress.epochs,
            "global_step": self.progress.global_step,
            "identity": self.identity,
            "data": data_facts(trainer.datamodule),  # type: ignore[attr-defined]
            "progress": asdict(self.progress),
        }
        if name == LAST:
            state |= {
                "optimizer_states": [trainer.optimizers[0].state_dict()],
                "lr_schedulers": [trainer.lr_scheduler_configs[0].scheduler.state_dict()],
                "precision_state": trainer.precision_plugin.state_dict(),
            }
            if self._average is not None:
                state["average"] = self._average.weights
            if self._early_stopping is not None:
                state["early_stopping"] = self._early_stopping.state()
        elif self._early_stopping is not None:
            state["state_dict"] = self._early_stopping.weights
        elif self._average is not None:
            state["state_dict"] = self._average.weights
        module.on_save_checkpoint(state)
        save_state(state, self.folder / name)
        self._last_save = time.monotonic()


class UnreadableStateError(Exception):
    """A file is there, but it is torn, altered or not ours."""


def save_state(state: Mapping[str, Any], path: Path) -> None:
    """Write a state, whole or not at all.

    Raises SaveError if the disk is full or the folder cannot be written, with ``errno`` kept.
    """
    # In memory first: torch reports a full disk as a RuntimeError about its own stream.
    buffer = io.BytesIO()
    torch.save({**state, "schema_version": SCHEMA_VERSION}, buffer)
    content = buffer.getbuffer()
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise SaveError(
            error.errno,
            f"the checkpoint ({len(content) / 1e6:.1f} MB) could not be written: {error.strerror}; "
            "the previous one is intact, so free space or mend the folder and run again to resume",
            str(path),
        ) from error


def load_state(path: Path, device: str = "cpu") -> dict[str, Any]:
    """Read what ``save_state`` wrote, checked against its checksums.

    Raises FileNotFoundError, or UnreadableStateError if it is torn, altered or something else.
    """
    content = path.read_bytes()
    try:
        # torch checks no checksum itself: one flipped bit would be a silently different network.
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            broken = archive.testzip()
        if broken is not None:
            raise UnreadableStateError(f"{path.name} is damaged at {broken!r}")
        state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    except UnreadableStateError:
        raise
    except Exception as error:  # a torn file may fail anywhere in zipfile's or pickle's reading
        reason = ": ".join([type(error).__name__, *message_of(error).splitlines()[:1]])
        raise UnreadableStateError(f"{path.name} cannot be read ({reason})") from error
    if not isinstance(state, dict) or state.get("schema_version") != SCHEMA_VERSION:
        raise UnreadableStateError(f"{path.name} is not a training state of this version")
    return state
