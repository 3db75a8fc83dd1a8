"""What timed pilots say on their way, and when each of their epochs ended."""

import time
from collections.abc import Mapping
from typing import Any

from hybrid_swin.system.console import Console
from search.execution.view import Silent
from search.records.runs import RunSpec
from search.statistics.formatting import counted

_PAUSE = 5.0  # seconds between two lines, elsewhere than on a terminal


class PilotWatch(Silent):
    """Notes the time of each epoch, and says how many pilots and epochs are done.

    On a terminal one line changes; elsewhere there is a line each few seconds.

    Args:
        total: pilots to come.
        epochs: of all of them.
        slots: how many are trained at once.
    """

    def __init__(self, console: Console, total: int, epochs: int, slots: int) -> None:
        self._console, self._total, self._epochs, self._slots = console, total, epochs, slots
        self._done, self._ends = 0, dict[str, list[float]]()
        self._last_line = time.monotonic()
        self._status = console.status(self._progress())

    def __enter__(self) -> "PilotWatch":
        pilots = counted(self._total, "short pilot training")
        workers = counted(self._slots, "worker")
        self._console.print(f"timing {pilots} on {workers} ...", style="dim", highlight=False)
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def epoch(self, spec: RunSpec, worker: str, data: Mapping[str, Any]) -> None:
        """Note the time."""
        self._ends.setdefault(spec.key, []).append(time.monotonic())
        self._say()

    def finished(self, *_: Any) -> None:
        """Count it."""
        self._done += 1
        self._say()

    def mean(self, key: str) -> float:
        """Seconds of an epoch after the first, in which much is made for the first time."""
        ends = self._ends.get(key, [])
        return (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else 0.0

    def _progress(self) -> str:
        epochs = sum(map(len, self._ends.values()))
        return f"pilots: {self._done} of {self._total} done, epoch {epochs} of {self._epochs}"

    def _say(self) -> None:
        self._status.update(self._progress())
        if self._console.is_terminal or time.monotonic() - self._last_line < _PAUSE:
            return
        self._last_line = time.monotonic()
        self._console.print(self._progress(), style="dim", highlight=False)
