"""Where a study's trainings run while faults strike: how it is begun, and what can be killed."""

import os
import time
from collections.abc import Callable
from typing import Protocol

from benchmarks.chaos_doors import (
    Process,
    servers_of,
    session_of,
    workers_of,
)
from benchmarks.chaos_ray import OwnRay, Ray
from benchmarks.chaos_slurm import Allocation, Cluster, Jobs
from benchmarks.chaos_study import PATIENCE, Points, Scene

_TO_LEAVE = 30.0  # seconds in which an agent of a study that is over must end


class Place(Protocol):
    """One of them."""

    name: str
    points: Points  # process ids that a fault may strike, by what they are

    def missing(self) -> str:
        """Why it cannot be had here; empty if it can."""

    def begin(self, scene: Scene, *more: str) -> Process:
        """Give the study's command, and start what belongs to it; returns the coordinator."""

    def ready(self, scene: Scene) -> bool:
        """Whether all of it takes part by now."""

    def restore(self, scene: Scene) -> None:
        """Start again what a fault has ended and no command of ours starts."""

    def settle(self, scene: Scene) -> list[str]:
        """Wait for what must end with the study; says what does not."""

    def close(self) -> None:
        """End what it has started for all studies."""


class Local:
    """Two workers of this machine."""

    name = "local"

    def __init__(self) -> None:
        self.points: Points = {
            "coordinator": lambda scene: [c.pid for c in _running(scene, "run")],
            "worker": lambda scene: _each(scene, "run", workers_of),
            "fork server": lambda scene: _each(scene, "run", servers_of),
        }

    def missing(self) -> str:
        """It can be had everywhere."""
        return ""

    def begin(self, scene: Scene, *more: str) -> Process:
        """Give the study's command."""
        return scene.run("--workers.count", "2", *more)

    def ready(self, scene: Scene) -> bool:
        """It always is."""
        return True

    def settle(self, scene: Scene) -> list[str]:
        """Nothing outlives the coordinator."""
        return []

    def restore(self, scene: Scene) -> None:
        """Nothing is to be started."""

    def close(self) -> None:
        """Nothing is kept."""


class Agents:
    """One worker of the coordinator's, and one of an agent that sees the folder."""

    name = "agents"

    def __init__(self) -> None:
        self.points: Points = {
            "coordinator": lambda scene: [c.pid for c in _running(scene, "run")],
            "worker": lambda scene: _each(scene, "run", workers_of),
            "agent": lambda scene: [agent.pid for agent in _running(scene, "work")],
            "agent's worker": lambda scene: _each(scene, "work", workers_of),
            "agent's fork server": lambda scene: _each(scene, "work", servers_of),
            "mailbox": lambda scene: [],
        }

    def missing(self) -> str:
        """It can be had everywhere."""
        return ""

    def begin(self, scene: Scene, *more: str) -> Process:
        """Give the study's command, and start an agent unless one waits."""
        coordinator = scene.run("--workers.count", "1", *more)
        if not _running(scene, "work"):
            end = time.monotonic() + PATIENCE
            while not (scene.folder / "lock").is_file() and coordinator.code is None:
                if time.monotonic() > end:
                    break
                time.sleep(0.01)
            if coordinator.code is None:
                scene.open("work", str(scene.folder), "--count", "1", "--patience", "2")
        return coordinator

    def ready(self, scene: Scene) -> bool:
        """Whether the agent has begun a job."""
        files = scene.folder.glob("agents/*/to_coordinator.jsonl")
        return any(b'"started"' in file.read_bytes() for file in files if file.exists())

    def settle(self, scene: Scene) -> list[str]:
        """The agent ends by itself."""
        found = []
        for agent in _running(scene, "work"):
            if agent.wait(_TO_LEAVE) is None:
                found.append(f"the agent stays: {agent.text.strip()[-200:]}")
                agent.struck = True
                agent.kill()
                agent.wait(5)
        if (scene.folder / "agents").exists():
            left = sorted(str(p.relative_to(scene.folder)) for p in scene.folder.glob("agents/*"))
            found.append(f"left of agents: {left}")
        return found

    def restore(self, scene: Scene) -> None:
        """Nothing is to be started."""

    def close(self) -> None:
        """Nothing is kept."""


def places() -> dict[str, Place]:
    """All, by their names."""
    slurm = Cluster()
    known: list[Place] = [Local(), Agents(), Ray(), OwnRay(), Jobs(slurm), Allocation(slurm)]
    return {place.name: place for place in known}


def _running(scene: Scene, command: str) -> list[Process]:
    return [p for p in scene.processes if p.command == command and p.code is None]


def _each(scene: Scene, command: str, of: Callable[[int], list[int]]) -> list[int]:
    return [pid for process in _running(scene, command) for pid in of(process.pid)]


def resume(scene: Scene) -> None:
    """Let all go on that was stopped: what is stopped cannot end."""
    for process in scene.processes:
        for pid in session_of(process.pid):
            try:
                os.kill(pid, 18)
            except ProcessLookupError:
                continue
