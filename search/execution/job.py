"""Where workers run: one contract, several places."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Job:
    """One piece of work for a worker, as plain values that any channel can carry.

    ``task`` names what to do; ``folder`` is the attempt's own folder, where the worker writes.
    """

    key: str
    attempt: int
    task: Literal["train", "reference"]
    folder: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Event:
    """What a worker says of a job: it has begun, ended an epoch, or ended, well or not.

    ``done``: the result stands in the attempt's folder. ``failed``: the job raised; a worker that
    may be broken by that does no further job. ``lost``: the worker died; ``data`` may hold what it
    printed last (``last_line``) and where the rest is (``log``).
    """

    kind: Literal["started", "epoch", "done", "failed", "lost"]
    key: str
    attempt: int
    worker: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class Executor(Protocol):
    """Runs jobs on workers.

    What happens to a worker is an event; only where workers cannot even start is it an InputError.
    """

    @property
    def slots(self) -> int:
        """How many jobs run at once."""

    def submit(self, job: Job) -> None:
        """Take a job; it starts when a worker is free, in the order of submission."""

    def events(self, timeout: float) -> Sequence[Event]:
        """What happened since the last call; waits at most ``timeout`` seconds for something."""

    def cancel(self, key: str) -> None:
        """Forget a job, killing the worker that runs it. No event follows."""

    def close(self) -> None:
        """End all workers, at once, and wait until they are gone."""
