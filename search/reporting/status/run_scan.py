"""What a study's folder holds: runs that have ended, read once each; runs that wait; failures.

Made to be asked again and again of a folder with ten thousand runs in which others write.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import LONGEST_ERROR, one_line
from hybrid_swin.system.files import MissingFileError
from search.execution.run_folder import attempts_in, number_of
from search.records.ended import RunSummary, read_ended
from search.records.runs import PLACES, RESULT_FILE, RUN_FILE, read_failure, read_spec

_LONGEST_REASON = 80  # characters


@dataclass(frozen=True)
class Failure:
    """An attempt that failed; ``node`` and ``worker`` are empty if unknown."""

    key: str
    attempt: int
    error: str
    node: str = ""
    worker: str = ""
    hung: bool = False

    @property
    def reason(self) -> str:
        """The error without what differs from attempt to attempt, to be counted."""
        text = self.error.removeprefix("the worker ").removeprefix("was ")
        text = text.partition(":")[0] if self.hung and text.startswith("it hung:") else text
        if self.node:  # a machine's name, or an agent's
            text = text.replace(f" {self.node}", "").replace(self.node, "its machine")
        return one_line(text, _LONGEST_REASON)


@dataclass
class Runs:
    """The runs of one folder; ``refresh`` reads what is new."""

    folder: Path
    summaries: dict[str, RunSummary] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    _failures: dict[str, list[Failure]] = field(default_factory=dict)
    _records: dict[tuple[str, int], Failure] = field(default_factory=dict)  # by run and attempt
    _labels: dict[str, str] = field(default_factory=dict)

    @property
    def failures(self) -> list[Failure]:
        """Of all attempts so far."""
        return [failure for key in self._failures for failure in self._failures[key]]

    def refresh(self) -> None:
        """Look again. A result never changes, so one that is known is not read again."""
        self.waiting, self.unreadable = [], []
        root = str(self.folder)  # ten thousand paths as texts are read in half the time
        for key in _run_folders(self.folder):
            if key in self.summaries:
                continue
            place = f"{root}/{key}"
            try:
                run = read_ended(Path(place, RESULT_FILE), key)
            except MissingFileError:
                if os.path.exists(f"{place}/{RUN_FILE}"):  # else it was never asked
                    self.waiting.append(key)
                    self._failures[key] = self._failures_of(place, key)
                continue
            except InputError:
                self.unreadable.append(key)
                continue
            self.summaries[key] = run
            if run.attempt > 1 or run.state in ("infeasible", "failed"):
                self._failures[key] = self._failures_of(place, key)

    def label(self, key: str) -> str:
        """A run's label; empty where it cannot be read."""
        if key not in self._labels:
            with suppress(InputError):
                self._labels[key] = read_spec(self.folder, key).label
        return self._labels.get(key, "")

    def _failures_of(self, place: str, key: str) -> list[Failure]:
        """Of a run's attempts, in order; one that cannot be read is left out."""
        attempts = {(key, number_of(attempt)): attempt for attempt in attempts_in(Path(place))}
        for known, attempt in attempts.items():
            if known not in self._records:  # which never change
                with suppress(InputError):
                    self._records[known] = _read(attempt, *known)
        return [self._records[known] for known in attempts if known in self._records]


def _run_folders(folder: Path) -> Iterator[str]:
    """Keys of all run folders, in no order."""
    for place in PLACES:
        kind, *deeper = place.split("/")
        keys = [kind]
        for _ in deeper:
            keys = [f"{key}/{name}" for key in keys for name in _folders(folder / key)]
        yield from keys


def _folders(place: Path | str) -> list[str]:
    try:
        with os.scandir(place) as entries:
            return [entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []


def _read(attempt: Path, key: str, number: int) -> Failure:
    record = read_failure(attempt)
    error = one_line(record.error, LONGEST_ERROR)
    return Failure(key, number, error, record.node, record.worker, record.hung)
