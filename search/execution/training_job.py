"""What a worker does for one job: train a network, or fit the reference."""

import errno
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import lightning.pytorch as L

from hybrid_swin.data.datamodule import ImageData
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
    check_trained_on,
    evaluate,
    load_classifier,
)
from hybrid_swin.training.processes import Processes
from search.execution.answers import save_test_answers
from search.execution.bound_images import check_images
from search.execution.bound_weights import check_weights
from search.execution.job import Job
from search.execution.run_folder import DeletedFolderError, check_machine
from search.execution.training import Report, Training, data_of
from search.records.runs import RESULT_FILE, RunResult, RunSpec
from search.records.study_folder import recorded_test_read
from search.records.validation import VALIDATION_FILE


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
        check_weights(spec, settings.get("init_hash", ""))
        if job.task == "reference":
            result = _reference(spec, job, settings)
        else:
            if rank := settings.get("rank", 0):
                processes = Processes.join(rank, settings["devices"], settings["port"])
            training = Training(spec, settings, Path(job.folder), report, processes)
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
    spec: RunSpec, job: Job, settings: Mapping[str, Any], training: Training, begin: float
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
        if fitted.kept_epoch != fitted.epochs:
            training.answers.forget()  # they are of other weights than are kept
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
    score = fitted.kept.get(monitor)
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
        fresh=fitted.fresh,
        **_provenance(data, settings),
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
    data = data_of(settings, variant, Recipe(batch_size=256), spec.seed)
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
