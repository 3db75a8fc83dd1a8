"""What watching needs of ``result.json``, read in a fraction of the time that all of it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid_swin.system.files import DamagedFileError, json_object, read_bytes
from hybrid_swin.system.schema import SchemaError, build, check_version
from search.records.runs import SCHEMA_VERSION, State, parse_record


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


def read_ended(path: Path, key: str) -> RunSummary:
    """How a run has ended. Raises as `read_record`, also where the file is another run's."""
    content = _without_metrics(read_bytes(path))
    data = json_object(content, path) | {"when": path.stat().st_mtime}
    summary = parse_record(path, data, _summary)
    if summary.key != key:
        raise DamagedFileError(path, f"it is of the run {summary.key!r}")
    return summary


def _summary(data: Mapping[str, Any]) -> RunSummary:
    check_version(data, SCHEMA_VERSION)
    seconds = data.get("seconds") or {}
    if not isinstance(seconds, dict):
        raise SchemaError("seconds is not a mapping by names")
    total = seconds.get("total", 0.0)
    return build(RunSummary, {**data, "seconds": total}, least={"attempt": 1, "epochs": 0})


def _without_metrics(content: bytes) -> bytes:
    """Cut metrics by epoch and at the end out of a result as this program writes it.

    They are most of it, and reading them would take most of the time. Any other JSON stays as it
    is.
    """
    begin, end = content.find(b'\n "history": [\n'), content.rfind(b'\n "seconds": {\n')
    return content[:begin] + content[end:] if 0 <= begin < end else content
