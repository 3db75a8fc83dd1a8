"""What watching needs of ``result.json``, read in a fraction of the time that all of it takes."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid_swin.system.files import DamagedFileError, FileError, MissingFileError, explained
from hybrid_swin.system.schema import FutureVersionError, SchemaError, build, check_version
from search.records.runs import SCHEMA_VERSION, State


@dataclass(frozen=True)
class RunSummary:
    """A run that has ended, as far as watching needs it.

    ``when`` is the time of its file, in seconds since 1970.
    """

    key: str
    attempt: int
    state: State
    score: float | None
    seconds: float
    when: float
    epochs: int = 0


def read_ended(file: str, key: str) -> RunSummary:
    """How a run has ended.

    Args:
        file: its ``result.json``.
        key: the run's.

    Raises:
        MissingFileError: there is no such file.
        DamagedFileError: it does not hold what it should, or is of a later program.
        FileError: the system refuses to read it.
    """
    try:
        with open(file, "rb", buffering=0) as opened:
            content, when = opened.read(), os.fstat(opened.fileno()).st_mtime
        data = json.loads(_without_metrics(content))
        if not isinstance(data, dict):
            raise SchemaError("it does not hold an object")
        check_version(data, SCHEMA_VERSION)
        data |= {"seconds": _seconds(data), "when": when}
        told = build(RunSummary, data, least={"attempt": 1, "epochs": 0})
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(f"there is no {file}") from error
    except IsADirectoryError as error:
        raise DamagedFileError(Path(file), "a folder stands where a file belongs") from error
    except OSError as error:
        raise FileError(explained(error, file)) from error
    except (ValueError, RecursionError, FutureVersionError) as error:
        raise DamagedFileError(Path(file), str(error)) from error
    if told.key != key:
        raise DamagedFileError(Path(file), f"it is of the run {told.key!r}")
    return told


def _seconds(data: Mapping[str, Any]) -> float:
    seconds = data.get("seconds") or {}
    total = seconds.get("total", 0.0) if isinstance(seconds, dict) else None
    if isinstance(total, bool) or not isinstance(total, int | float) or not abs(total) < 1e300:
        raise SchemaError("seconds.total is not a number")
    return float(total)


def _without_metrics(content: bytes) -> bytes:
    """Cut metrics by epoch and at the end out of a result as this program writes it.

    They are most of it, and reading them would take most of the time. Any other JSON stays as it
    is.
    """
    begin, end = content.find(b'\n "history": [\n'), content.rfind(b'\n "seconds": {\n')
    return content[:begin] + content[end:] if 0 <= begin < end else content
