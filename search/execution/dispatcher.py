"""Runs from request to result: attempts, time limits, crashes, resumption.

A run's folder decides what happens to it: a result there is taken, an attempt that was cut off is
continued from its last checkpoint, and only what is neither is begun. So the same call serves a
new study and one that was killed at any moment.
"""

import math
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.system.file_names import FINAL
from hybrid_swin.system.files import (
    remove_half_written,
    write_bytes_atomically,
    write_json_atomically,
)
from search.execution.bound_images import BoundImages, expected_images, other_images
from search.execution.failures import Failures
from search.execution.job import Event, Job, Runner
from search.execution.run_folder import (
    attempts_in,
    lost_answers,
    number_of,
    set_aside_answered,
    take_answers,
    take_folder,
    take_over,
)
from search.execution.silence import Silence
from search.execution.view import View
from search.records.runs import (
    RESULT_FILE,
    RUN_FILE,
    FailureRecord,
    FinishedRun,
    RunResult,
    RunSpec,
    read_record,
    read_result,
    write_failure,
)
from search.records.torn import read_or_set_aside
from search.settings.experiment import WorkerSettings

_LOOK = 1.0  # seconds between two looks at what takes too long: each goes through all that runs


@dataclass
class _Attempt:
    spec: RunSpec
    job: Job
    begun: float | None = None  # by the clock
    worker: str = ""
    node: str = ""  # that machine's name


class Dispatcher:
    """Takes runs and gives results.

    Args:
        workers: attempts and time limits.
        common: what every job's settings hold beside the run itself.
        node_of: the name of a worker's machine; empty if unknown.
        images: those that every machine must have.
    """

    def __init__(
        self,
        folder: Path,
        executor: Runner,
        workers: WorkerSettings,
        common: Mapping[str, Any],
        view: View,
        node_of: Callable[[str], str] = lambda worker: "",
        images: Sequence[BoundImages] = (),
    ) -> None:
        self._folder, self._executor, self._workers = folder, executor, workers
        self._common, self._view, self._node_of = dict(common), view, node_of
        self._failures = Failures(workers.attempts, view.note)
        self._images = images
        self._running: dict[str, _Attempt] = {}
        self._silence = Silence(
            workers.silence_factor, workers.silence_minutes, workers.epoch_minutes
        )
        self._finished: deque[FinishedRun] = deque()
        self._looked = -math.inf

    @property
    def busy(self) -> bool:
        """Whether any run is still to come."""
        return bool(self._running or self._finished)

    @property
    def running(self) -> int:
        """Runs that were submitted and have not ended."""
        return len(self._running)

    def submit(self, spec: RunSpec, begun: bool = False) -> None:
        """Take a run; its result comes out of ``results``, at once where it is there already.

        Args:
            spec: the run.
            begun: it was read from its folder, which need not be looked at again.

        Raises:
            InputError: the run's folder is that of another candidate.
        """
        folder = self._folder / spec.key
        if not begun:
            take_folder(self._folder, spec, self._decisions(spec), self._view.note)
        result = read_or_set_aside(
            lambda: read_result(self._folder, spec.key), self._view.note, "the run is trained again"
        )
        lost = None if result is None else lost_answers(folder, result)
        if lost is not None:
            set_aside_answered(self._folder, spec.key, lost, self._view.note)
            result = None
        if result is not None:
            self._end(spec, result)
            return
        remove_half_written(folder, everywhere=True)
        attempts = attempts_in(folder)
        if attempts and (attempts[-1] / RESULT_FILE).exists():
            self._promote(spec, number_of(attempts[-1]))
        elif not self._give_up(spec, attempts):
            self._begin(spec, attempts)

    def adopt(self, spec: RunSpec, result: RunResult, answers: bytes) -> None:
        """Let a run have a result that is known, and which validation images it got right.

        What its folder has already stays; no answers are written if they are empty. Raises
        InputError as `submit`.
        """
        from search.records import validation  # numpy

        folder = self._folder / spec.key
        take_folder(self._folder, spec, self._decisions(spec), self._view.note)
        if answers and validation.read_answers(folder) is None:
            write_bytes_atomically(folder / validation.VALIDATION_FILE, answers)
        then = "it is written again"
        if read_or_set_aside(lambda: read_result(self._folder, spec.key), self._view.note, then):
            return
        write_json_atomically(folder / RESULT_FILE, result.to_dict())

    def results(self, timeout: float = 1.0) -> Iterator[FinishedRun]:
        """The runs that have ended, after waiting at most ``timeout`` seconds for one.

        Raises InputError if a worker met something that the user must fix.
        """
        if not self._finished:
            for event in self._executor.events(timeout):
                self._handle(event)
            self._enforce_time_limits()
        self._view.tick()
        while self._finished:
            yield self._finished.popleft()

    def _decisions(self, spec: RunSpec) -> dict[str, Any]:
        """What the study decided for this run, so that its folder alone says how to repeat it."""
        known = {**self._common, "data": spec.data or self._common.get("data")}
        decisions = {name: known[name] for name in ("precision", "data") if known.get(name)}
        return {"settled": decisions} if decisions else {}

    def _keep_record(self, spec: RunSpec) -> None:
        """Write ``run.json`` again if the folder was deleted while the run was under way."""
        if not (self._folder / spec.key / RUN_FILE).exists():
            take_folder(self._folder, spec, self._decisions(spec), self._view.note)

    def _begin(self, spec: RunSpec, attempts: list[Path]) -> None:
        # One that never began left an empty folder: it is not counted.
        attempts = [a for a in attempts if any(a.iterdir())]
        number = number_of(attempts[-1]) + 1 if attempts else 1
        self._keep_record(spec)
        attempt = self._folder / spec.key / f"attempt-{number}"
        attempt.mkdir(exist_ok=True)
        if attempts:
            take_over(attempts[-1], attempt)
        task: Any = "reference" if spec.kind == "reference" else "train"
        settings = {**self._common, "spec": spec.to_dict()}
        if (images := self._expected(spec)) is not None:
            settings["images"] = asdict(images)
        # By the folder alone, so that a run that goes on is the run that would have gone on.
        if (parts := self._failures.micro_batches(attempts)) > 1:
            settings["micro_batches"] = parts
        # whole, since a worker elsewhere has another working folder
        job = Job(spec.key, number, task, os.path.abspath(attempt), settings)
        if spec.key in self._running:
            self._view.waits(spec)
        self._running[spec.key] = _Attempt(spec, job)
        self._silence.forget(spec.key)
        self._executor.submit(job)

    def _handle(self, event: Event) -> None:
        attempt = self._running.get(event.key)
        if attempt is None or event.attempt != attempt.job.attempt:
            return  # a late word of an attempt that was given up
        spec, job, now = attempt.spec, attempt.job, time.monotonic()
        if event.kind in ("started", "epoch") or not attempt.worker:
            attempt.worker = event.worker  # of a loss, it may be the machine's name
        if event.kind == "started":
            attempt.begun, attempt.node = now, self._node_of(event.worker)
            trained = (Path(job.folder) / FINAL).exists()
            self._silence.begin(spec, now, job.attempt, trained)
            self._view.started(spec, event.worker)
        elif event.kind == "epoch":
            self._silence.epoch(event.key, event.data, now)
            self._view.epoch(spec, event.worker, event.data)
        elif event.kind == "done" or _has_result(job):
            # A worker that wrote a result may die before it says so.
            self._silence.done(event.key, now)
            self._promote(spec, event.attempt)
        elif event.kind == "returned":
            why = event.data.get("error", "its worker left")
            self._view.note(f"{spec.key} ({spec.label}): {why}; it goes on elsewhere")
            self._begin(spec, attempts_in(self._folder / spec.key))
        elif event.data.get("unfit_machine"):
            self._leave_machine(spec, str(event.data["error"]))
        elif event.data.get("input_error"):
            raise InputError(f"{spec.key} ({spec.label}): {event.data['error']}")
        else:
            if event.data.get("last_line"):
                self._view.note(
                    f"{spec.key} ({spec.label}): the worker's last line: "
                    f"{event.data['last_line']} ({event.data['log']})"
                )
            memory = bool(event.data.get("out_of_memory"))
            self._fail(attempt, str(event.data.get("error", "unknown")), out_of_memory=memory)

    def _promote(self, spec: RunSpec, attempt: int) -> None:
        """An attempt's result becomes the run's."""
        folder = self._folder / spec.key
        path = folder / f"attempt-{attempt}" / RESULT_FILE
        result = read_or_set_aside(
            lambda: read_record(path, RunResult.from_dict), self._view.note, "the run goes on"
        )
        if result is None:
            self._begin(spec, attempts_in(folder))
            return
        if why := self._other_images(spec, result):
            shutil.rmtree(path.parent)  # weights, too: no other attempt may go on from them
            self._leave_machine(spec, why)
            return
        take_answers(path.parent)
        write_json_atomically(folder / RESULT_FILE, result.to_dict())
        self._end(spec, result)

    def _leave_machine(self, spec: RunSpec, why: str) -> None:
        """A run's machine is not fit for it: it goes on elsewhere, and no attempt is lost.

        Raises InputError if there is no other machine.
        """
        attempt = self._running.get(spec.key)
        if attempt is None:  # of an earlier start
            self._view.note(f"{spec.key} ({spec.label}): its machine {why}; it is trained again")
        elif not self._executor.exclude(attempt.worker, f"it {why}"):
            raise InputError(
                f"{spec.key} ({spec.label}): this machine {why}; it was otherwise when the command "
                "began"
            )
        self._begin(spec, attempts_in(self._folder / spec.key))

    def _expected(self, spec: RunSpec) -> BoundImages | None:
        """The images that a run must see; None if unknown."""
        variant = spec.variant or self._common.get("variant") or {}
        return expected_images(self._images, self._data_of(spec), variant)

    def _other_images(self, spec: RunSpec, result: RunResult) -> str:
        """In what the images of a result are not the study's; empty if they are."""
        if (expected := self._expected(spec)) is None:
            return ""
        fewer = bool(spec.image_rungs)
        return other_images(expected, self._data_of(spec), vars(result), fewer)

    def _data_of(self, spec: RunSpec) -> dict[str, Any]:
        return spec.data or self._common.get("data") or {}

    def _fail(
        self, attempt: _Attempt, error: str, hung: bool = False, out_of_memory: bool = False
    ) -> None:
        """Count a failure; try again while attempts are left."""
        spec, job = attempt.spec, attempt.job
        failure = FailureRecord(error, hung, attempt.node, attempt.worker, out_of_memory)
        write_failure(Path(job.folder), failure)
        attempts = attempts_in(self._folder / spec.key)
        if self._give_up(spec, attempts):
            return
        what = f"{spec.key} ({spec.label}): attempt {job.attempt} failed: {error}; trying again"
        self._view.note(f"{what} with half the images at once" if out_of_memory else what)
        self._begin(spec, attempts)

    def _give_up(self, spec: RunSpec, attempts: list[Path]) -> bool:
        """End a run that has failed often enough; says whether it has."""
        result = self._failures.verdict(spec.key, attempts)
        if result is None:
            return False
        write_json_atomically(self._folder / spec.key / RESULT_FILE, result.to_dict())
        self._end(spec, result)
        return True

    def _end(self, spec: RunSpec, result: RunResult) -> None:
        attempt = self._running.pop(spec.key, None)  # none if it had ended before this start
        if attempt is not None:  # its workers may have been killed
            self._keep_record(spec)
            remove_half_written(self._folder / spec.key, everywhere=True)
        self._silence.forget(spec.key)
        self._finished.append((spec, result))
        self._view.finished(spec, result, attempt.worker if attempt else "")

    def _enforce_time_limits(self) -> None:
        """End what took too long altogether, or has been silent for too long."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        limit = self._workers.time_limit_minutes * 60
        # Without one epoch in all that time it is not a slow training, but one that hangs.
        late = {
            key: (
                f"took longer than {limit / 60:g} minutes",
                not self._silence.has_ended_an_epoch(key),
            )
            for key, attempt in self._running.items()
            if attempt.begun is not None and now - attempt.begun > limit
        }
        silent = {key: (error, True) for key, error in self._silence.overdue(now)}
        for key, (error, hung) in (silent | late).items():
            attempt = self._running[key]
            self._executor.cancel(key)
            if _has_result(attempt.job):
                self._promote(attempt.spec, attempt.job.attempt)
            else:
                self._fail(attempt, error, hung)


def _has_result(job: Job) -> bool:
    return (Path(job.folder) / RESULT_FILE).exists()
