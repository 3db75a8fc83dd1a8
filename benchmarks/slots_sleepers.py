"""Slots whose jobs sleep, in a process of their own: their work is not the coordinator's."""

import heapq
import json
import multiprocessing
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import Any

from benchmarks.instant import formula
from search.execution.job import Event, Job, Node
from search.records.runs import RESULT_FILE, RunSpec

EPOCHS = 5  # that a job tells of
FORK = multiprocessing.get_context("fork")


@dataclass
class Occupied:
    """What the slots did while the watched trials were handed out."""

    seconds: float
    slots: float  # that had a job, in the mean
    trials: int  # that were handed out


class Sleepers:
    """An executor of slots that sleep.

    Args:
        slots: how many there are.
        seconds: of a job.
        trials: of the study.
        first: the trial from which on the slots are watched, until the last is handed out.
    """

    waiting = ""

    def __init__(self, slots: int, seconds: float, trials: int, first: int) -> None:
        self.slots = slots
        self.occupied = Occupied(0.0, 0.0, 0)  # once they are closed
        self._jobs, self._events = FORK.Queue(), FORK.Queue()  # neither side waits for the other
        serve = _Slots(slots, seconds, trials, first).serve
        self._process = FORK.Process(target=serve, args=(self._jobs, self._events), daemon=True)
        self._process.start()

    @property
    def nodes(self) -> list[Node]:
        """Machines of eight slots."""
        return [Node(f"n{first}", 8, 8) for first in range(0, self.slots, 8)]

    @property
    def free(self) -> int:
        """How many further jobs would begin at once; not known here."""
        return 0

    def wait_until_ready(self, timeout: float = 0.0) -> bool:
        """They are."""
        return True

    def submit(self, job: Job) -> None:
        """Take a job."""
        self._jobs.put(job)

    def events(self, timeout: float) -> Sequence[Event]:
        """What happened since the last call, or the first that happens."""
        events: list[Event] = []
        with suppress(Empty):
            while True:
                wait = bool(timeout and not events)
                events += self._events.get(wait, timeout)
        return events

    def cancel(self, key: str) -> None:
        """Never needed: nothing is late."""

    def exclude(self, worker: str, why: str) -> bool:
        """There is no other machine."""
        return False

    def close(self, whole: bool = False) -> None:
        """End the slots."""
        self._jobs.put(None)
        while not isinstance(last := self._events.get(), Occupied):
            pass
        self._process.join()
        self.occupied = last


class _Slots:
    """The other process."""

    def __init__(self, slots: int, seconds: float, trials: int, first: int) -> None:
        self._seconds, self._trials, self._first = seconds, trials, first
        self._waiting: deque[Job] = deque()
        self._ends: list[tuple[float, str, Job]] = []
        self._free = [f"n{slot // 8 * 8}-worker-{slot % 8}" for slot in range(slots)]
        self._submitted = 0
        self._from = self._to = self._last = 0.0
        self._busy = 0.0  # slot-seconds while watched

    def take(self, job: Job) -> None:
        """Take a job."""
        self._waiting.append(job)
        self._submitted += 1
        if self._submitted == self._first:
            self._from = self._last = time.perf_counter()
        if self._submitted == self._trials:
            self.count()
            self._to = time.perf_counter()

    def count(self) -> None:
        """Add up what the slots did since the last time."""
        now = time.perf_counter()
        if self._from and not self._to:
            self._busy += len(self._ends) * (now - self._last)
        self._last = now

    def turn(self) -> list[Event]:
        """Begin jobs, and end those whose time is over."""
        events: list[Event] = []
        self.count()
        while self._ends and self._ends[0][0] <= time.perf_counter():
            _, worker, job = heapq.heappop(self._ends)
            self._free.append(worker)
            result = formula(RunSpec.from_dict(job.settings["spec"]))
            path = Path(job.folder) / RESULT_FILE
            path.write_text(json.dumps(result.to_dict()))
            for epoch in range(EPOCHS):
                data = {"epoch": epoch + 1, "epochs": EPOCHS, "score": result.score}
                events.append(Event("epoch", job.key, job.attempt, worker, data))
            events.append(Event("done", job.key, job.attempt, worker))
        while self._waiting and self._free:
            job = self._waiting.popleft()
            worker = self._free.pop()
            heapq.heappush(self._ends, (time.perf_counter() + self._seconds, worker, job))
            events.append(Event("started", job.key, job.attempt, worker))
        return events

    def serve(self, jobs: "Queue[Job | None]", events: "Queue[Any]") -> None:
        """Take jobs until there are no more, and tell what happens to them."""
        while True:
            pause = max(0.0, self._ends[0][0] - time.perf_counter()) if self._ends else None
            with suppress(Empty):
                job = jobs.get(timeout=pause)
                if job is None:
                    seconds = self._to - self._from
                    busy = self._busy / seconds
                    events.put(Occupied(seconds, busy, self._trials - self._first))
                    return
                self.take(job)
            if new := self.turn():
                events.put(new)
