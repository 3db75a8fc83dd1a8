"""An executor without workers: every job ends at once with a result that is a formula."""

import math
import os
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from hybrid_swin.system.files import write_json_atomically
from search.execution.job import Event, Job
from search.execution.training import falls_short
from search.records.identity import derive_seed
from search.records.runs import RESULT_FILE, RunResult, RunSpec

BLOCK = 1000  # trials between two readings of memory
LOOKAHEAD = 8
SEEDS = 2**31  # how many there are


class Handed(Exception):
    """The job that was waited for has been handed out."""


def formula(spec: RunSpec) -> RunResult:
    """A training that is a formula of its candidate, and stops itself as a worker does."""
    recipe = spec.recipe or {}
    away = math.log10(recipe["learning_rate"] / 2e-3)  # best at 0.002
    chance = derive_seed(spec.seed, "talent", spec.variant_id) / SEEDS
    limit = 0.97 - 0.05 * away**2 - 0.05 * chance
    history, epochs, stopped = [], recipe["epochs"], False
    for epoch in range(1, epochs + 1):
        score = round(limit * (1 - 0.6**epoch), 6)
        history.append({"epoch": epoch, "val/accuracy": score, "val/loss": 1 - score})
        cutoff = spec.cutoffs.get(str(epoch))
        if cutoff is not None and epoch < epochs and falls_short(score, cutoff, "max"):
            stopped = True
            break
    return RunResult(
        key=spec.key,
        attempt=1,
        state="stopped" if stopped else "complete",
        score=score,
        epochs=len(history),
        epochs_planned=epochs,
        passes=float(len(history)),
        history=tuple(history),
        metrics={"val/accuracy": score},
        seconds={"fit": 1.0, "total": 1.0},
        device="cpu",
    )


class Instant:
    """An executor whose jobs take no time: ends one when all that may be asked is handed out.

    Args:
        trials: of the study.
        stop_at: key of the job at which to stop everything.
    """

    def __init__(self, trials: int, stop_at: str = "") -> None:
        self._trials, self._stop_at = trials, stop_at
        self._waiting: deque[Job] = deque()
        self._ended = 0
        self.announced: dict[str, float] = {}
        self.handed: dict[str, float] = {}
        self.memory: list[float] = []  # MiB, every so many trials

    @property
    def slots(self) -> int:
        """As many as the lookahead feeds."""
        return LOOKAHEAD // 2

    def submit(self, job: Job) -> None:
        """Take a job."""
        self.handed[job.key] = time.perf_counter()
        if job.key == self._stop_at:
            raise Handed
        self._waiting.append(job)

    def events(self, timeout: float) -> Sequence[Event]:
        """The end of the oldest job; while more may be handed out, a wait for nothing."""
        trials = sum(job.key.startswith("trials/") for job in self._waiting)
        if not self._waiting or trials < min(LOOKAHEAD, self._trials - self._ended):
            time.sleep(timeout)
            return ()
        job = self._waiting.popleft()
        result = formula(RunSpec.from_dict(job.settings["spec"]))
        write_json_atomically(Path(job.folder) / RESULT_FILE, result.to_dict())
        if job.key.startswith("trials/"):
            self._ended += 1
            if self._ended % BLOCK == 0:
                self.memory.append(resident())
        self.announced[job.key] = time.perf_counter()
        return (Event("done", job.key, job.attempt),)

    def cancel(self, key: str) -> None:
        """Never needed: nothing is late."""

    def exclude(self, worker: str, why: str) -> bool:
        """There is no other machine."""
        return False

    def close(self, whole: bool = False) -> None:
        """Nothing runs."""


def resident() -> float:
    """Resident memory of this process, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
