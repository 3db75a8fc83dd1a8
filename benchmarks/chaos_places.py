"""Where a study's trainings run while faults strike: how it is begun, and what can be killed."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from benchmarks.chaos_doors import (
    Process,
    command_of,
    marked,
    of_tests,
    servers_of,
    session_of,
    workers_of,
)
from benchmarks.chaos_ray import OwnRay, Ray
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


class Slurm:
    """Two jobs of a Slurm that is started here."""

    name = "slurm"

    def __init__(self) -> None:
        self._cluster: Any = None
        self.points: Points = {
            "coordinator": lambda scene: [c.pid for c in _running(scene, "run")],
            "job's agent": lambda scene: [p for p in marked(scene.root) if "work" in command_of(p)],
            "step": lambda scene: self._steps(),
            "node": lambda scene: self._daemon("n1"),
            "controller": lambda scene: self._daemon("slurmctld"),
        }

    def missing(self) -> str:
        """Whether Slurm's programs are here, and may run."""
        return str(of_tests("slurm_cluster").why_not() or "")

    def begin(self, scene: Scene, *more: str) -> Process:
        """Give the study's command; Slurm is started once for all faults."""
        if self._cluster is None:
            folder = tempfile.mkdtemp(prefix="chaos-slurm-")
            self._cluster = of_tests("slurm_cluster").SlurmCluster(folder)
            self._cluster.start()
        scene.environment |= self._cluster.environment
        asked = ("--executor.max_jobs", "2", "--executor.poll_seconds", "1")
        return scene.run("--executor.name", "slurm", *asked, "--workers.count", "1", *more)

    def ready(self, scene: Scene) -> bool:
        """A study waits for it by itself."""
        return True

    def restore(self, scene: Scene) -> None:
        """Start daemons that were killed."""
        time.sleep(3)
        for name, daemon in list(self._cluster._daemons.items()):
            if daemon.poll() is not None:
                begin = self._cluster.start_node
                self._cluster.start_controller() if name == "slurmctld" else begin(name)

    def settle(self, scene: Scene) -> list[str]:
        """No job stays."""
        end = time.monotonic() + _TO_LEAVE
        while (jobs := self._cluster.command("squeue", "-h")) and time.monotonic() < end:
            time.sleep(0.5)
        if jobs:
            self._cluster.command("scancel", "--user", "root")
        return [f"jobs were left: {jobs}"] if jobs else []

    def close(self) -> None:
        """Stop it."""
        if self._cluster is not None:
            self._cluster.stop()
            shutil.rmtree(self._cluster.folder, ignore_errors=True)

    def _steps(self) -> list[int]:
        """Daemons of steps, of this Slurm and no other's."""
        found, ours = [], f"SLURM_CONF={self._cluster.environment['SLURM_CONF']}".encode()
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (place / "comm").read_text().strip() != "slurmstepd":
                    continue
                if ours in (place / "environ").read_bytes().split(b"\0"):
                    found.append(int(place.name))
        return found

    def _daemon(self, name: str) -> list[int]:
        return [self._cluster._daemons[name].pid]


def places() -> dict[str, Place]:
    """All, by their names."""
    known: list[Place] = [Local(), Agents(), Ray(), OwnRay(), Slurm()]
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
