"""Where workers run: one contract, several places."""

import math
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from search.settings.experiment import WorkerSettings

if TYPE_CHECKING:
    from search.execution.agents.agents import Agents


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
    may be broken by that does no further job. ``lost``: the worker died, or its machine is not
    heard of; ``data`` may hold what it printed last (``last_line``) and where the rest is
    (``log``). ``returned``: the worker left in order, or its machine was taken from us, through no
    fault of the job: it goes on elsewhere, and no attempt is lost.
    """

    kind: Literal["started", "epoch", "done", "failed", "lost", "returned"]
    key: str
    attempt: int
    worker: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """A machine with workers: its name, the jobs that it does at once, those that it does now.

    Names of its workers begin with its own and a dash, but for the coordinator's machine or the
    only one.
    """

    name: str
    slots: int
    busy: int


def node_of(worker: str, nodes: Sequence[Node]) -> str:
    """The machine of a worker; empty if unknown."""
    names = {node.name for node in nodes}
    own = max((n for n in names if worker.startswith(f"{n}-")), key=len, default="")
    if own or len(names) == 1:
        return own or names.pop()
    return here if (here := socket.gethostname()) in names else ""


def fed_workers(count: int, most: int | None, say: Callable[[str], None]) -> int:
    """As many of ``count`` workers as can be fed; fewer are said. ``most``: see `Place`."""
    if most is None or count <= most:
        return count
    say(
        f"{most} of {count} workers: sampler.lookahead feeds half as many as it says; for all of "
        f"them give {2 * count}"
    )
    return most


@dataclass(frozen=True)
class Place:
    """What an executor is started for.

    Args:
        folder: the study's, which every worker must see.
        workers: how many, and on what.
        most: more jobs at once could not be fed; None for no such limit.
        say: is told what a person should know, such as that no machine has what is asked for.
        agents: those of other machines, which join the study whatever its executor. An executor
            that starts agents elsewhere has no slots of its own.
    """

    folder: Path
    workers: WorkerSettings
    most: int | None
    say: Callable[[str], None]
    agents: "Agents"


class Runner(Protocol):
    """Runs jobs. What happens to a worker is an event."""

    def submit(self, job: Job) -> None:
        """Take a job; it starts when a worker is free, in the order of submission."""

    def events(self, timeout: float) -> Sequence[Event]:
        """What happened since the last call; waits at most ``timeout`` seconds for something.

        Raises InputError if workers cannot even start.
        """

    def cancel(self, key: str) -> None:
        """Forget a job, killing the worker that runs it. No event follows."""

    def exclude(self, worker: str, why: str) -> bool:
        """Use a worker's machine no more; jobs that it has are returned.

        Args:
            worker: the name of one of the machine's workers.
            why: for a person.

        Returns:
            False if there is no other machine.
        """


class Executor(Runner, Protocol):
    """Runs jobs on workers, here or on other machines.

    An executor's file holds the dataclass ``Options`` and ``start(options, place) -> Executor``.
    """

    @property
    def slots(self) -> int:
        """How many jobs run at once now; machines may join and leave."""

    @property
    def free(self) -> int:
        """How many further jobs would begin as soon as they are submitted."""

    @property
    def nodes(self) -> Sequence[Node]:
        """The machines, and what they do."""

    @property
    def waiting(self) -> str:
        """Why submitted jobs do not begin, for a person; empty if workers are merely busy."""

    def wait_until_ready(self, timeout: float = math.inf) -> bool:
        """Wait for the first worker, for so many seconds at most; whether there is one by then.

        Raises InputError if there will be none.
        """

    def close(self, whole: bool = False) -> None:
        """End all workers, at once, and wait until they are gone.

        ``whole``: all work is done, so nobody need wait for another start.
        """
