"""Keeps ``progress.json``: what a study's coordinator knows of its runs, for whoever looks on."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import write_json_atomically
from search.execution.job import Executor, node_of
from search.execution.view import View
from search.records.progress import PROGRESS_FILE
from search.records.runs import SCHEMA_VERSION, RunResult, RunSpec

_LEAST_SECONDS = 1.0  # between two writings for the sake of an epoch, or two looks at machines


class ProgressFile:
    """A view that keeps the file, and tells another view and the mirror of everything.

    Args:
        executor: is asked for its machines, and why jobs wait.
        mirror: is told the key of each run that has ended.
    """

    def __init__(
        self, view: View, folder: Path, executor: Executor, mirror: Callable[[str], None]
    ) -> None:
        self._view, self._mirror = view, mirror
        self._path = folder / PROGRESS_FILE
        self._executor = executor
        self._places: dict[str, Any] = {}
        self._expected: dict[str, Any] = {"total": None}
        self._running: dict[str, dict[str, Any]] = {}
        self._written = self._next_look = -math.inf  # by a clock that nobody sets

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
        self._begin(spec, worker)
        self._write()

    def epoch(self, spec: RunSpec, worker: str, data: Mapping[str, Any]) -> None:
        """A run has ended an epoch."""
        self._view.epoch(spec, worker, data)
        if spec.key not in self._running:
            self._begin(spec, worker)
        self._running[spec.key] |= {**data, "last_epoch": time.time()}
        if time.monotonic() - self._written >= _LEAST_SECONDS:
            self._write()

    def waits(self, spec: RunSpec) -> None:
        """A run waits for a worker again."""
        self._view.waits(spec)
        self._running.pop(spec.key, None)
        self._write()

    def finished(self, spec: RunSpec, result: RunResult, worker: str) -> None:
        """A run has ended; its result tells so by itself."""
        self._view.finished(spec, result, worker)
        self._running.pop(spec.key, None)
        self._mirror(spec.key)

    def note(self, text: str) -> None:
        """Something that a person should know."""
        self._view.note(text)

    def tick(self) -> None:
        """Machines may have joined or left, and what waits may wait for something else."""
        self._view.tick()
        now = time.monotonic()
        if now >= max(self._next_look, self._written + _LEAST_SECONDS):
            self._next_look = now + _LEAST_SECONDS
            if self._look() != self._places:
                self._write()

    def _begin(self, spec: RunSpec, worker: str) -> None:
        node = node_of(worker, self._executor.nodes)
        self._running[spec.key] = {"worker": worker, "node": node, "since": time.time()}

    def _look(self) -> dict[str, Any]:
        return {
            "slots": self._executor.slots,
            "nodes": [asdict(node) for node in self._executor.nodes],
            "waiting": self._executor.waiting,
        }

    def _write(self) -> None:
        self._written, self._places = time.monotonic(), self._look()
        content = {"schema_version": SCHEMA_VERSION, **self._expected, **self._places}
        with suppress(InputError, OSError):  # a full disk is told by what matters
            write_json_atomically(self._path, {**content, "running": self._running})
