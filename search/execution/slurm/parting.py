"""Agents whose job or step is known to have ended."""

import time
from typing import Literal

from search.execution.agents.agents import Agents
from search.execution.job import Event

_TO_PART = 5.0  # seconds in which an agent may still say that it has left in order


class Parting:
    """Takes agents for gone that Slurm has ended, and that did not say so themselves."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self._leaving: dict[str, tuple[float, Literal["lost", "returned"], str]] = {}

    def add(self, name: str, kind: Literal["lost", "returned"], why: str) -> None:
        """An agent's end is known; ``kind``: what it is for its jobs."""
        self._leaving.setdefault(name, (time.monotonic(), kind, why))

    def events(self) -> list[Event]:
        """What it means for their jobs."""
        events: list[Event] = []
        for name, (since, kind, why) in [*self._leaving.items()]:
            if name in self._agents.names and time.monotonic() - since < _TO_PART:
                continue
            del self._leaving[name]
            events += self._agents.part(name, kind, why)
        return events
