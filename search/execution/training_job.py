"""What a worker does for one job: train a network, or fit the reference."""

import dataclasses
import errno
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as L

from hybrid_swin.data.datamodule import ImageData, make_datamodule
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.summary import independent
from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import say
from hybrid_swin.profiling.timing import measure_latency
from hybrid_swin.spec import registry
from hybrid_swin.spec.own_code.kept_plugins import check_hash
from hybrid_swin.spec.own_code.module_sources import check_modules
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.files import OF_THE_DISK, SaveError, explained, write_json_atomically
from hybrid_swin.training.classifier import DivergedError
from hybrid_swin.training.fit import (
    Evaluation,
    FitResult,
    check_trained_on,
    evaluate,
    fit,
    load_classifier,
)
from hybrid_swin.training.memory import Batching
from hybrid_swin.training.processes import Processes
from search.execution.answers import ValidationAnswers, save_test_answers
from search.execution.bound_images import check_images
from search.execution.job import Job
from search.execution.run_folder import DeletedFolderError, check_machine
from search.records.runs import RESULT_FILE, RunResult, RunSpec
from search.records.study_folder import recorded_test_read
from search.records.validation import VALIDATION_FILE

Report = Callable[[dict[str, Any]], None]


def do_job(job: Job, report: Report, processes: Processes | None = None) -> None:
    """Do a job and leave its result in the attempt's folder.

    Args:
        job: the job. With a ``rank`` in its settings it is the part of a training that this rank
            does for rank 0, which alone reports, reads the test split and writes.
        report: is told of every epoch.
        processes: of rank 0 of a training over several devices.

    Raises:
        InputError: what the user must fix, such as a full disk.
        DeletedFolderError: the attempt's folder is gone.
        UnfitMachineError: another machine may do the job.
    """
    begin = time.perf_counter()
    settings = job.settings
    for plugin, recorded in settings["plugins"].items():
        check_hash(Path(plugin), {Path(plugin).name: recorded}, "the study")
        registry.add_plugin(plugin)
    modules = settings.get("modules", {})
    check_modules(modules, modules, "the study")
    check_machine(Path(job.folder), job.key)
    spec = RunSpec.from_dict(settings["spec"])
    try:
        _check_images(spec, settings)
        if job.task == "reference":
            result = _reference(spec, job, settings)
        else:
            if rank := settings.get("rank", 0):
                processes = Processes.join(rank, settings["devices"], settings["port"])
            training = _Training(spec, settings, Path(job.folder), report, processes)
            if rank:
                training.run()
                return
            result = _result(spec, job, settings, training, begin)
    except OSError as error:
        if error.errno == errno.ENOENT and not Path(job.folder).is_dir():
            raise DeletedFolderError from error
        if isinstance(error, SaveError) or error.errno in OF_THE_DISK:
            raise InputError(explained(error)) from error
        raise
    write_json_atomically(Path(job.folder) / RESULT_FILE, result.to_dict())


def _result(
    spec: RunSpec, job: Job, settings: Mapping[str, Any], training: "_Training", begin: float
) -> RunResult:
    """Train, and read and measure what the run asks for."""
    monitor = settings["objective"]["monitor"]
    micro = training.micro_batches * training.devices  # as many images at once as in training
    fitted, data, rungs = training.run()
    if fitted.history and monitor not in fitted.history[-1] and fitted.state != "diverged":
        raise InputError(
            f"metric {monitor!r} is not among those logged: "
            f"{', '.join(k for k in fitted.history[-1] if k.startswith('val/'))}"
        )
    for note in fitted.notes:
        say(f"{spec.key}: {note}")
    state, notes = fitted.state, list(fitted.notes)
    test, latency, attempt = None, None, Path(job.folder)
    if state == "complete" and fitted.checkpoint is not None:
        training.answers.save(attempt, fitted.checkpoint, data, settings["accelerator"], micro)
    if fitted.checkpoint is not None and (spec.stage == "final" or settings.get("measure_latency")):
        if spec.stage == "final":
            check_trained_on(fitted.checkpoint, data)
            with _recorded(spec, job, data):
                reading = _read_test(fitted.checkpoint, data, settings, micro, notes)
            if reading is None:
                state = "diverged"
            else:
                save_test_answers(attempt, data, reading)
                test = reading.metrics
        if state == "complete":
            network = load_classifier(fitted.checkpoint)
            latency = measure_latency(network, training.variant, settings["accelerator"])
    seconds = {
        **fitted.seconds,
        "fit": fitted.seconds.get("fit", 0.0) + training.seconds_before,
        # from the job's arrival to here: what the worker spent, Lightning's loop included
        "total": time.perf_counter() - begin,
    }
    score = fitted.history[-1].get(monitor) if fitted.history else None
    return RunResult(
        key=spec.key,
        attempt=job.attempt,
        state=state,
        score=None if state == "diverged" else score,
        epochs=fitted.epochs,
        epochs_planned=training.recipe.epochs,
        passes=training.passes,
        history=tuple(fitted.history),
        rungs=rungs,
        metrics=fitted.metrics,
        test=test,
        seconds=seconds,
        peak_memory_mb=fitted.peak_memory_mb,
        latency=latency,
        device=fitted.device,
        devices=training.devices,
        micro_batch=training.micro_batch,
        precision=fitted.precision,
        error="; ".join(notes) or None,
        answers=(attempt / VALIDATION_FILE).exists(),
        **_provenance(data, settings),
    )


class _Training:
    """The training of one run: first on few images where the run has such rungs, then on all."""

    def __init__(
        self,
        spec: RunSpec,
        settings: Mapping[str, Any],
        folder: Path,
        report: Report,
        processes: Processes | None,
    ) -> None:
        recipe = Recipe.from_dict(spec.recipe or {})
        if recipe.precision == "auto":
            recipe = dataclasses.replace(recipe, precision=settings["precision"])
        self.variant, self.recipe = Variant.from_dict(spec.variant or {}), recipe
        self._spec, self._folder, self._report = spec, folder, report
        self._settings = settings if spec.data is None else {**settings, "data": spec.data}
        self._processes = processes
        self.devices = 1 if processes is None else processes.count
        self.micro_batches = settings.get("micro_batches", 1)  # of each device
        self.micro_batch = Batching(recipe.batch_size, self.devices, self.micro_batches).images
        self._cutoffs = {int(rung): cutoff for rung, cutoff in spec.cutoffs.items()}
        self.answers = ValidationAnswers()
        self.passes = 0.0  # over the train split, in all
        self.seconds_before = 0.0  # of trainings on few images

    def run(self) -> tuple[FitResult, L.LightningDataModule, dict[str, float]]:
        """The last training, its data, and the scores at rungs of images."""
        scores: dict[str, float] = {}
        objective = self._settings["objective"]
        whole = self._data(0)
        if self._spec.image_rungs:
            whole.setup("fit")  # for the size of the train split
        for images in self._spec.image_rungs:
            data = self._data(images)
            fitted = self._fit(data, self._folder / f"images-{images}", {}, images)
            share = images / len(whole.splits.train) if isinstance(whole, ImageData) else 0.0
            self.passes += fitted.epochs * share
            score = fitted.history[-1].get(objective["monitor"]) if fitted.history else None
            if score is not None:
                scores[str(images)] = score
            cutoff = self._cutoffs.get(images)
            short = cutoff is not None and falls_short(score, cutoff, objective["mode"])
            if short and fitted.state == "complete":
                fitted = dataclasses.replace(fitted, state="stopped")
            if fitted.state != "complete":
                return fitted, data, scores
            self.seconds_before += fitted.seconds.get("fit", 0.0)
        cutoffs = {} if self._spec.image_rungs else self._cutoffs
        fitted = self._fit(whole, self._folder, cutoffs)
        self.passes += fitted.epochs
        return fitted, whole, scores

    def _data(self, images: int) -> L.LightningDataModule:
        settings = self._settings
        if images:
            settings = {**settings, "data": {**settings["data"], "train_images": images}}
        return _data(settings, self.variant, self.recipe.batch_size, self._spec.seed)

    def _fit(
        self,
        data: L.LightningDataModule,
        folder: Path,
        cutoffs: Mapping[int, float],
        images: int = 0,
    ) -> FitResult:
        settings = self._settings
        objective = settings["objective"]
        report = self._report
        if images:  # an epoch of few images says nothing of how long one of all takes
            report = lambda data: self._report(data | {"images": images})  # noqa: E731
        watch = _Watch(objective["monitor"], objective["mode"], cutoffs, report)
        folder.mkdir(exist_ok=True)
        return fit(
            self.variant,
            self.recipe,
            data,
            seed=self._spec.seed,
            folder=folder,
            accelerator=settings["accelerator"],
            processes=self._processes,
            micro_batches=self.micro_batches,
            callbacks=[watch, self.answers],
            checkpoint_every_seconds=settings["checkpoint_seconds"],
            init=self._spec.init or None,
            weights_prefix=self._spec.weights_prefix,
        )


def _read_test(
    checkpoint: Path,
    data: L.LightningDataModule,
    settings: Mapping[str, Any],
    micro_batches: int,
    notes: list[str],
) -> Evaluation | None:
    """The test split as a network sees it; none, and a note, where its answers are not finite."""
    accelerator = settings["accelerator"]
    try:
        return evaluate(
            checkpoint, data, "test", accelerator=accelerator, micro_batches=micro_batches
        )
    except InputError as error:
        if not isinstance(error.__cause__, DivergedError):
            raise
        notes.append(str(error))
        return None


def _recorded(spec: RunSpec, job: Job, data: L.LightningDataModule) -> AbstractContextManager[None]:
    """The ledgers of a study and of those beside it, around the one reading of a run."""
    study = Path(job.folder).parents[len(Path(spec.key).parts)]
    hashes = data.hashes if isinstance(data, ImageData) else {}
    command = job.settings["command"]
    return recorded_test_read(study, command, spec.key, spec.candidate_id, hashes)


def _reference(spec: RunSpec, job: Job, settings: Mapping[str, Any]) -> RunResult:
    """The logistic regression; ``settings['variant']`` says what images there are."""
    from search.execution.reference import fit_reference  # scikit-learn, for this job alone

    variant = Variant.from_dict(settings["variant"])
    data = _data(settings, variant, 256, spec.seed)
    if not isinstance(data, ImageData):
        raise RuntimeError("no reference for data modules of the user's own")
    data.setup()
    begin = time.perf_counter()
    with _recorded(spec, job, data):
        fitted = fit_reference(data, settings["objective"]["monitor"])
    save_test_answers(Path(job.folder), data, fitted.reading)
    seconds = time.perf_counter() - begin
    return RunResult(
        key=spec.key,
        attempt=job.attempt,
        state="complete",
        score=fitted.score,
        metrics=fitted.validation,
        test=fitted.reading.metrics,
        seconds={"fit": seconds, "total": seconds},
        device="cpu",
        **_provenance(data, settings),
    )


class _Watch(L.Callback):
    """Reports every epoch, and ends the training at a rung that it does not reach."""

    def __init__(
        self, monitor: str, mode: Any, cutoffs: Mapping[int, float], report: Report
    ) -> None:
        self._monitor, self._mode, self._cutoffs, self._report = monitor, mode, cutoffs, report

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        logged = trainer.callback_metrics.get(self._monitor)
        score = float("nan") if logged is None else float(logged)
        self._report({"epoch": epoch, "epochs": trainer.max_epochs, "score": score})
        cutoff = self._cutoffs.get(epoch)
        ends_anyway = epoch == trainer.max_epochs
        if cutoff is not None and not ends_anyway and falls_short(score, cutoff, self._mode):
            trainer.should_stop = True
        # Rank 0's verdict is that of all: one that went on alone would wait for ever.
        trainer.should_stop = trainer.strategy.broadcast(trainer.should_stop)


def _data(
    settings: Mapping[str, Any], variant: Variant, batch_size: int, seed: int
) -> L.LightningDataModule:
    data = DataSettings.from_dict(settings["data"])
    return make_datamodule(data, variant, batch_size, seed, Path(settings["cache"]))


def _check_images(spec: RunSpec, settings: Mapping[str, Any]) -> None:
    """Raise OtherImagesError where this machine's images are not the coordinator's.

    Rank 0 looks for all, which are on its machine.
    """
    if (expected := settings.get("images")) is None or settings.get("rank", 0):
        return
    variant = Variant.from_dict(spec.variant or settings["variant"])
    check_images(spec.data or settings["data"], variant, Path(settings["cache"]), expected)


def _provenance(data: L.LightningDataModule, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Which data and code a result is of."""
    known: dict[str, Any] = {"code_hash": settings["code_hash"]}
    if isinstance(data, ImageData):
        splits, grouped = data.splits, data.images.groups is not None
        known |= data.hashes
        for name, index in (("validation", splits.validation), ("test", splits.test)):
            known[f"{name}_images"] = len(index)
            known[f"{name}_groups"] = independent(data.images, index) if grouped else 0
    return known


def falls_short(score: float | None, cutoff: float, mode: Literal["max", "min"]) -> bool:
    """Whether a score is below the cut-off; an equal one goes on, NaN or none does not."""
    return score is None or not (score >= cutoff if mode == "max" else score <= cutoff)
