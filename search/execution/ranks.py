"""The other processes of a training over several devices, beside the worker that is rank 0.

Each is a worker as any other (``search.execution.worker``), whose coordinator is rank 0's process:
it gets the same job through a pipe, with its rank, and ends when the pipe closes, so that a worker
that is killed leaves none behind. They are kept from one training to the next.
"""

import ctypes
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection, Pipe, wait
from typing import TYPE_CHECKING, Any

from hybrid_swin.system.forks import close_in_children
from hybrid_swin.system.processes import how_it_ended, python_command, python_environment
from search.execution.job import Job

if TYPE_CHECKING:
    from hybrid_swin.training.processes import Processes

_TIME_TO_SAY = 2.0  # seconds in which what ended one rank shows in the others
_TIME_TO_EXPLAIN = 30.0  # seconds in which a rank that others have lost says why, or ends
_TIME_TO_END = 60.0  # seconds that others may take after rank 0 has trained
LOST_ANOTHER = "lost_another"  # in what a rank says of a failure: another rank is its cause
_SIGNAL_OF_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)

Failed = Callable[[dict[str, Any]], None]


@dataclass
class _Other:
    rank: int
    process: "subprocess.Popen[bytes]"
    pipe: "Connection[Any, Any]"


class Ranks:
    """Rank 0's view of the others. One thread watches them while a job runs."""

    def __init__(self) -> None:
        self._others: list[_Other] = []
        self._watch: threading.Thread | None = None
        self._ending = False

    def begin(self, job: Job, failed: Failed) -> "Processes | None":
        """Let the others begin a job; None for a job that needs none.

        ``failed`` is called, in another thread, with what to say of a rank that failed or died: the
        training hangs then, and cannot be told so. It must end this process.
        """
        count = int(job.settings.get("devices", 1))
        if job.task != "train" or count == 1 or "rank" in job.settings:
            return None
        from hybrid_swin.training.processes import Processes

        alive = [other for other in self._others if other.process.poll() is None]
        if len(alive) != count - 1:
            self.end()
            self._others = [_start(rank) for rank in range(1, count)]
        processes, port = Processes.lead(count)
        for other in self._others:
            settings = {**job.settings, "rank": other.rank, "port": port}
            with suppress(OSError):  # one that has just died; its end is heard below
                other.pipe.send_bytes(json.dumps(asdict(replace(job, settings=settings))).encode())
        self._ending = False
        self._watch = threading.Thread(target=self._look, args=(failed,), daemon=True)
        self._watch.start()
        return processes

    def finish(self) -> None:
        """Wait until the others have done the job; end those that do not."""
        if self._watch is not None:
            self._watch.join(_TIME_TO_END)
            if self._watch.is_alive():
                self.end()
        self._watch = None

    def give_up(self, lost_another: bool = False) -> None:
        """End the others, after an exception here.

        Where another rank's end is the cause, this process ends first, by ``failed``.
        ``lost_another``: the exception says that it is.
        """
        if self._watch is not None:
            self._watch.join(_TIME_TO_EXPLAIN + 1 if lost_another else _TIME_TO_SAY)
        self.end()

    def end(self) -> None:
        """End the others, and wait until they are gone."""
        self._ending = True
        for other in self._others:
            other.process.kill()
            other.process.wait()
        if self._watch is not None:
            self._watch.join()
        for other in self._others:
            other.pipe.close()
        self._others, self._watch = [], None

    def _look(self, failed: Failed) -> None:
        """Hear what the others say until all have done the job."""
        waiting = {other.pipe: other for other in self._others}
        consequence: dict[str, Any] | None = None  # of what ended another, who may say it yet
        end = math.inf
        while waiting and time.monotonic() < end:
            left = None if consequence is None else end - time.monotonic()
            for pipe in wait(list(waiting), left):
                other = waiting[pipe]  # type: ignore[index]  # wait() returns what it was given
                try:
                    message = json.loads(other.pipe.recv_bytes())
                except (EOFError, OSError):
                    message = {"kind": "lost", "data": {"error": _cause(other)}}
                if message["kind"] == "done":
                    del waiting[other.pipe]
                elif message["kind"] in ("failed", "lost"):
                    if message["data"].pop(LOST_ANOTHER, False):
                        consequence = consequence or message["data"]
                        end = min(end, time.monotonic() + _TIME_TO_EXPLAIN)
                        continue
                    if not self._ending:
                        failed(message["data"])
                    return
        if consequence is not None and not self._ending:
            failed(consequence)


def die_with_parent() -> None:
    """Have the system kill this process when its parent ends, also while it is stopped (Linux).

    The end of the pipe is heard by a thread, which a stopped process does not run.
    """
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_SIGNAL_OF_PARENT, signal.SIGKILL)
        if os.getppid() != parent:  # it has just ended
            os._exit(0)


def _start(rank: int) -> _Other:
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(
            python_command("search.execution.worker", str(theirs.fileno()), "rank"),
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env=python_environment(),
        )
    close_in_children(ours)
    return _Other(rank, process, ours)


def _cause(other: _Other) -> str:
    with suppress(subprocess.TimeoutExpired):
        how = how_it_ended(other.process.wait(_TIME_TO_SAY))
        return f"the process of device {other.rank} {how}"
    return f"the process of device {other.rank} closed its pipe"
