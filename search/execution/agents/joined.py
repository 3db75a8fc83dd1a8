"""An executor and the agents that join it, as one."""

import math
import time
from collections import deque

from hybrid_swin.errors import InputError
from hybrid_swin.training.hardware import Hardware
from search.execution.agents.agents import Agents
from search.execution.agents.no_workers import NoWorkers
from search.execution.job import Event, Executor, Job, Node

_MOST_EXCLUDED = 3  # machines, where no other is there
_SLICE = 0.05  # seconds for which one of the two is waited for while the other may have news


class Joined:
    """Jobs go to the first, as far as it has free workers, and then to agents.

    Args:
        own: the executor that the settings name.
        agents: whoever joins.
    """

    def __init__(self, own: Executor, agents: Agents) -> None:
        self._own, self._agents = own, agents
        self._queue: deque[Job] = deque()
        self._ready = False

    @property
    def slots(self) -> int:
        """How many jobs run at once now."""
        return self._own.slots + self._agents.slots

    @property
    def free(self) -> int:
        """How many further jobs would begin at once."""
        return max(0, self._own.free + self._agents.free - len(self._queue))

    @property
    def nodes(self) -> list[Node]:
        """The machines of both."""
        return [*self._own.nodes, *self._agents.nodes]

    @property
    def waiting(self) -> str:
        """Why jobs do not begin, or why none could."""
        if not self._ready:
            return self._own.waiting or "its workers start"
        return self._own.waiting if self._queue else ""

    def wait_until_ready(self, timeout: float = math.inf) -> bool:
        """Wait for the executor's own first worker. Raises InputError if there will be none."""
        self._ready = self._own.wait_until_ready(timeout)
        return self._ready

    @property
    def hardware(self) -> Hardware | None:
        """On what the first agent trains, if agents do all of the work; None if unknown."""
        return self._agents.hardware if isinstance(self._own, NoWorkers) else None

    def require(self, precision: str) -> None:
        """Let no agent serve on whose machine this precision cannot be had."""
        self._agents.require(precision)

    def submit(self, job: Job) -> None:
        """Take a job; one that goes on comes before those that begin, for which others may wait."""
        place = len(self._queue)
        if job.attempt > 1:
            place = sum(other.attempt > 1 for other in self._queue)
        self._queue.insert(place, job)
        self._hand_out()

    def events(self, timeout: float) -> list[Event]:
        """What happened; waits at most ``timeout`` seconds for something."""
        end = time.monotonic() + timeout
        while True:
            left = max(0.0, end - time.monotonic())
            events = [
                *self._own.events(min(left, _SLICE) if self._agents.present else left),
                *self._agents.events(0),
            ]
            self._hand_out()
            if events or left == 0:
                return events

    def cancel(self, key: str) -> None:
        """Forget a job, killing the worker that runs it."""
        self._queue = deque(job for job in self._queue if job.key != key)
        self._own.cancel(key)
        self._agents.cancel(key)

    def exclude(self, worker: str, why: str) -> bool:
        """Use a worker's machine no more. Raises InputError if several in a row were such.

        So jobs of a scheduler, each of which would bring another such machine, come to an end.
        """
        excluded = self._agents.exclude(worker, why) or self._own.exclude(worker, why)
        number = len(self._agents.excluded)
        if excluded and number >= _MOST_EXCLUDED and not self.nodes:
            raise InputError(
                f"none of {number} machines can be used; of the last one: {why}; all "
                "results are saved: give the same command again to go on"
            )
        return excluded

    def close(self, whole: bool = False) -> None:
        """End the workers; ``whole``: all is done, and agents need not wait for another start."""
        self._queue.clear()
        try:
            self._agents.close(whole)
        finally:
            self._own.close(whole)

    def _hand_out(self) -> None:
        for executor in (self._own, self._agents):
            while self._queue and executor.free:
                executor.submit(self._queue.popleft())
        self._agents.backlog = len(self._queue)
