"""Nodes of a Slurm cluster.

The work is done by agents (``search.execution.agents``), on nodes that see the study's folder. Here
they are only started and watched: as steps of the allocation in which the command runs, or as jobs.
"""

import math
import os
import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from hybrid_swin.spec.values import Range, Word
from search.execution.agents.no_workers import NoWorkers
from search.execution.job import Event, Place
from search.execution.slurm.request import (
    check_arguments,
    check_memory,
    check_secrets,
    check_time,
)

if TYPE_CHECKING:
    from search.execution.agents.agents import Agents

_MOST_JOBS = 1_000  # that an array takes everywhere
_LOOK_AGAIN = 0.5  # seconds


@dataclass(frozen=True)
class Options:
    """Where agents run, and what their jobs ask for.

    Args:
        agents: ``steps`` on all nodes of the allocation in which the command runs, ``jobs`` of
            their own by sbatch, or ``auto``: steps inside an allocation, else jobs.
        max_jobs: most jobs at once, waiting or running; fewer if the study cannot feed them.
        partition: of the jobs; this and what follows as sbatch takes it, by default the cluster's.
        account: the account that is charged.
        qos: quality of service.
        gres: generic resources of a job, such as ``gpu:2``.
        constraint: features that a job's node must have.
        time: time limit of a job in minutes, or as ``"4:00:00"``; the study goes on in further
            jobs.
        cpus: processors of a job.
        memory: memory of a job, such as ``16G``; 0 is all of its node.
        setup: lines of shell before the agent starts, such as ``module load cuda``; one that fails
            ends the job.
        arguments: further options of sbatch, such as ``--exclude=n7``.
        poll_seconds: seconds between two looks at the queue.
        idle_minutes: a job without work for so long ends; another is submitted when there is work.
    """

    agents: Literal["auto", "steps", "jobs"] = "auto"
    max_jobs: Annotated[int, Range(1, _MOST_JOBS)] = 4
    partition: Annotated[str, Word()] = ""
    account: Annotated[str, Word()] = ""
    qos: Annotated[str, Word()] = ""
    gres: Annotated[str, Word()] = ""
    constraint: Annotated[str, Word()] = ""
    time: Annotated[int | str, Word()] = ""
    cpus: Annotated[int, Range(1, 4096)] = 1
    memory: Annotated[str, Word()] = ""
    setup: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    poll_seconds: Annotated[float, Range(0.1, 600)] = 10.0
    idle_minutes: Annotated[float, Range(0, 10_080, open_below=True)] = 5.0

    def __post_init__(self) -> None:
        if self.memory:
            check_memory(self.memory)
        if self.time != "":
            check_time(str(self.time))
        check_secrets("setup", self.setup)
        check_secrets("arguments", self.arguments)
        check_arguments(self.arguments)

    @property
    def of_jobs(self) -> list[str]:
        """The options given that say something only of jobs."""
        own = (field for field in fields(self) if field.name != "agents")
        return [field.name for field in own if getattr(self, field.name) != field.default]

    @property
    def words(self) -> list[str]:
        """What a job asks for, in the words of sbatch."""
        request = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "gres": self.gres,
            "constraint": self.constraint,
            "time": str(self.time),
            "cpus-per-task": str(self.cpus),
            "mem": self.memory,
        }
        return [*(f"--{name}={value}" for name, value in request.items() if value), *self.arguments]


def check(options: Options) -> None:
    """Raise InputError if there is no Slurm, or it refuses what a job asks for."""
    from search.execution.slurm.jobs import check_submission

    if not _in_steps(options):
        check_submission(options.words, "#!/bin/sh\n")


def _in_steps(options: Options) -> bool:
    """Whether agents run in the allocation in which the command runs."""
    inside = "SLURM_JOB_ID" in os.environ
    return options.agents == "steps" or (options.agents == "auto" and inside)


def start(options: Options, place: Place) -> "SlurmExecutor":
    """Agents on nodes. Raises InputError if there is no Slurm, or it refuses such jobs."""
    from search.execution.forked_workers import close_server
    from search.execution.slurm.agent_jobs import agents_as_jobs, room_of
    from search.execution.slurm.agent_steps import agents_as_steps

    hosts: Hosts
    inside = "SLURM_JOB_ID" in os.environ
    if options.agents == "steps" or (options.agents == "auto" and inside):
        if unused := options.of_jobs:
            names = ", ".join(f"executor.{name}" for name in unused)
            place.say(f"agents are steps of this allocation, which has its own; unused: {names}")
        hosts = agents_as_steps(place)
    else:
        limits = options.max_jobs, room_of(options.cpus, options.gres, place.workers)
        request = options.words, options.setup
        pauses = options.poll_seconds, options.idle_minutes * 60
        hosts = agents_as_jobs(place, *request, *limits, *pauses)
    close_server()  # all workers are elsewhere
    return SlurmExecutor(place.agents, hosts)


class Hosts(Protocol):
    """What runs agents."""

    @property
    def expected(self) -> int:
        """Slots that there will be, as far as it is known."""

    @property
    def waiting(self) -> str:
        """Why no agent runs, for a person; empty if one does."""

    def wait_until_ready(self, timeout: float) -> bool:
        """Wait if that is known to be short; whether work may begin.

        Raises InputError if no agent will come.
        """

    def tend(self) -> list[Event]:
        """Look after the agents, and say what the end of some means. Raises InputError."""

    def close(self) -> None:
        """End the agents and what runs them."""


class SlurmExecutor(NoWorkers):
    """Agents do the work, so nothing is submitted here."""

    def __init__(self, agents: "Agents", hosts: Hosts) -> None:
        self._agents, self._hosts = agents, hosts
        self._closed = False

    @property
    def slots(self) -> int:
        """Those that are to come; agents that have come count theirs themselves."""
        return max(0, self._hosts.expected - self._agents.slots)

    @property
    def waiting(self) -> str:
        """Why no agent runs."""
        return self._hosts.waiting

    def wait_until_ready(self, timeout: float = math.inf) -> bool:
        """Wait if that is known to be short. Raises InputError if no agent will come."""
        return self._hosts.wait_until_ready(timeout)

    def events(self, timeout: float) -> list[Event]:
        """Look after the agents; waits at most ``timeout`` seconds for news."""
        end = time.monotonic() + timeout
        while True:
            events = self._hosts.tend()
            left = end - time.monotonic()
            if events or left <= 0:
                return events
            time.sleep(min(left, _LOOK_AGAIN))

    def close(self, whole: bool = False) -> None:
        """End the agents and what runs them."""
        if not self._closed:
            self._closed = True
            self._hosts.close()
