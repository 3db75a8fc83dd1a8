"""Keeps ``progress.json``: what a study's coordinator knows of its runs, for whoever looks on."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import write_json_atomically
from search.execution.dispatcher import View
from search.records.progress import PROGRESS_FILE
from search.records.runs import SCHEMA_VERSION, RunResult, RunSpec

_LEAST_SECONDS = 1.0  # between two writings for the sake of an epoch


class ProgressFile:
    """A view that keeps the file, and tells another view and the mirror of everything.

    Args:
        mirror: is told the key of each run that has ended.
    """

    def __init__(self, view: View, folder: Path, slots: int, mirror: Callable[[str], None]) -> None:
        self._view, self._mirror = view, mirror
        self._path = folder / PROGRESS_FILE
        self._slots = slots
        self._expected: dict[str, Any] = {"total": None}
        self._running: dict[str, dict[str, Any]] = {}
        self._written = 0.0

    def expect(
        self, total: int, by_folder: Mapping[str, int] | None = None, about: bool = False
    ) -> None:
        """Change how many runs there are to be, in all and by kind, or about how many."""
        self._view.expect(total, by_folder, about)
        self._expected = {"total": total, "about": about, "by_folder": dict(by_folder or {})}
        self._write()

    def started(self, spec: RunSpec, worker: str) -> None:
        """A worker has begun a run."""
        self._view.started(spec, worker)
        self._running[spec.key] = {"worker": worker, "since": time.time()}
        self._write()

    def epoch(self, spec: RunSpec, worker: str, data: Mapping[str, Any]) -> None:
        """A run has ended an epoch."""
        self._view.epoch(spec, worker, data)
        self._running.setdefault(spec.key, {"worker": worker, "since": time.time()}).update(data)
        if time.time() - self._written >= _LEAST_SECONDS:
            self._write()

    def finished(self, spec: RunSpec, result: RunResult, worker: str) -> None:
        """A run has ended; its result tells so by itself."""
        self._view.finished(spec, result, worker)
        self._running.pop(spec.key, None)
        self._mirror(spec.key)

    def note(self, text: str) -> None:
        """Something that a person should know."""
        self._view.note(text)

    def _write(self) -> None:
        self._written = time.time()
        content = {"schema_version": SCHEMA_VERSION, **self._expected, "slots": self._slots}
        with suppress(InputError, OSError):  # a full disk is told by what matters
            write_json_atomically(self._path, {**content, "running": self._running})
