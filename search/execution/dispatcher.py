"""Runs from request to result: attempts, time limits, crashes, resumption.

A run's folder decides what happens to it: a result there is taken, an attempt that was cut off is
continued from its last checkpoint, and only what is neither is begun. So the same call serves a
new study and one that was killed at any moment.
"""

import os
import re
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import LONGEST_ERROR, one_line
from hybrid_swin.system.file_names import FINAL
from hybrid_swin.system.files import write_json_atomically
from search.execution.job import Event, Executor, Job
from search.execution.silence import Silence
from search.records.runs import (
    FAILURE_FILE,
    RESULT_FILE,
    RUN_FILE,
    FailureRecord,
    FinishedRun,
    RunResult,
    RunSpec,
    read_failure,
    read_record,
    read_result,
    read_spec,
    write_failure,
)
from search.records.torn import read_or_set_aside, set_aside
from search.settings.experiment import WorkerSettings

_MOST_HANGS = 2  # a run that has hung so often hangs again
_ATTEMPT = re.compile(r"attempt-[0-9]{1,9}")  # whatever else is called so is not one


class View(Protocol):
    """What watches a study: the terminal."""

    def started(self, spec: RunSpec, worker: str) -> None: ...  # noqa: D102
    def epoch(self, spec: RunSpec, worker: str, data: Mapping[str, Any]) -> None: ...  # noqa: D102
    def finished(self, spec: RunSpec, result: RunResult, worker: str) -> None: ...  # noqa: D102
    def note(self, text: str) -> None: ...  # noqa: D102
    def expect(  # noqa: D102
        self, total: int, by_folder: Mapping[str, int] | None = None, about: bool = False
    ) -> None: ...


class Silent:
    """Watches without a word."""

    def started(self, *given: Any, **named: Any) -> None:
        """Say nothing."""

    epoch = finished = note = expect = started


class Dispatcher:
    """Takes runs and gives results.

    Args:
        folder: the study's folder.
        executor: where workers run.
        workers: attempts and time limits.
        common: what every job's settings hold beside the run itself.
        view: what is told of progress.
    """

    def __init__(
        self,
        folder: Path,
        executor: Executor,
        workers: WorkerSettings,
        common: Mapping[str, Any],
        view: View,
    ) -> None:
        self._folder = folder
        self._executor = executor
        self._workers = workers
        self._common = dict(common)
        self._view = view
        self._running: dict[str, tuple[RunSpec, Job]] = {}
        self._started: dict[str, tuple[float, str]] = {}  # when, and on which worker
        self._silence = Silence(workers.silence_factor, workers.silence_minutes)
        self._finished: deque[FinishedRun] = deque()

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
            begun: it was read from its folder.

        Raises:
            InputError: the run's folder is that of another candidate.
        """
        folder = self._folder / spec.key
        if begun:
            pass
        else:
            self._take_folder(spec)
        result = read_or_set_aside(
            lambda: read_result(self._folder, spec.key), self._view.note, "the run is trained again"
        )
        lost = None if result is None else _lost_answers(folder, result)
        if lost is not None:
            self._set_aside_answered(spec, lost)
            result = None
        if result is not None:
            self._end(spec, result)
            return
        for torn in folder.rglob(".*.tmp"):  # what a kill left half written
            torn.unlink(missing_ok=True)
        attempts = _attempts(folder)
        if attempts and (attempts[-1] / RESULT_FILE).exists():
            self._promote(spec, _number(attempts[-1]))
        elif not self._give_up(spec, attempts):
            self._begin(spec, attempts)

    def _set_aside_answered(self, spec: RunSpec, lost: str) -> None:
        """A result whose answers are lost is made again, from the weights of its last attempt.

        Without them its row's interval would silently cover less.
        """
        folder = self._folder / spec.key
        files = [folder / lost, folder / RESULT_FILE]
        files += [attempt / RESULT_FILE for attempt in _attempts(folder)]
        for file in files:
            if os.path.lexists(file):
                set_aside(file)
        self._view.note(
            f"{spec.key}/{lost} is missing or damaged: it and the run's result are set "
            "aside (*.torn) and made again from its last checkpoint"
        )

    def _take_folder(self, spec: RunSpec) -> None:
        """Write what the run was asked, or check that the folder is that of the same run."""
        folder = self._folder / spec.key
        for place in (*reversed(folder.relative_to(self._folder).parents), Path(spec.key)):
            if (self._folder / place).is_file():
                torn = set_aside(self._folder / place)
                self._view.note(f"{place} was a file where a folder belongs; it is now {torn.name}")
        found = read_or_set_aside(
            lambda: read_spec(self._folder, spec.key), self._view.note, "it is written again"
        )
        if found is None:
            write_json_atomically(folder / RUN_FILE, spec.to_dict() | self._settled(spec))
        else:
            _check_same(spec, found)

    def results(self, timeout: float = 1.0) -> Iterator[FinishedRun]:
        """The runs that have ended, after waiting at most ``timeout`` seconds for one.

        Raises:
            InputError: a worker met something that the user must fix.
        """
        if not self._finished:
            for event in self._executor.events(timeout):
                self._handle(event)
            self._enforce_time_limits()
        while self._finished:
            yield self._finished.popleft()

    def _settled(self, spec: RunSpec) -> dict[str, Any]:
        """What the study decided for this run, so that its folder alone says how to repeat it."""
        known = {
            "precision": self._common.get("precision"),
            "data": spec.data or self._common.get("data"),
        }
        settled = {name: value for name, value in known.items() if value is not None}
        return {"settled": settled} if settled else {}

    def _begin(self, spec: RunSpec, attempts: list[Path]) -> None:
        # One that never began left an empty folder: it is not counted.
        attempts = [a for a in attempts if any(a.iterdir())]
        number = _number(attempts[-1]) + 1 if attempts else 1
        attempt = self._folder / spec.key / f"attempt-{number}"
        attempt.mkdir(exist_ok=True)
        if attempts:
            _take_over(attempts[-1], attempt)
        task: Any = "reference" if spec.kind == "reference" else "train"
        job = Job(spec.key, number, task, str(attempt), {**self._common, "spec": spec.to_dict()})
        self._running[spec.key] = (spec, job)
        self._executor.submit(job)

    def _handle(self, event: Event) -> None:
        spec, job = self._running.get(event.key, (None, None))
        if spec is None or job is None or event.attempt != job.attempt:
            return  # a late word of an attempt that was given up
        now = time.monotonic()
        if event.kind == "started":
            self._started[event.key] = (now, event.worker)
            trained = (Path(job.folder) / FINAL).exists()
            self._silence.begin(spec, now, job.attempt, trained)
            self._view.started(spec, event.worker)
        elif event.kind == "epoch":
            self._silence.epoch(event.key, event.data, now)
            self._view.epoch(spec, event.worker, event.data)
        elif event.kind == "done" or _has_result(job):
            # A worker that wrote a result may die before it says so.
            self._silence.done(event.key, now)
            self._promote(spec, event.attempt, event.worker)
        elif event.data.get("input_error"):
            raise InputError(f"{spec.key} ({spec.label}): {event.data['error']}")
        else:
            if event.data.get("last_line"):
                self._view.note(
                    f"{spec.key} ({spec.label}): the worker's last line: "
                    f"{event.data['last_line']} ({event.data['log']})"
                )
            self._fail(spec, job, str(event.data.get("error", "unknown")), event.worker)

    def _promote(self, spec: RunSpec, attempt: int, worker: str = "") -> None:
        """An attempt's result becomes the run's."""
        folder = self._folder / spec.key
        path = folder / f"attempt-{attempt}" / RESULT_FILE
        result = read_or_set_aside(
            lambda: read_record(path, RunResult.from_dict), self._view.note, "the run goes on"
        )
        if result is None:
            self._forget(spec.key)
            self._begin(spec, _attempts(folder))
            return
        write_json_atomically(folder / RESULT_FILE, result.to_dict())
        self._end(spec, result, worker)

    def _fail(
        self, spec: RunSpec, job: Job, error: str, worker: str = "", hung: bool = False
    ) -> None:
        """Count a failure; try again while attempts are left."""
        write_failure(Path(job.folder), FailureRecord(error, hung))
        attempts = _attempts(self._folder / spec.key)
        if self._give_up(spec, attempts, worker):
            return
        self._forget(spec.key)
        self._view.note(
            f"{spec.key} ({spec.label}): attempt {job.attempt} failed: {error}; trying again"
        )
        self._begin(spec, attempts)

    def _give_up(self, spec: RunSpec, attempts: list[Path], worker: str = "") -> bool:
        """End a run as failed if it has failed or hung often enough; says whether it has."""
        failures = [a for a in attempts if os.path.lexists(a / FAILURE_FILE)]
        told = [self._read_failure(attempt) for attempt in failures]
        hangs = sum(failure.hung for failure in told)
        if len(failures) < self._workers.attempts and hangs < _MOST_HANGS:
            return False
        error = one_line(told[-1].error, LONGEST_ERROR)
        if len(failures) < self._workers.attempts:
            error += f"; it has hung {hangs} times and is not tried again"
        result = RunResult(spec.key, _number(failures[-1]), "failed", None, error=error)
        write_json_atomically(self._folder / spec.key / RESULT_FILE, result.to_dict())
        self._end(spec, result, worker)
        return True

    def _read_failure(self, attempt: Path) -> FailureRecord:
        """Why an attempt failed; one whose file is damaged goes on to count."""
        then = "the attempt counts as failed"
        found = read_or_set_aside(lambda: read_failure(attempt), self._view.note, then)
        if found is None:
            found = FailureRecord()
            write_failure(attempt, found)
        return found

    def _end(self, spec: RunSpec, result: RunResult, worker: str = "") -> None:
        self._forget(spec.key)
        self._finished.append((spec, result))
        self._view.finished(spec, result, worker)

    def _forget(self, key: str) -> None:
        """Of an attempt that is over."""
        self._running.pop(key, None)
        self._started.pop(key, None)
        self._silence.forget(key)

    def _enforce_time_limits(self) -> None:
        """End what took too long altogether, or has been silent for too long."""
        limit = self._workers.time_limit_minutes * 60
        now = time.monotonic()
        # Without one epoch in all that time it is not a slow training, but one that hangs.
        late = {
            key: (
                f"took longer than {limit / 60:g} minutes",
                not self._silence.has_ended_an_epoch(key),
            )
            for key, (begun, _) in self._started.items()
            if now - begun > limit
        }
        silent = {key: (error, True) for key, error in self._silence.overdue(now)}
        for key, (error, hung) in (silent | late).items():
            spec, job = self._running[key]
            worker = self._started[key][1]
            self._executor.cancel(key)
            if _has_result(job):
                self._promote(spec, job.attempt, worker)
            else:
                self._fail(spec, job, error, worker, hung)


def _attempts(folder: Path) -> list[Path]:
    """The attempts' folders so far, in order."""
    found = [p for p in folder.glob("attempt-*") if p.is_dir() and _ATTEMPT.fullmatch(p.name)]
    return sorted(found, key=_number)


def _number(attempt: Path) -> int:
    return int(attempt.name.partition("-")[2])


def _has_result(job: Job) -> bool:
    return (Path(job.folder) / RESULT_FILE).exists()


def _take_over(old: Path, new: Path) -> None:
    """Let an attempt go on from the one before.

    Moved, not shared: a late writer of the old attempt cannot touch the new one. Nor copied, which
    would need space and could be cut off.
    """
    # final before last, and then those of rungs of images
    for checkpoint in sorted(old.rglob("*.ckpt"), key=lambda path: (len(path.parts), path)):
        place = new / checkpoint.relative_to(old)
        place.parent.mkdir(exist_ok=True)
        checkpoint.replace(place)


def _check_same(asked: RunSpec, found: RunSpec) -> None:
    """Refuse the folder of another candidate: its result would be taken for this one's."""
    if (found.candidate_id, found.seed) != (asked.candidate_id, asked.seed):
        raise InputError(
            f"{asked.key} holds a run of another candidate ({found.label}, seed {found.seed}; now "
            f"{asked.label}, seed {asked.seed}), as after an update of Optuna or of this program; "
            "go on with the versions that receipt.json names, or give another --name"
        )


def _lost_answers(folder: Path, result: RunResult) -> str | None:
    """The file of a run's answers that is lost: on test, or on validation if it kept any."""
    from search.records import predictions, validation  # numpy, which `status` does without

    if result.test is not None and not predictions.has_predictions(folder):
        return predictions.PREDICTIONS_FILE
    kept = os.path.lexists(folder / validation.VALIDATION_FILE)
    damaged = kept and validation.read_answers(folder) is None
    return validation.VALIDATION_FILE if damaged else None
