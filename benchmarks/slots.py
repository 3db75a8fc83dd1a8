"""How many slots one coordinator feeds: its real loop with 8 to 512 slots whose jobs sleep.

Commands::

    python -m benchmarks.slots                       # about 9 minutes, one core
    python -m benchmarks.slots --slots 64 --seconds 4

The real coordinator, dispatcher, TPE, journal and folder, in the tabular benchmark's space, with a
lookahead of twice the slots. Only the workers are missing: a slot sleeps for the job's seconds,
tells of its start and of five epochs, and writes ``result.json``. *Busy*: of the time of all slots,
from the moment that all have a job to the moment that the last trial is handed out, the share in
which they had one. *CPU*: seconds of the coordinator's process for a trial, beside the wall clock.
A coordinator feeds ``slots`` slots with jobs of ``seconds`` as long as CPU x slots / seconds < 1.

Writes ``benchmarks/results/slots.json`` and ``.md``.
"""

import argparse
import dataclasses
import heapq
import os
import platform
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

from benchmarks.instant import formula  # threads are set before anything heavy is imported
from benchmarks.scale import run, settings_of
from benchmarks.writing import write_report
from hybrid_swin.system.files import write_json_atomically
from search.execution.job import Event, Job
from search.records.runs import RESULT_FILE, RunSpec
from search.settings.study import SamplerSettings

RESULTS = Path(__file__).parent / "results"
CASES = ((8, 1.0), (32, 2.0), (128, 8.0), (512, 32.0), (512, 16.0))  # slots, seconds of a job
ROUNDS = 4  # jobs of each slot
EPOCHS = 5  # that a job tells of


class Sleeping:
    """An executor of slots that sleep, by the wall clock."""

    def __init__(self, slots: int, seconds: float, trials: int) -> None:
        self.slots, self._seconds, self._trials = slots, seconds, trials
        self._waiting: deque[Job] = deque()
        self._ends: list[tuple[float, int, Job]] = []
        self._number = 0
        self._last = time.perf_counter()
        self.full = self.last_handed = 0.0
        self.busy = 0.0  # slot-seconds while full and something was left to be handed out

    def submit(self, job: Job) -> None:
        """Take a job."""
        self._waiting.append(job)

    def events(self, timeout: float) -> Sequence[Event]:
        """Begin jobs, and end those whose time is over."""
        events = self._begin()
        now = time.perf_counter()
        if not events:
            until = self._ends[0][0] if self._ends else now + timeout
            time.sleep(max(0.0, min(timeout, until - now)))
        self._count()
        while self._ends and self._ends[0][0] <= time.perf_counter():
            self._count()
            job = heapq.heappop(self._ends)[2]
            result = formula(RunSpec.from_dict(job.settings["spec"]))
            write_json_atomically(Path(job.folder) / RESULT_FILE, result.to_dict())
            for epoch in range(EPOCHS):
                data = {"epoch": epoch + 1, "epochs": EPOCHS, "score": result.score}
                events.append(Event("epoch", job.key, job.attempt, "w", data))
            events.append(Event("done", job.key, job.attempt, "w"))
        return events

    def _begin(self) -> list[Event]:
        events = []
        while self._waiting and len(self._ends) < self.slots:
            self._count()
            job = self._waiting.popleft()
            self._number += 1
            end = time.perf_counter() + self._seconds
            heapq.heappush(self._ends, (end, self._number, job))
            events.append(Event("started", job.key, job.attempt, "w"))
            if self._number >= self._trials and not self.last_handed:
                self.last_handed = time.perf_counter()
        return events

    def _count(self) -> None:
        """Add up what the slots did since the last time."""
        now = time.perf_counter()
        if len(self._ends) == self.slots and not self.full:
            self.full = now
        elif self.full and not self.last_handed:
            self.busy += len(self._ends) * (now - self._last)
        self._last = now

    def cancel(self, key: str) -> None:
        """Never needed: nothing is late."""


def measure(slots: int, seconds: float) -> dict[str, float]:
    """One study."""
    trials = slots * ROUNDS
    executor = Sleeping(slots, seconds, trials)
    with tempfile.TemporaryDirectory() as name:
        settings = settings_of(Path(name), trials)
        sampler = SamplerSettings("tpe", lookahead=2 * slots)
        begin, cpu = time.perf_counter(), time.process_time()
        run(dataclasses.replace(settings, sampler=sampler), executor)
        cpu = time.process_time() - cpu
        wall = time.perf_counter() - begin
    window = executor.last_handed - executor.full
    return {
        "slots": slots,
        "seconds": seconds,
        "trials": trials,
        "busy": executor.busy / (slots * window),
        "cpu": cpu / trials,
        "load": cpu / wall,
        "wall": wall,
    }


def table(rows: Sequence[dict[str, float]]) -> str:
    """The page."""
    lines = [
        "# Slots that one coordinator feeds",
        "",
        "Jobs that sleep; TPE; lookahead twice the slots. `python -m benchmarks.slots`",
        "",
        "| slots | seconds a job | trials | slots busy | CPU a trial | trials a second at most |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        lines.append(
            f"| {row['slots']:.0f} | {row['seconds']:g} | {row['trials']:.0f} "
            f"| {100 * row['busy']:.1f}% | {1000 * row['cpu']:.0f} ms | {1 / row['cpu']:.0f} |"
        )
    return "\n".join([*lines, ""])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--slots", type=int)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=RESULTS / "slots")
    options = parser.parse_args(arguments)
    cases = ((options.slots, options.seconds),) if options.slots else CASES
    rows = [measure(*case) for case in cases]
    report: dict[str, Any] = {
        "command": "python -m benchmarks.slots",
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
        "rows": rows,
    }
    write_report(options.out, report, table(rows))


if __name__ == "__main__":
    main()
