"""Only agents: machines that join by themselves (`work`); this one trains nothing."""

import math
import shlex
import time
from dataclasses import dataclass

from hybrid_swin.system.program import door
from search.execution.agents.no_workers import NoWorkers
from search.execution.job import Event, Place
from search.execution.waiting import Reminder, wait_for

_LOOK_AGAIN = 0.5  # seconds


@dataclass(frozen=True)
class Options:
    """None: each agent says how many workers it has."""


def start(options: Options, place: Place) -> "OnlyAgents":
    """No workers here."""
    return OnlyAgents(place)


class OnlyAgents(NoWorkers):
    """An executor without workers of its own, beside agents."""

    slots = 0

    def __init__(self, place: Place) -> None:
        self._place = place
        self._reminder = Reminder(place.say)

    @property
    def waiting(self) -> str:
        """Why jobs wait."""
        if self._place.agents.slots:
            return ""
        if names := sorted(self._place.agents.names):
            return f"{', '.join(names)} starts its workers"
        return (
            "no machine has joined; on one that sees the folder, give "
            f"`{door()} work {shlex.quote(str(self._place.folder.absolute()))}`"
        )

    def wait_until_ready(self, timeout: float = math.inf) -> bool:
        """Wait for the first agent."""
        agents = self._place.agents

        def look(seconds: float) -> None:
            self._note()
            agents.events(min(seconds, _LOOK_AGAIN))

        return wait_for(lambda: agents.slots > 0, look, timeout)

    def events(self, timeout: float) -> list[Event]:
        """None, ever."""
        if self._place.agents.backlog:
            self._note()
        time.sleep(timeout)
        return []

    def _note(self) -> None:
        self._reminder.tell("" if self._place.agents.present else self.waiting)

    def close(self, whole: bool = False) -> None:
        """There is nothing to end."""
