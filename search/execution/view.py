"""What watches runs on their way from request to result."""

from collections.abc import Mapping
from typing import Any, Protocol

from search.records.runs import RunResult, RunSpec


class View(Protocol):
    """What watches a study: the terminal, and the file for other shells."""

    def started(self, spec: RunSpec, worker: str) -> None: ...  # noqa: D102
    def epoch(self, spec: RunSpec, worker: str, data: Mapping[str, Any]) -> None: ...  # noqa: D102
    def waits(self, spec: RunSpec) -> None: ...  # noqa: D102  # again, after an attempt that is over
    def finished(self, spec: RunSpec, result: RunResult, worker: str) -> None: ...  # noqa: D102
    def note(self, text: str) -> None: ...  # noqa: D102
    def expect(  # noqa: D102
        self, total: int, by_folder: Mapping[str, int] | None = None, about: bool = False
    ) -> None: ...
    def tick(self) -> None: ...  # noqa: D102  # about once a second, also where nothing happens


class Silent:
    """Watches without a word."""

    def started(self, *given: Any, **named: Any) -> None:
        """Say nothing."""

    epoch = waits = finished = note = expect = tick = started
