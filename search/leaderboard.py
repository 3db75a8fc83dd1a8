"""Rows and their order: what a study found, as ``leaderboard.csv`` and ``leaderboard.json``.

Order: rows retrained over several fresh seeds, by their mean on validation; then rows retrained
with one fresh seed; then the single runs of the search, by the score that they had there; then what
stopped, diverged or failed; what is there for comparison only (the mean of random candidates,
references) last. So a single lucky run never stands above a row with
better evidence. Validation chooses and orders; test is shown and compared, it never orders.
"""

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from search.fidelity import Fidelity, audit
from search.row import Row
from search.row_building import (
    EndedRun,
    Evidence,
    build_mean_row,
    build_row,
    compare_with_best,
)
from search.run_folder import (
    SCHEMA_VERSION,
    RunSpec,
    iter_runs,
    json_ready,
    natural_order,
    read_settings,
    write_json_atomically,
    write_text_atomically,
)
from search.settings import RungSettings

CSV_FILE = "leaderboard.csv"
JSON_FILE = "leaderboard.json"

JSON_ONLY = (
    "keys",
    "validation_scores",
    "test_scores",
    "metrics",
    "test_metrics",
    "variant",
    "recipe",
    "params",
)
COLUMNS = ("rank", *(f.name for f in fields(Row) if f.name not in ("rank", *JSON_ONLY)))
MEASURED = ("train_seconds", "latency_ms", "peak_memory_mb")

_STATES = ("complete", "stopped", "diverged", "failed")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Leaderboard:
    """What a study found.

    Args:
        study: its name.
        monitor: the objective, a validation metric.
        mode: whether more (``max``) or less of it is better.
        rows: in their order.
        pending: runs that were asked and have not ended.
        test_reads: runs that read the test split, references not counted.
        reference_reads: references that read it.
        fidelity: what the runs tell of its rungs.
    """

    study: str
    monitor: str
    mode: Literal["min", "max"]
    rows: tuple[Row, ...]
    pending: int
    test_reads: int
    reference_reads: int
    fidelity: Fidelity | None = None

    @classmethod
    def from_folder(cls, study_folder: Path) -> Self:
        """Read a study, finished or not.

        Raises:
            InputError: no study there, or a file of it cannot be read.
        """
        settings = read_settings(study_folder)
        objective = settings.get("objective") or {}
        monitor, mode = objective.get("monitor", "val/accuracy"), objective.get("mode", "max")
        rungs = settings.get("rungs") or {"first": 0}
        runs = list(iter_runs(study_folder))
        ended = [(spec, result) for spec, result in runs if result is not None]
        scores = {spec.key: result.score for spec, result in ended}
        built = []
        by_chance = [run for run in ended if _is_by_chance(run[0])]
        # An audit is the end of a trial that has its row: it says something of the rungs.
        others = (run for run in ended if not _is_by_chance(run[0]) and run[0].kind != "audit")
        for group in _grouped(others):
            first = group[0][0]
            selected_by = scores.get(first.origin) if first.stage == "final" else None
            built.append(build_row(study_folder, group, monitor, mode, selected_by))
        readers = [spec.kind for spec, result in ended if result.test is not None]
        return cls(
            study=str(settings.get("name", study_folder.name)),
            monitor=monitor,
            mode=mode,
            rows=_ordered(built, [build_mean_row(by_chance, monitor)] if by_chance else [], mode),
            pending=len(runs) - len(ended),
            test_reads=sum(kind != "reference" for kind in readers),
            reference_reads=sum(kind == "reference" for kind in readers),
            fidelity=audit(ended, RungSettings(**rungs), monitor, mode),
        )

    @property
    def best(self) -> Row | None:
        """The first row, where it has several seeds: a single run is no winner."""
        return self.rows[0] if self.rows and _tier(self.rows[0]) == 0 else None

    def digest(self) -> str:
        """Hash over every column and every digit, except what a clock or a memory gauge measured.

        Left out: ``train_seconds``, ``latency_ms``, ``peak_memory_mb`` and the study's name. Two
        studies with equal digests found the same, to the last digit.
        """
        rows = [{k: v for k, v in asdict(row).items() if k not in MEASURED} for row in self.rows]
        told = {"monitor": self.monitor, "mode": self.mode, "rows": rows}
        text = json.dumps(json_ready(told), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """The content of ``leaderboard.json``."""
        return {"schema_version": SCHEMA_VERSION, "digest": self.digest(), **asdict(self)}

    def to_csv(self) -> str:
        """The flat columns, one line a row; floats with every digit, unknown values empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in self.rows:
            writer.writerow([_cell(getattr(row, name)) for name in COLUMNS])
        return text.getvalue()

    def write(self, study_folder: Path) -> None:
        """Write ``leaderboard.csv`` and ``leaderboard.json`` into the study's folder."""
        write_text_atomically(study_folder / CSV_FILE, self.to_csv())
        write_json_atomically(study_folder / JSON_FILE, self.to_dict())


def _grouped(ended: Iterable[EndedRun]) -> list[list[EndedRun]]:
    """Runs of one row: the seeds of a retrained candidate; every other run stands alone."""
    groups: dict[tuple[str, str], list[EndedRun]] = {}
    for spec, result in ended:
        groups.setdefault(_group(spec), []).append((spec, result))
    return list(groups.values())


def _is_by_chance(spec: RunSpec) -> bool:
    """Whether a run is one of those whose mean is a row."""
    return spec.kind == "random" and spec.stage == "final"


def _group(spec: RunSpec) -> tuple[str, str]:
    if spec.stage == "final" and spec.kind != "reference":
        return "final", spec.candidate_id
    return "run", spec.key


def _ordered(built: list[tuple[Row, Evidence]], means: list[Row], mode: str) -> tuple[Row, ...]:
    sign = -1.0 if mode == "max" else 1.0

    def place(item: tuple[Row, Evidence]) -> tuple[Any, ...]:
        row, tier = item[0], _tier(item[0])
        # a row that lost a seed comes after those that lost none: its mean is of the survivors
        state = _STATES.index(row.state)
        # stopped runs saw unequal numbers of epochs: the longest first, then by score
        epochs = -row.epochs if tier == 3 else 0
        score = math.inf if row.validation_mean is None else sign * row.validation_mean
        return tier, state, epochs, score, row.parameters or 0, natural_order(row.origin)

    in_order = sorted(built, key=place)
    several = sum(_tier(row) == 0 for row, _ in in_order)
    rows = compare_with_best(in_order[:several]) + [row for row, _ in in_order[several:]]
    ranked = sum(_tier(row) < 3 for row in rows)
    first_reference = sum(_tier(row) < 4 for row in rows)
    rows[first_reference:first_reference] = means
    return tuple(
        replace(row, rank=place + 1 if place < ranked else None) for place, row in enumerate(rows)
    )


def _tier(row: Row) -> int:
    """0 several fresh seeds, 1 one, 2 a single run of the search, 3 broken, 4 to compare with."""
    if row.fidelity in ("random", "reference"):
        return 4
    if row.fidelity == "final" and row.seeds >= 2:
        return 0
    if row.state != "complete" or row.seeds == 0:
        return 3
    return 1 if row.fidelity == "final" else 2


def _cell(value: Any) -> str:
    """One CSV cell; a text that a spreadsheet would run as a formula gets a leading quote."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    return repr(value)
