"""Where faults strike Ray: a cluster of two nodes on this machine, or one of the study's own."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from benchmarks.chaos_doors import MARK, Process, called, children_of, lives, marked, of_tests
from benchmarks.chaos_study import Points, Scene

_NODES = 2
_TO_LEAVE = 30.0  # seconds in which workers of a study that is over must end
# Ray has its workers wait for all others of this machine, which is no cluster's.
_SYSTEM = {"worker_niceness": 0}
_DRIVER = "search.execution.ray_cluster.driver"


class Ray:
    """A cluster that a user has started, of two nodes with one worker each; and a token.

    It outlives studies, as a user's does; what a fault has ended of it is started again.
    """

    name = "ray"

    def __init__(self) -> None:
        self._cluster: Any = None
        self._raylets: list[int] = []
        self.points: Points = {
            "coordinator": _coordinators,
            "driver": lambda scene: called(marked(scene.root), _DRIVER),
            "worker": lambda scene: _workers(self._processes()),
            "fork server": lambda scene: _servers(self._processes()),
            "actor": lambda scene: called(self._processes(), "ray::Slot"),
            "raylet": lambda scene: [pid for pid in self._raylets if lives(pid)],
            "head": lambda scene: [self._cluster.head["gcs"]],
        }

    def missing(self) -> str:
        """Whether Ray is installed."""
        return str(of_tests("ray_cluster").why_not() or "")

    def begin(self, scene: Scene, *more: str) -> Process:
        """Give the study's command, with the address of the cluster."""
        self._repair()
        scene.environment |= self._cluster.environment
        asked = ("--executor.name", "ray", "--executor.address", self._cluster.address)
        return scene.run(*asked, "--workers.count", str(_NODES), *more)

    def ready(self, scene: Scene) -> bool:
        """Whether both nodes have workers."""
        return len(self.points["actor"](scene)) == _NODES

    def restore(self, scene: Scene) -> None:
        """A node joins for one that was killed; without its head, the next start has another."""
        if lives(self._cluster.head["gcs"]):
            self._repair()

    def settle(self, scene: Scene) -> list[str]:
        """Nothing of the study stays in the cluster."""
        end = time.monotonic() + _TO_LEAVE
        while (left := self._of_studies()) and time.monotonic() < end:
            time.sleep(0.1)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return [f"processes of the study were left in the cluster: {left}"] if left else []

    def close(self) -> None:
        """End the cluster."""
        if self._cluster is not None:
            for pid in self._processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._cluster.close()
            self._cluster = None

    def _repair(self) -> None:
        """Start the cluster, or what of it is not there."""
        if self._cluster is not None and not lives(self._cluster.head["gcs"]):
            self.close()
        if self._cluster is None:
            self._cluster, self._raylets = of_tests("ray_cluster").RayCluster(_SYSTEM), []
            self._cluster.start(**{MARK: self._cluster.folder})
        self._raylets = [pid for pid in self._raylets if lives(pid)]
        while len(self._raylets) < _NODES:
            self._raylets.append(self._cluster.add(num_cpus=1)["raylet"])

    def _processes(self) -> list[int]:
        return marked(self._cluster.folder)

    def _of_studies(self) -> list[int]:
        here = self._processes()
        return [*called(here, "ray::Slot"), *_servers(here), *_workers(here)]


class OwnRay:
    """Two workers of a Ray cluster that the study starts for itself."""

    name = "ray-own"

    def __init__(self) -> None:
        self.points: Points = {
            "coordinator": _coordinators,
            "driver": lambda scene: called(marked(scene.root), _DRIVER),
            "worker": lambda scene: _workers(marked(scene.root)),
            "fork server": lambda scene: _servers(marked(scene.root)),
            "actor": lambda scene: called(marked(scene.root), "ray::Slot"),
            "raylet": lambda scene: called(marked(scene.root), "raylet/raylet"),
            "head": lambda scene: called(marked(scene.root), "gcs/gcs_server"),
        }

    def missing(self) -> str:
        """Whether Ray is installed."""
        return str(of_tests("ray_cluster").why_not() or "")

    def begin(self, scene: Scene, *more: str) -> Process:
        """Give the study's command."""
        scene.environment |= {f"RAY_{name}": str(value) for name, value in _SYSTEM.items()}
        return scene.run("--executor.name", "ray", "--workers.count", str(_NODES), *more)

    def ready(self, scene: Scene) -> bool:
        """A study waits for it by itself."""
        return True

    def restore(self, scene: Scene) -> None:
        """The next start has a cluster of its own."""

    def settle(self, scene: Scene) -> list[str]:
        """Nothing outlives the coordinator."""
        return []

    def close(self) -> None:
        """Nothing is kept."""


def _coordinators(scene: Scene) -> list[int]:
    return [one.pid for one in scene.processes if one.command == "run" and one.code is None]


def _servers(pids: Iterable[int]) -> list[int]:
    """The workers' servers of actors; what they fork is called as they are."""
    found = called(pids, "search.execution.fork_server")
    forked = {child for pid in found for child in children_of(pid)}
    return [pid for pid in found if pid not in forked]


def _workers(pids: Iterable[int]) -> list[int]:
    forked = [worker for server in _servers(pids) for worker in children_of(server)]
    return forked + called(pids, "search.execution.worker")
