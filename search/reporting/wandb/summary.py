"""What the W&B mirror says of a whole study or comparison, as plain values (no wandb import)."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.leaderboard.board import COLUMNS, Leaderboard
from search.leaderboard.end.answer import answer
from search.leaderboard.sentences import sentences
from search.records.report import CSV_FILE, JSON_FILE, read_report, read_report_table
from search.statistics.formatting import is_share

_QUOTED = {f"'{sign}" for sign in "=+-@\t\r"}
_COMPARISON = (JSON_FILE, CSV_FILE, "comparison.md")


@dataclass(frozen=True)
class Summary:
    """A table, the entries beside it, and its files."""

    name: str  # of the table and the artifact
    objective: dict[str, str]  # monitor and mode
    sentences: list[str]
    columns: tuple[str, ...]
    rows: list[list[Any]]
    entries: dict[str, Any]
    write: Callable[[Path], None]  # puts the files into a folder


def summary_of(folder: Path) -> Summary:
    """The comparison in a folder, or else its study's leaderboard.

    Raises InputError if a file of it cannot be read.
    """
    if (folder / _COMPARISON[0]).exists():
        return _of_comparison(folder)
    return _of_study(Leaderboard.from_folder(folder))


def _of_study(board: Leaderboard) -> Summary:
    entries = {"digest": board.digest(), "rows": len(board.rows), "test_reads": board.test_reads}
    if board.best is not None:
        entries |= {"best": board.best.label, **_objective(board)}
    return Summary(
        "leaderboard",
        {"monitor": board.monitor, "mode": board.mode},
        [answer(board), *sentences(board)],
        COLUMNS,
        [[getattr(row, name) for name in COLUMNS] for row in board.rows],
        entries,
        board.write,
    )


def _objective(board: Leaderboard) -> dict[str, float]:
    """The best row's mean on validation, shares in percent as in all that people read."""
    mean = board.best.validation_mean if board.best else None
    if mean is None:
        return {}
    return {"objective (%)": 100 * mean} if is_share(board.monitor) else {"objective": mean}


def _of_comparison(folder: Path) -> Summary:
    """From its files, which stand when the mirror is told that it has ended."""
    report, (columns, rows) = read_report(folder), read_report_table(folder)

    def write(place: Path) -> None:
        for name in _COMPARISON:
            if (folder / name).exists():
                shutil.copyfile(folder / name, place / name)

    return Summary(
        "comparison",
        {"monitor": report.monitor, "mode": report.mode},
        list(report.conclusions),
        tuple(columns),
        [[_value(cell) for cell in row] for row in rows],
        {"digest": report.digest, "arms": len(report.results), "baseline": report.baseline},
        write,
    )


def _value(cell: str) -> Any:
    """A number where it is one; a text without the quote that spreadsheets need."""
    try:
        return float(cell)
    except ValueError:
        return cell[1:] if cell[:2] in _QUOTED else cell
