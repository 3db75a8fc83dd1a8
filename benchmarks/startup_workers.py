"""What workers of one process cost, each from asking for it to its beginning a job.

Command: ``python -P benchmarks/startup_workers.py CHECKOUT``, in an empty folder; part of
``python -m benchmarks.startup``. It imports nothing of the checkout that holds it, so that any
version of the project can be measured. The last line is JSON: wall and CPU seconds by worker.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# The same in versions where modules have other names.
EXECUTORS = (
    "search.execution.executors.local",
    "search.execution.local_workers",
    "search.executors.local",
)
JOBS = ("search.execution.job", "search.executors")
WORKERS = ("the first worker", "a replacement", "a second one", "the next study's")
PATIENCE = 300.0  # seconds
_TICKS = os.sysconf("SC_CLK_TCK")

Cost = dict[str, float]  # wall and cpu, seconds


def cpu_seconds(session: int) -> float:
    """CPU seconds of a session's processes, of those included that they have waited for."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[3]) == session:
            total += sum(map(int, fields[11:15]))
    return total / _TICKS


class Clock:
    """Wall and CPU time of this session since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), cpu_seconds(os.getsid(0))

    def read(self) -> Cost:
        """Seconds so far."""
        cpu = cpu_seconds(os.getsid(0)) - self._cpu
        return {"wall": time.perf_counter() - self._wall, "cpu": cpu}


def serve(folder: Path) -> dict[str, Cost]:
    """One worker after another, each with a job that it cannot do, so that it is replaced."""
    executors, job = find(EXECUTORS), find(JOBS).Job

    def submit(executor: Any) -> None:
        executor.submit(job("nothing", 1, "train", str(folder), {}))

    def begun(executor: Any, clock: Clock) -> Cost:
        kinds = wait_for(executor, "started")
        cost = clock.read()
        if "failed" not in kinds:
            wait_for(executor, "failed")
        return cost

    def ask() -> tuple[Any, Cost]:
        clock = Clock()
        executor = executors.LocalExecutor(1, 1, folder / "logs")
        submit(executor)
        return executor, begun(executor, clock)

    first, cost = ask()
    measured = {WORKERS[0]: cost}
    clock = Clock()  # another worker has just been asked for in the place of the first
    submit(first)
    measured[WORKERS[1]] = begun(first, clock)
    second, measured[WORKERS[2]] = ask()
    first.close()
    second.close()
    third, measured[WORKERS[3]] = ask()
    third.close()
    return measured


def wait_for(executor: Any, kind: str) -> set[str]:
    """Wait for an event; returns it with those that came at once."""
    until = time.monotonic() + PATIENCE
    while kind not in (kinds := {event.kind for event in executor.events(1.0)}):
        if time.monotonic() > until:
            raise RuntimeError(f"no job has {kind}")
    return kinds


def find(names: Sequence[str]) -> Any:
    """The first of some modules that is there."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise RuntimeError(f"none of {', '.join(names)} is there")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(sys.argv[1]).resolve()))
    print(json.dumps(serve(Path.cwd())))
