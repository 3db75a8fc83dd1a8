"""Writes ``progress.json``, from the moment at which workers are started."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import write_json_atomically
from search.execution.job import Executor, node_of
from search.records.progress import PROGRESS_FILE, read_progress
from search.records.runs import SCHEMA_VERSION

_LEAST_SECONDS = 1.0  # between two writings for the sake of runs, or two looks at machines


class ProgressWriter:
    """What the file holds; it is written at once.

    It holds all that runs, and of hundreds of workers one begins at any moment: what happens to
    runs is written at most once a second.

    How many runs there are to be is what an earlier start knew, until this one tells.

    Args:
        folder: the study's.
        executor: is asked for its machines, and why jobs wait.
        doing: what keeps the study from asking workers for anything; empty for nothing.
    """

    def __init__(self, folder: Path, executor: Executor, doing: str = "") -> None:
        self._path, self._executor, self._doing = folder / PROGRESS_FILE, executor, doing
        known = read_progress(folder, [])
        self._expected = {
            "total": known.total,
            "about": known.about,
            "by_folder": dict(known.by_folder),
        }
        self._running: dict[str, dict[str, Any]] = {}
        self._next_look = 0.0  # by a clock that nobody sets
        self._has_news = False  # of runs
        self.write()

    def expect(self, total: int, by_folder: Mapping[str, int], about: bool) -> None:
        """Change how many runs there are to be, in all and by kind, or about how many."""
        self._expected = {"total": total, "about": about, "by_folder": dict(by_folder)}
        self.write()

    def begin(self, key: str, worker: str) -> None:
        """A worker has begun a run."""
        self._begin(key, worker)
        self._write_in_time()

    def epoch(self, key: str, worker: str, data: Mapping[str, Any]) -> None:
        """A run has ended an epoch."""
        if key not in self._running:
            self._begin(key, worker)
        self._running[key] |= {**data, "last_epoch": time.time()}
        self._write_in_time()

    def forget(self, key: str) -> None:
        """A run is not at work any more."""
        self._running.pop(key, None)
        self._has_news = True

    def look(self, doing: str = "") -> None:
        """Machines may have joined or left, and what waits may wait for something else."""
        now, is_new = time.monotonic(), doing != self._doing
        self._doing = doing
        if is_new or now >= max(self._next_look, self._written + _LEAST_SECONDS):
            self._next_look = now + _LEAST_SECONDS
            if self._has_news or self._look() != self._places:
                self.write()

    def write(self) -> None:
        """Write all of it."""
        self._has_news = False
        self._written, self._places = time.monotonic(), self._look()
        content = {"schema_version": SCHEMA_VERSION, **self._expected, **self._places}
        with suppress(InputError, OSError):  # a full disk is told by what matters
            write_json_atomically(self._path, {**content, "running": self._running})

    def _begin(self, key: str, worker: str) -> None:
        node = node_of(worker, self._executor.nodes)
        self._running[key] = {"worker": worker, "node": node, "since": time.time()}

    def _write_in_time(self) -> None:
        """Write what happened to a run, or leave it to the next look if the last is too recent."""
        self._has_news = True
        if time.monotonic() - self._written >= _LEAST_SECONDS:
            self.write()

    def _look(self) -> dict[str, Any]:
        return {
            "slots": self._executor.slots,
            "nodes": [asdict(node) for node in self._executor.nodes],
            "waiting": self._doing or self._executor.waiting,
        }
