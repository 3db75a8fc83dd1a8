"""Only agents: machines that join by themselves (`work`); this one trains nothing."""

import shlex
import time
from dataclasses import dataclass

from hybrid_swin.system.program import door
from search.execution.agents.no_workers import NoWorkers
from search.execution.job import Event, Place

_SAY_AGAIN = 60.0  # seconds
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
        self._last_note = -_SAY_AGAIN

    @property
    def waiting(self) -> str:
        """Why jobs wait."""
        if self._place.agents.present:
            return ""
        return (
            "no machine has joined; on one that sees the folder, give "
            f"`{door()} work {shlex.quote(str(self._place.folder.absolute()))}`"
        )

    def wait_until_ready(self) -> None:
        """Wait for the first agent, however long that takes."""
        while not self._place.agents.slots:
            self._note()
            self._place.agents.events(_LOOK_AGAIN)

    def events(self, timeout: float) -> list[Event]:
        """None, ever."""
        if self._place.agents.backlog:
            self._note()
        time.sleep(timeout)
        return []

    def _note(self) -> None:
        if self.waiting and time.monotonic() - self._last_note >= _SAY_AGAIN:
            self._last_note = time.monotonic()
            self._place.say(self.waiting)

    def close(self, whole: bool = False) -> None:
        """There is nothing to end."""
