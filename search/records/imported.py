"""``imported.json``: known good candidates with which a study began, and the runs it took over.

The file holds all that the study needs of its source, so that the source may change or go.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hybrid_swin.system.files import (
    DamagedFileError,
    MissingFileError,
    json_ready,
    read_bytes,
    read_json,
    write_json_atomically,
)
from search.records.runs import (
    RESULT_FILE,
    RUN_FILE,
    SCHEMA_VERSION,
    RunResult,
    collect,
    parsed_as,
    read_record,
)
from search.records.study_file import read_fixed

IMPORTED_FILE = "imported.json"


@dataclass(frozen=True)
class ImportedCandidate:
    """A candidate that a study tries first.

    Args:
        label: in block words.
        params: its parameters in this study's space.
        origin: where it came from, such as ``runs/a/trials/0005``.
        score: by validation there; None if unknown.
        seeds: trainings behind that score; 0 if unknown.
        why_trained: why its run is not taken over but trained here; empty if it is taken over.
        run: the source's ``run.json``; None if it has no finished run there.
        result: that run's ``result.json``.
        answers: its answers on validation images, the file in base64; empty if it kept none.
    """

    label: str
    params: dict[str, Any]
    origin: str
    score: float | None = None
    seeds: int = 0
    why_trained: str = ""
    run: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    answers: str = ""

    @property
    def taken_over(self) -> bool:
        """Whether its finished run is taken over."""
        return self.result is not None and not self.why_trained

    def result_at(self, key: str) -> tuple[RunResult, bytes] | None:
        """The result of the run that is taken over, as this study's run; and its answers.

        It took nothing here: its time and its passes over the images are those of the source, and
        are kept apart. None if the candidate is trained here.
        """
        if self.result is None or self.why_trained:
            return None
        there = RunResult.from_dict(self.result)
        taken_over = there.taken_over or {
            "from": self.origin,
            "attempt": there.attempt,
            "seconds": there.seconds,
            "passes": there.passes,
        }  # where it was trained, over however many studies
        kept = there.answers and bool(self.answers)
        here = replace(there, key=key, seconds={}, passes=0.0, taken_over=taken_over, answers=kept)
        return here, base64.b64decode(self.answers)


@dataclass(frozen=True)
class LeftOut:
    """A candidate of the source that this study does not try, and why."""

    label: str
    origin: str
    why: str


@dataclass(frozen=True)
class Imported:
    """What a study began with.

    Args:
        source: as the user named it.
        path: where that was; empty for candidates that a Python program gave.
        monitor: by which validation metric the source chose; empty if unknown.
        mode: whether more or less of it is better.
        tried: candidates among which the source chose; 0 if unknown.
        candidates: in the order in which they are tried.
        left_out: of the source's other candidates.
    """

    source: str
    path: str = ""
    monitor: str = ""
    mode: str = ""
    tried: int = 0
    candidates: tuple[ImportedCandidate, ...] = ()
    left_out: tuple[LeftOut, ...] = field(default=())

    @property
    def taken_over(self) -> list[ImportedCandidate]:
        """The candidates whose finished runs are taken over."""
        return [candidate for candidate in self.candidates if candidate.taken_over]

    @cached_property
    def hash(self) -> str:
        """Ten hex digits of all that the study's results depend on."""
        plain = [{"params": c.params, "result": c.result} for c in self.candidates]
        text = json.dumps(json_ready(plain), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:10]


def read_imported(folder: Path, damaged: list[DamagedFileError] | None = None) -> Imported | None:
    """What the study in a folder began with; None if it imported nothing.

    A file that the study is not tied to is of a start that ended before its first training, and
    says nothing. ``damaged`` collects a file that is missing, damaged or another one than the study
    began with.

    Raises:
        DamagedFileError: such a file, if ``damaged`` is not given.
        InputError: it is of a later program, or the system refuses to read it.
    """
    tied = read_fixed(folder).imported
    if not tied:
        return None
    path = folder / IMPORTED_FILE
    try:
        imported = read_imported_file(path)
        if imported.hash == tied:
            return imported
        reason = "it is not the one that the study began with"
    except MissingFileError:
        reason = "it is missing"
    except DamagedFileError as error:
        reason = error.reason
    collect(DamagedFileError(path, f"{reason}; {_AGAIN}"), damaged)
    return None


def read_imported_file(path: Path) -> Imported:
    """What such a file says, of whatever study. Raises as `read_record`."""
    return read_record(path, parsed_as(Imported, tried=0))


def read_training(folder: Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    """A finished run as its files say: run, result, and its answers on validation in base64.

    Raises InputError if one cannot be read; runs of older studies have no answers.
    """
    from search.records.validation import VALIDATION_FILE  # numpy, which `status` does without

    run, result = read_json(folder / RUN_FILE), read_json(folder / RESULT_FILE)
    try:
        answers = base64.b64encode(read_bytes(folder / VALIDATION_FILE)).decode()
    except MissingFileError:
        answers = ""
    return run, result, answers


def write_imported(folder: Path, imported: Imported) -> None:
    """Write the file. Raises FileError if the system refuses."""
    content = {"schema_version": SCHEMA_VERSION, **asdict(imported)}
    write_json_atomically(folder / IMPORTED_FILE, content)


def about_imported(imported: Imported | None) -> dict[str, Any]:
    """What a receipt says of it; empty if the study imported nothing."""
    if imported is None:
        return {}
    taken = [c.result for c in imported.taken_over if c.result is not None]
    return {
        "source": imported.source,
        "path": imported.path,
        "hash": imported.hash,
        "candidates": len(imported.candidates),
        "taken_over": [candidate.origin for candidate in imported.taken_over],
        "seconds_not_counted": sum(_seconds(result) for result in taken),
    }


def _seconds(result: Mapping[str, Any]) -> float:
    trained = result.get("taken_over") or result
    seconds = trained.get("seconds") if isinstance(trained, Mapping) else None
    total = seconds.get("total") if isinstance(seconds, Mapping) else None
    return float(total) if isinstance(total, int | float) else 0.0


_AGAIN = "put it back, or begin another study with --name"
