"""One training (``fit``) and one reading of a split (``evaluate``), by Lightning."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import lightning.pytorch as L
import numpy as np
import torch

from hybrid_swin.cost import count_cost
from hybrid_swin.data.datamodule import ImageData
from hybrid_swin.data.own_modules import seed_for_setup, set_up
from hybrid_swin.data.same_images import check_data
from hybrid_swin.data.seeding import seed_all
from hybrid_swin.data.shares import cut
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.errors.plain_text import described
from hybrid_swin.interop.weights.load_save import fill
from hybrid_swin.interop.weights.source.kept import kept_weights
from hybrid_swin.network.whole_batch import has_batch_norm
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_checks import check_anew
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.file_names import FINAL, LAST
from hybrid_swin.training.averaging import WeightAverage
from hybrid_swin.training.batch_norm_note import batch_norm_note
from hybrid_swin.training.classifier import Classifier, DivergedError, check_classes
from hybrid_swin.training.early_stopping import EarlyStopping, Mode
from hybrid_swin.training.hardware import (
    PeakMemory,
    device_name,
    resolve_accelerator,
    resolve_precision,
)
from hybrid_swin.training.memory import Batching, memory_watched
from hybrid_swin.training.processes import Processes
from hybrid_swin.training.quiet import quiet
from hybrid_swin.training.resume import EpochKeeper, UnreadableStateError, identify, load_state
from hybrid_swin.training.sigterm import OwnSigterm

State = Literal["complete", "stopped", "diverged"]
Split = Literal["validation", "test"]


@dataclass(frozen=True)
class FitResult:
    """What came of one training, over all attempts at it."""

    state: State  # ``stopped`` by a callback before the recipe's epochs
    history: list[dict[str, float]]  # by ``epoch`` (from 1) ``train/loss`` and ``val/...``, finite
    epochs: int
    seconds: dict[str, float]  # ``setup``, ``teardown``, ``total`` of this call; ``fit`` of all
    precision: str  # that ``auto`` stood for
    device: str
    peak_memory_mb: float  # of the GPU's tensors, else of this process, in this call
    checkpoint: Path | None  # the weights kept; None if the training diverged
    resumed_from: int = 0  # epochs that were taken from an earlier attempt
    notes: tuple[str, ...] = ()  # such as a checkpoint that could not be read
    kept_epoch: int = 0  # whose weights are kept: the best of early stopping, else the last
    fresh: float | None = None  # share of parameters that did not come from ``init``, if any did

    @property
    def kept(self) -> dict[str, float]:
        """What was logged in the epoch whose weights are kept; empty before the first one."""
        return self.history[self.kept_epoch - 1] if self.history else {}

    @property
    def metrics(self) -> dict[str, float]:
        """Its ``val/...``."""
        return {name: value for name, value in self.kept.items() if name.startswith("val/")}


class Evaluation(NamedTuple):
    """A split as the network sees it, in the split's order."""

    metrics: dict[str, float]  # ``val/...`` or ``test/...``
    logits: np.ndarray  # (N, num_classes) float32
    labels: np.ndarray  # (N,) int64


def fit(
    variant: Variant,
    recipe: Recipe,
    datamodule: L.LightningDataModule,
    *,
    seed: int,
    folder: str | Path,
    accelerator: str = "auto",
    processes: Processes | None = None,
    micro_batches: int = 1,
    callbacks: Iterable[L.Callback] = (),
    checkpoint_every_seconds: float = 10.0,
    resume: bool = True,
    init: str | Path | None = None,
    weights_prefix: str | None = None,
    init_strict: bool = True,
    monitor: str = "val/accuracy",
    mode: Mode = "max",
) -> FitResult:
    """Train from first weights, or go on where an earlier call on the same folder was cut off.

    Going on gives the bits of a training that was never cut off. A folder whose training is over
    (complete, or stopped by a callback) gives its result again, without training.

    Args:
        variant: the network.
        recipe: how to train it.
        datamodule: its data, in batches of ``recipe.batch_size`` (not checked). Where it has
            ``data_hash`` and ``splits.hash``, a folder of other data is refused.
        seed: of initialisation and of all randomness of training.
        folder: gets ``last.ckpt`` between epochs and ``final.ckpt`` at the end; one per training.
        accelerator: ``auto``, ``cpu``, ``gpu``, ``cuda`` or ``mps``.
        processes: of a training over several devices, each of which calls this with its own; rank
            0's writes the files. The batches, their order and what is drawn are those of one
            device, so that results are the same but for rounding.
        micro_batches: parts of each device's share of a batch that are taken one after another,
            for less memory. Results are the same but for rounding, and batch norm's (see
            ``whole_batch``), of which there is a note.
        callbacks: Lightning callbacks of the caller. In ``on_train_epoch_end`` they find the epoch
            in ``trainer.callback_metrics`` and may end the training by ``trainer.should_stop``.
        checkpoint_every_seconds: least time between two writes of ``last.ckpt``.
        resume: whether to use what the folder holds; otherwise it is removed.
        init: weights to start from, as far as they fit (see ``load_weights``): mixers of several
            branches start as the attention that the weights hold.
        weights_prefix: which network ``init`` means, if it holds several (see ``load_weights``).
        init_strict: whether weights of other widths or depths are refused; otherwise what fits is
            taken, and the rest starts fresh.
        monitor: the validation metric of the recipe's ``early_stopping``.
        mode: whether more or less of it is better.

    Raises:
        InputError: settings that do not fit each other, a folder of another training, or fewer
            GPUs than processes.
        SaveError: a checkpoint could not be written; the one before is intact.
        OutOfMemoryError: memory ran out; more micro-batches need less.
    """
    begin = time.perf_counter()
    check_classes(variant)
    processes = processes or Processes()
    device = resolve_accelerator(accelerator)
    processes.take_device(device)
    precision = resolve_precision(recipe.precision, device, count_cost(variant).macs)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not resume:
        for name in (LAST, FINAL):
            (folder / name).unlink(missing_ok=True)
    memory = PeakMemory(device)
    notes: list[str] = []
    identity = identify(variant, recipe, seed)
    first = None if init is None else kept_weights(init, weights_prefix)
    if first is not None:
        identity["init"] = first.hash
    else:
        check_anew(recipe)
    final, last = (_find_state(folder / name, notes) for name in (FINAL, LAST))
    average = WeightAverage(recipe.ema) if recipe.ema else None
    early_stopping = None
    if recipe.early_stopping:
        identity["early_stopping"] = f"{mode} of {monitor}"
        early_stopping = EarlyStopping(
            recipe.early_stopping,
            monitor,
            mode,
            lambda module: module.state_dict() if average is None else average.weights,
        )
    keeper = EpochKeeper(
        seed,
        folder,
        identity,
        checkpoint_every_seconds,
        final or last,
        average,
        early_stopping,
    )
    if final is not None:
        set_up(datamodule)
        keeper.check_data(datamodule)
    resumed_from = keeper.progress.epochs
    over = final is not None
    del final, last  # large: the keeper lets go of it once it is restored
    if not over:
        seed_all(seed, "start")
        with quiet():
            module = Classifier(variant.to_dict(), recipe.to_dict())
            if first is not None:
                report = fill(module.model, first.source, strict=init_strict)
                module.start_from(report.from_source)
                keeper.progress.fresh = report.fresh_share
            batching = Batching(recipe.batch_size, processes.count, micro_batches)
            if micro_batches > 1 and has_batch_norm(module):
                notes.append(batch_norm_note(batching.images))
            trainer = _trainer(
                device,
                precision,
                **processes.trainer_options(module.model),
                accumulate_grad_batches=micro_batches * recipe.accumulate_batches,
                max_epochs=recipe.epochs,
                gradient_clip_val=recipe.gradient_clip or None,
                callbacks=[*callbacks, *filter(None, (average, early_stopping)), keeper],
                default_root_dir=folder,
            )
            keeper.restore_counters(trainer)
            seed_for_setup(datamodule)
            cuts = processes.rank, processes.count, micro_batches
            shares = cut(datamodule, *cuts, mixes=recipe.mixes)
            with processes.connected(device, str(folder)), shares:
                try:
                    with memory_watched(batching, lambda: keeper.loop_start is not None):
                        trainer.fit(module, datamodule=datamodule)
                except DivergedError as error:
                    keeper.progress.state = "diverged"
                    notes.append(str(error))
    end = time.perf_counter()
    fit_start, fit_end = keeper.loop_start or end, keeper.loop_end or end
    progress = keeper.progress
    return FitResult(
        state=cast(State, progress.state),
        history=progress.history,
        epochs=progress.epochs,
        seconds={
            "setup": fit_start - begin,
            "fit": progress.fit_seconds,
            "teardown": end - fit_end,
            "total": end - begin,
        },
        precision=precision,
        device=device_name(device, processes.count),
        peak_memory_mb=memory.read(),
        checkpoint=None if progress.state == "diverged" else folder / FINAL,
        resumed_from=resumed_from,
        notes=tuple(notes),
        kept_epoch=progress.kept_epoch or progress.epochs,
        fresh=progress.fresh,
    )


def evaluate(
    network: Classifier | str | Path,
    datamodule: L.LightningDataModule,
    split: Split,
    *,
    accelerator: str = "auto",
    micro_batches: int = 1,
) -> Evaluation:
    """Read one split with a trained network, or its checkpoint, in the recipe's precision.

    ``micro_batches``: parts of a batch, taken one after another for less memory.

    Raises:
        InputError: an unknown split, an empty one, a checkpoint that cannot be read, or a network
            whose answers are not finite.
        OutOfMemoryError: memory ran out; more micro-batches need less.
    """
    if split not in ("validation", "test"):
        raise unknown("split", split, ("validation", "test"))
    module = network if isinstance(network, Classifier) else load_classifier(network)
    device = resolve_accelerator(accelerator)
    precision = resolve_precision(module.recipe.precision, device, count_cost(module.variant).macs)
    collect = _Collect()
    with quiet():
        trainer = _trainer(device, precision, **Processes().trainer_options(), callbacks=[collect])
        read = trainer.validate if split == "validation" else trainer.test
        seed_for_setup(datamodule)
        try:
            batching = Batching(module.recipe.batch_size, 1, micro_batches)
            with cut(datamodule, 0, 1, micro_batches), memory_watched(batching):
                metrics = read(module, datamodule=datamodule, verbose=False)
        except DivergedError as error:
            raise InputError(
                f"the {split} split cannot be read: {error}; train with a lower learning rate"
            ) from error
    if not collect.batches:
        raise InputError(f"the {split} split holds no image; give it a share above 0")
    logits, labels = (
        torch.cat([read[name] for read in collect.batches]).cpu().numpy()
        for name in ("logits", "labels")
    )
    return Evaluation(dict(metrics[0]), logits, labels)


def load_classifier(checkpoint: str | Path) -> Classifier:
    """The network of a checkpoint, on the CPU. Raises InputError where it cannot be read."""
    try:
        state = load_state(Path(checkpoint))
        module = Classifier(**state["hyper_parameters"])
        module.load_state_dict(state["state_dict"])
    except (OSError, UnreadableStateError, KeyError, RuntimeError) as error:
        raise InputError(
            f"checkpoint {str(checkpoint)!r} cannot be used: {str(error).splitlines()[0]}"
        ) from error
    return module


def check_trained_on(checkpoint: Path, datamodule: L.LightningDataModule) -> str | None:
    """Raise InputError where a network has learned from other images, splits or class names.

    Its answers would be read as other classes, its pixels scaled otherwise than it knows them, and
    a split that is drawn anew holds images that it was trained on. The data module is set up here;
    where one of the user's own has no training images, the answer says why nothing is compared.
    """
    try:
        set_up(datamodule)
    except Exception as error:
        if isinstance(datamodule, ImageData):
            raise
        return (
            f"the data module cannot be set up as for the training "
            f"({described(error)[:120]}), so it is not known whether these images were trained on"
        )
    hint = "give it back the images that it was trained on, or train again in another folder"
    check_data(load_state(checkpoint), datamodule, checkpoint.parent, hint)
    return None


class _Collect(L.Callback):
    """Keeps every batch's logits and labels of one reading."""

    def __init__(self) -> None:
        self.batches: list[dict[str, torch.Tensor]] = []

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        self.batches.append(outputs)

    on_test_batch_end = on_validation_batch_end


def _trainer(
    device: str, precision: str, callbacks: Iterable[L.Callback], **options: Any
) -> L.Trainer:
    return L.Trainer(
        accelerator=device,
        callbacks=[*callbacks, OwnSigterm()],
        precision=precision,  # type: ignore[arg-type]  # a Literal to Lightning
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )


def _find_state(path: Path, notes: list[str]) -> dict[str, Any] | None:
    """A saved state; none if there is no file, or one that cannot be read, which is noted."""
    try:
        return load_state(path)
    except FileNotFoundError:
        return None
    except UnreadableStateError as error:
        notes.append(f"{error}; started again without it")
        return None
