"""The cluster's nodes as the driver knows them: what Ray says, what was found, our workers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple


class Seen(NamedTuple):
    """A node that is up, as Ray describes it.

    Attributes:
        total, free: its resources by name, and what of them nobody has reserved.
    """

    id: str
    host: str
    total: Mapping[str, float]
    free: Mapping[str, float]


@dataclass(eq=False)
class Worker:
    """One of ours, which is an actor of Ray. It can take work once it is ready."""

    name: str
    node: "RayNode"
    actor: Any
    state: Literal["opening", "checked", "ready", "busy", "gone"] = "opening"
    job: dict[str, Any] | None = None
    waits: Any = None  # the call that ends with the actor: Ray tells nobody who forgets it


@dataclass(eq=False)
class RayNode:
    """A node of the cluster.

    Attributes:
        fit: whether a worker was once ready to start there.
        unfit: why it cannot be used; empty if it can.
        stillborn: deaths in a row of workers that were not ready yet.
        has_joined: whether it was said that it works.
    """

    id: str
    name: str
    total: Mapping[str, float] = field(default_factory=dict)
    free: Mapping[str, float] = field(default_factory=dict)
    up: bool = True
    fit: bool = False
    unfit: str = ""
    stillborn: int = 0
    has_joined: bool = False
    workers: list[Worker] = field(default_factory=list)

    def new_name(self) -> str:
        """For a worker: the lowest number that none has."""
        taken, number = {worker.name for worker in self.workers}, 0
        while (name := f"{self.name}-{number}") in taken:
            number += 1
        return name


class Nodes:
    """All nodes that there have been, so that none is taken for another."""

    def __init__(self) -> None:
        self._all: dict[str, RayNode] = {}  # by their ids

    @property
    def up(self) -> list[RayNode]:
        """Those that are up, in the order of their names."""
        return sorted((node for node in self._all.values() if node.up), key=lambda node: node.name)

    @property
    def any_fit(self) -> bool:
        """Whether any was ever fit."""
        return any(node.fit for node in self._all.values())

    @property
    def workers(self) -> list[Worker]:
        """All of ours."""
        return [worker for node in self._all.values() for worker in node.workers]

    def __bool__(self) -> bool:
        return bool(self._all)

    def update(self, seen: Iterable[Seen]) -> list[RayNode]:
        """Take in what Ray says; gives those that have left and had workers."""
        before = [node for node in self._all.values() if node.workers]
        for node in self._all.values():
            node.up = False
        for id_, host, total, free in seen:
            node = self._all.get(id_) or RayNode(id_, self._new_name(host))
            node.total, node.free, node.up = total, free, True
            self._all[id_] = node
        return [node for node in before if not node.up]

    def _new_name(self, host: str) -> str:
        """The host's name, with a number for a second node on it."""
        taken, name, number = {node.name for node in self._all.values()}, host, 1
        while name in taken:
            number += 1
            name = f"{host}-{number}"
        return name
