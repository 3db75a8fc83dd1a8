"""Processes of this machine.

Each worker serves jobs through a pipe. It comes from a server that has imported all it needs, or is
started by itself and imports once (see ``forked_workers``). It ends when its pipe closes, so a
coordinator that is killed leaves nothing behind; it ignores Ctrl-C, which is the coordinator's.
"""

import json
import math
import os
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.system.forks import close_in_children
from hybrid_swin.system.processes import how_it_ended, python_command, python_environment
from search.execution.bounded_log import BoundedLog, Pump
from search.execution.devices import check_one_device, shared_out
from search.execution.forked_workers import THREAD_VARIABLES, ForkedWorker, fork_worker
from search.execution.job import Event, Job, Node, Place, fed_workers
from search.execution.machine import cpu_workers, visible_gpus
from search.execution.waiting import wait_for
from search.settings.experiment import WorkerSettings

# Workers that die so often in a row before they begin a job will not get better.
_STILLBORN_LIMIT = 3
_TIME_TO_DIE = 2.0  # seconds from a closed pipe to the end of its process


@dataclass(frozen=True)
class Options:
    """None: workers say it all."""


def start(options: Options, place: Place) -> "LocalExecutor":
    """Workers on this machine. Raises InputError if they cannot start."""
    return local_workers(place.workers, place.most, place.folder / "logs", place.say)


def local_workers(
    workers: WorkerSettings,
    most: int | None,
    logs: Path,
    say: Callable[[str], None],
    prefix: str = "",
) -> "LocalExecutor":
    """As many workers as settings say, or as this machine has room for.

    Args:
        workers: the settings.
        most: more could not be fed; None for no such limit.
        logs: folder for what they print.
        say: is told where that makes fewer of them.
        prefix: stands before their names.

    Raises:
        InputError: they cannot start.
    """
    count, gpus = room_here(workers)
    fed = fed_workers(count, most, say)
    return LocalExecutor(max(1, fed), workers.threads, logs, gpus, prefix)


def room_here(workers: WorkerSettings) -> tuple[int, list[str]]:
    """How many workers settings say or this machine has room for, and the GPUs of each.

    Raises InputError for devices that cannot be had.
    """
    from hybrid_swin.training.hardware import resolve_accelerator  # seconds to import

    device = resolve_accelerator(workers.accelerator)
    gpus = shared_out(visible_gpus(workers.accelerator), workers) if device == "cuda" else []
    if device == "mps":
        check_one_device(workers, "an Apple GPU")
    one_gpu = workers.per_device if device == "mps" else 0
    automatic = len(gpus) or one_gpu or cpu_workers(workers.threads, workers.devices)
    return automatic if workers.count == "auto" else int(workers.count), gpus


@dataclass
class _Worker:
    name: str
    process: "subprocess.Popen[bytes] | ForkedWorker"
    pipe: "Connection[Any, Any]"
    environment: Mapping[str, str]
    output: Pump
    ready: bool = False
    job: Job | None = None
    begun: bool = False  # the job


class LocalExecutor:
    """Runs jobs on ``count`` processes of this machine.

    Args:
        threads: CPU threads of each.
        logs: folder for what workers and libraries print.
        gpus: values of CUDA_VISIBLE_DEVICES, shared out in turn; none for CPU workers.
        prefix: stands before the workers' names.
    """

    waiting = ""

    def __init__(
        self, count: int, threads: int, logs: Path, gpus: Sequence[str] = (), prefix: str = ""
    ) -> None:
        self._count, self._owner = count, os.getpid()
        self._logs = logs
        self._logs.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, BoundedLog] = {}  # by worker; its successors go on with it
        self._queue: deque[Job] = deque()
        self._stillborn = 0
        self._workers: list[_Worker] = []
        try:
            for index in range(count):
                environment = {variable: str(threads) for variable in THREAD_VARIABLES}
                if gpus:
                    environment["CUDA_VISIBLE_DEVICES"] = gpus[index % len(gpus)]
                self._workers.append(self._start(f"{prefix}worker-{index}", environment))
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> int:
        """How many jobs run at once."""
        return self._count

    @property
    def free(self) -> int:
        """How many further jobs would begin at once."""
        return max(0, self._count - self._num_jobs)

    @property
    def nodes(self) -> list[Node]:
        """This machine."""
        return [Node(socket.gethostname(), self._count, min(self._count, self._num_jobs))]

    @property
    def _num_jobs(self) -> int:
        return len(self._queue) + sum(worker.job is not None for worker in self._workers)

    def wait_until_ready(self, timeout: float = math.inf) -> bool:
        """Wait for the first worker, which has then imported all that trainings need.

        Raises InputError if workers end before that.
        """
        return wait_for(lambda: any(one.ready for one in self._workers), self.events, timeout)

    def submit(self, job: Job) -> None:
        """Take a job; it starts when a worker is free."""
        self._queue.append(job)
        self._hand_out()

    def events(self, timeout: float) -> list[Event]:
        """What happened; waits at most ``timeout`` seconds."""
        events: list[Event] = []
        by_pipe = {worker.pipe: worker for worker in self._workers}
        for pipe in wait(list(by_pipe), timeout):
            worker = by_pipe[pipe]  # type: ignore[index]  # wait() returns what it was given
            try:
                while worker in self._workers and worker.pipe.poll():
                    events += self._receive(worker, json.loads(worker.pipe.recv_bytes()))
            except (EOFError, OSError):
                events += self._bury(worker)
        self._hand_out()
        return events

    def cancel(self, key: str) -> None:
        """Forget a job, killing the worker that runs it."""
        self._queue = deque(job for job in self._queue if job.key != key)
        for worker in list(self._workers):
            if worker.job and worker.job.key == key:
                worker.job = None
                self._end(worker)
                self._replace(worker)

    def exclude(self, worker: str, why: str) -> bool:
        """This machine is the only one, unless it was an agent's that has gone."""
        return worker not in {one.name for one in self._workers}

    def cancel_all(self) -> None:
        """Forget all jobs."""
        self._queue.clear()
        for key in [worker.job.key for worker in self._workers if worker.job]:
            self.cancel(key)

    def close(self, whole: bool = False) -> None:
        """End all workers and wait until they are gone; in a forked child, leave them alone."""
        if os.getpid() != self._owner:
            return
        self._queue.clear()
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            self._end(worker)
        self._workers.clear()

    def _start(self, name: str, environment: Mapping[str, str]) -> _Worker:
        ours, theirs = Pipe()
        log = self._files.setdefault(name, BoundedLog(self._logs / f"{name}.log"))
        output = Pump(log)
        try:
            started = theirs.fileno(), output.writer, environment
            process = fork_worker(*started) or _spawn(*started)
        finally:
            os.close(output.writer)
            theirs.close()
        close_in_children(ours)
        return _Worker(name, process, ours, environment, output)

    def _receive(self, worker: _Worker, message: dict[str, Any]) -> list[Event]:
        if message["kind"] == "ready":
            worker.ready = True
            return []
        job = worker.job
        if job is None or (message["key"], message["attempt"]) != (job.key, job.attempt):
            return []
        if message["kind"] == "started":
            worker.begun, self._stillborn = True, 0
        elif message["kind"] == "done":
            worker.job = None
        elif message["kind"] == "failed":
            worker.job = None
            if not message["data"].get("input_error"):
                # What raised may have left the process broken (a CUDA error, no more open files):
                # it would be free at once and fail every job that waits.
                self._end(worker)
                self._replace(worker)
        return [Event(worker=worker.name, **message)]

    def _bury(self, worker: _Worker) -> list[Event]:
        """A worker's pipe closed: it died. Put another in its place."""
        with suppress(subprocess.TimeoutExpired):
            worker.process.wait(_TIME_TO_DIE)  # so that its own exit code is not that of a kill
        self._end(worker)
        innocent = worker.job is not None and not worker.begun
        if _never_begun(worker.process):
            pass  # its server cannot fork: the next one is started by itself
        elif not worker.ready or innocent:
            self._stillborn += 1
        if self._stillborn >= _STILLBORN_LIMIT:
            why = worker.output.last_line() or _cause(worker.process.returncode)
            raise InputError(
                f"workers end before they begin a job: {why}; {self._logs}/{worker.name}.log says "
                "more"
            )
        self._replace(worker)
        if worker.job is None:
            return []
        if innocent:  # it died of something else, and the job is the next one's
            self._queue.appendleft(worker.job)
            return []
        data = {"error": f"the worker {_cause(worker.process.returncode)}"}
        if last := worker.output.last_line():
            data |= {"last_line": last, "log": str(self._logs / f"{worker.name}.log")}
        return [Event("lost", worker.job.key, worker.job.attempt, worker.name, data)]

    def _replace(self, worker: _Worker) -> None:
        index = self._workers.index(worker)
        self._workers[index] = self._start(worker.name, worker.environment)

    def _end(self, worker: _Worker) -> None:
        with suppress(OSError):
            worker.pipe.close()
        worker.process.kill()
        worker.process.wait()
        worker.output.close()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if not self._queue:
                return
            if worker.ready and worker.job is None:
                message = json.dumps(asdict(self._queue[0])).encode()
                # A worker that has just died shows in the next events(); the job waits for another.
                with suppress(OSError):
                    worker.pipe.send_bytes(message)
                    worker.job, worker.begun = self._queue.popleft(), False


def _never_begun(process: "subprocess.Popen[bytes] | ForkedWorker") -> bool:
    return isinstance(process, ForkedWorker) and not process.has_begun


def _cause(code: int | None) -> str:
    if code is None:
        return "was lost with the process that had started it"
    return how_it_ended(code)


def _spawn(pipe: int, output: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        python_command("search.execution.worker", str(pipe)),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=(pipe,),
        env=python_environment(**environment),
    )
