"""``failure.json``: why an attempt at a run failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hybrid_swin.system.files import write_json_atomically
from hybrid_swin.system.schema import build, check_version
from search.records.runs import SCHEMA_VERSION, read_record

FAILURE_FILE = "failure.json"


@dataclass(frozen=True)
class FailureRecord:
    """What the file says.

    Args:
        error: in one line.
        hung: whether the attempt was silent for too long.
    """

    error: str = "unknown"
    hung: bool = False

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the content of the file; raises as `RunSpec.from_dict`."""
        if "schema_version" in data:  # older ones have none
            check_version(data, SCHEMA_VERSION)
        return build(cls, data)


def read_failure(attempt: Path) -> FailureRecord:
    """Why an attempt failed. Raises as `read_record`."""
    return read_record(attempt / FAILURE_FILE, FailureRecord.from_dict)


def write_failure(attempt: Path, failure: FailureRecord) -> None:
    """Write the file. Raises FileError where the system refuses."""
    write_json_atomically(
        attempt / FAILURE_FILE,
        {"schema_version": SCHEMA_VERSION, "error": failure.error, "hung": failure.hung},
    )
