"""``finalists.json``: which runs are retrained, and who chose them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hybrid_swin.system.files import DamagedFileError, MissingFileError, write_json_atomically
from hybrid_swin.system.schema import SchemaError, check_version
from search.records.runs import SCHEMA_VERSION, RunSpec, collect, read_record
from search.records.torn import Say, read_or_set_aside

FINALISTS_FILE = "finalists.json"
_VERSION = "schema_version"


def read_finalists(
    folder: Path, damaged: list[DamagedFileError] | None = None
) -> dict[str, list[str]]:
    """Keys of the chosen runs by who chose them; empty where there is no such file yet.

    ``damaged`` collects a damaged file, which then says nothing. Raises InputError if the file
    cannot be read; or it is damaged, where ``damaged`` is not given.
    """
    try:
        return read_record(folder / FINALISTS_FILE, _chosen)
    except MissingFileError:
        return {}
    except DamagedFileError as error:
        collect(error, damaged)
        return {}


def write_finalists(folder: Path, chosen: Mapping[str, Sequence[RunSpec]], say: Say) -> None:
    """Write down which runs are retrained, and who chose them, before any of them is.

    ``say`` is told of a damaged file of an earlier start, which is set aside. Raises FileError if
    the system refuses.
    """
    plain = {name: [spec.key for spec in specs] for name, specs in chosen.items()}
    path = folder / FINALISTS_FILE
    known = read_or_set_aside(lambda: read_record(path, _chosen), say, "it is written again")
    if known != plain:
        write_json_atomically(path, {_VERSION: SCHEMA_VERSION, **plain})


def _chosen(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """The content; older files have no version."""
    check_version({_VERSION: SCHEMA_VERSION, **data}, SCHEMA_VERSION)
    choices = {name: keys for name, keys in data.items() if name != _VERSION}
    for name, keys in choices.items():
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise SchemaError(f"{name} is not a list of runs")
    return choices
