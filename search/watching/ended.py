"""What a study's folder holds: runs that have ended, read once each; runs that wait; failures.

Made to be asked again and again of a folder with ten thousand runs in which others write.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.files import read_json
from hybrid_swin.plain_text import LONGEST_ERROR, one_line
from search.dispatcher import FAILURE_FILE
from search.records.runs import PLACES, RESULT_FILE, RUN_FILE


@dataclass(frozen=True)
class Ended:
    """A run that has ended, as far as watching needs it.

    ``when`` is the time of its file, in seconds since 1970.
    """

    key: str
    state: str
    score: float | None
    epochs: int
    seconds: float
    when: float


@dataclass(frozen=True)
class Failure:
    """An attempt that failed."""

    key: str
    attempt: int
    error: str


@dataclass
class Runs:
    """The runs of one folder; ``refresh`` reads what is new."""

    folder: Path
    ended: dict[str, Ended] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    _failures: dict[str, list[Failure]] = field(default_factory=dict)

    @property
    def failures(self) -> list[Failure]:
        """Of all attempts so far."""
        return [failure for key in self._failures for failure in self._failures[key]]

    def refresh(self) -> None:
        """Look again. A result never changes, so one that is known is not read again."""
        self.waiting, self.unreadable = [], []
        root = str(self.folder)  # ten thousand paths as texts are read in half the time
        for key in _run_folders(self.folder):
            if key in self.ended:
                continue
            place = f"{root}/{key}"
            try:
                run, attempt = _read_ended(f"{place}/{RESULT_FILE}", key)
            except FileNotFoundError:
                if os.path.exists(f"{place}/{RUN_FILE}"):  # else it was never asked
                    self.waiting.append(key)
                    self._failures[key] = _failures(place, key)
                continue
            except (
                OSError,
                ValueError,
                TypeError,
                KeyError,
                AttributeError,
                OverflowError,
                RecursionError,
            ):
                self.unreadable.append(key)
                continue
            self.ended[key] = run
            if attempt > 1 or run.state == "failed":
                self._failures[key] = _failures(place, key)

    def label(self, key: str) -> str:
        """A run's label; empty where it cannot be read."""
        return str(read_tolerantly(self.folder / key / RUN_FILE).get("label", ""))


def read_tolerantly(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none that can be read."""
    try:
        return read_json(path)
    except InputError:
        return {}


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


def _read_ended(file: str, key: str) -> tuple[Ended, int]:
    """A result, and of which attempt it is."""
    with open(file, "rb", buffering=0) as opened:
        result = json.loads(_without_metrics(opened.read()))
        when = os.fstat(opened.fileno()).st_mtime
    score, seconds = result["score"], result["seconds"].get("total", 0.0)
    ended = Ended(
        key,
        str(result["state"]),
        None if score is None else float(score),
        int(result["epochs"]),
        float(seconds),
        when,
    )
    return ended, int(result["attempt"])


def _without_metrics(content: bytes) -> bytes:
    """Cut metrics by epoch and at the end out of a result as this program writes it.

    They are most of it, and reading them would take most of the time. Any other JSON stays as it
    is.
    """
    begin, end = content.find(b'\n "history": [\n'), content.rfind(b'\n "seconds": {\n')
    return content[:begin] + content[end:] if 0 <= begin < end else content


def _failures(place: str, key: str) -> list[Failure]:
    """Of a run's attempts, in order."""
    found = []
    for name in _folders(place):
        word, _, number = name.partition("-")
        told = read_tolerantly(Path(place, name, FAILURE_FILE)) if word == "attempt" else {}
        if told and number.isdecimal() and len(number) < 10:
            error = one_line(str(told.get("error", "")), LONGEST_ERROR)
            found.append(Failure(key, int(number), error))
    return sorted(found, key=lambda failure: failure.attempt)
