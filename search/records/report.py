"""``comparison.json`` and ``.csv`` read back: what a comparison told at its last end."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hybrid_swin.system.files import DamagedFileError, read_bytes
from search.records.runs import parsed_as, read_record

JSON_FILE, CSV_FILE = "comparison.json", "comparison.csv"


@dataclass(frozen=True)
class Report:
    """What of ``comparison.json`` is read back; the arms' results as they stand there."""

    monitor: str
    mode: Literal["min", "max"]
    baseline: str
    seeds: int
    pending: int
    results: tuple[Any, ...]
    digest: str = ""
    conclusions: tuple[str, ...] = ()


def read_report(folder: Path) -> Report:
    """What a comparison told. Raises as `read_record`."""
    return read_record(folder / JSON_FILE, parsed_as(Report, seeds=0, pending=0))


def read_report_table(folder: Path) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of its table, as text. Raises as `read_record`."""
    path = folder / CSV_FILE
    content = read_bytes(path)
    try:
        columns, *rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
    except (csv.Error, ValueError) as error:
        raise DamagedFileError(path, f"not a table ({error})") from error
    if any(len(row) != len(columns) for row in rows):
        raise DamagedFileError(path, f"a row has not the {len(columns)} cells of its head")
    return columns, rows
