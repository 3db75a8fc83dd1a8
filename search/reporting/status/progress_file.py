"""Keeps ``progress.json``: what a study's coordinator knows of its runs, for whoever looks on."""

from collections.abc import Callable, Mapping
from typing import Any

from search.execution.view import View
from search.records.runs import RunResult, RunSpec
from search.reporting.status.progress_writer import ProgressWriter


class ProgressFile:
    """A view that keeps the file, and tells another view and the mirror of everything.

    Args:
        view: the other view.
        writer: of the file.
        mirror: is told the key of each run that has ended.
    """

    def __init__(self, view: View, writer: ProgressWriter, mirror: Callable[[str], None]) -> None:
        self._view, self._writer, self._mirror = view, writer, mirror

    def expect(
        self, total: int, by_folder: Mapping[str, int] | None = None, about: bool = False
    ) -> None:
        """Change how many runs there are to be, in all and by kind, or about how many."""
        self._view.expect(total, by_folder, about)
        self._writer.expect(total, by_folder or {}, about)

    def started(self, spec: RunSpec, worker: str) -> None:
        """A worker has begun a run."""
        self._view.started(spec, worker)
        self._writer.begin(spec.key, worker)

    def epoch(self, spec: RunSpec, worker: str, data: Mapping[str, Any]) -> None:
        """A run has ended an epoch."""
        self._view.epoch(spec, worker, data)
        self._writer.epoch(spec.key, worker, data)

    def waits(self, spec: RunSpec) -> None:
        """A run waits for a worker again."""
        self._view.waits(spec)
        self._writer.forget(spec.key)

    def finished(self, spec: RunSpec, result: RunResult, worker: str) -> None:
        """A run has ended; its result tells so by itself."""
        self._view.finished(spec, result, worker)
        self._writer.forget(spec.key)
        self._mirror(spec.key)

    def note(self, text: str) -> None:
        """Something that a person should know."""
        self._view.note(text)

    def tick(self) -> None:
        """Machines may have joined or left, and what waits may wait for something else."""
        self._view.tick()
        self._writer.look()
