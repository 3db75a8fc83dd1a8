"""Rows and their order: what a study found, as ``leaderboard.csv`` and ``leaderboard.json``."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from hybrid_swin.data.test_reads import merged
from hybrid_swin.spec.own_code.kept_plugins import described_plugins
from hybrid_swin.system.file_names import BOARD_FILE as BOARD_FILE
from hybrid_swin.system.files import (
    json_ready,
    write_json_atomically,
    write_text_atomically,
)
from search.leaderboard.row_table import RowTable
from search.leaderboard.rows.against_reference import AgainstReference, against_references
from search.leaderboard.rows.building import MIXED
from search.leaderboard.rows.comparison import LEVEL
from search.leaderboard.rows.labels import value_at
from search.leaderboard.rows.order import ordered, tier
from search.leaderboard.rows.questions import Question, ask
from search.leaderboard.rows.row import Row
from search.leaderboard.rows.study_rows import StudyRows
from search.leaderboard.rung_audit import RungAudit
from search.records.looks import Look, record_look
from search.records.predictions import Correctness
from search.records.runs import SCHEMA_VERSION
from search.study.looks import about_looks

CSV_FILE = "leaderboard.csv"

JSON_ONLY = (
    "keys",
    "chosen_by",
    "validation_scores",
    "test_scores",
    "metrics",
    "test_metrics",
    "variant",
    "recipe",
    "params",
)
FRESH = "fresh"  # a column where any row started from a file of weights
_NOT_ALWAYS = "rank", "study", FRESH, *JSON_ONLY
COLUMNS = ("rank", *(f.name for f in fields(Row) if f.name not in _NOT_ALWAYS))
_VISIBLE_COLUMNS = (
    "label",
    "fidelity",
    "validation_mean",
    "validation_low",
    "validation_high",
    "test_mean",
    "seeds",
    "parameters",
    "macs",
)
MEASURED = ("train_seconds", "latency_ms", "latency_low", "latency_high", "peak_memory_mb")

# A digest leaves these out as well: they do not say what was found.
GROUPS = ("validation_groups", "test_groups")  # nor these without groups, as before they were told
_CIRCUMSTANCES = ("study", "imported_from", "test_reads", "code_hash")


@dataclass(frozen=True)
class Leaderboard:
    """What a study found, or several. What is not described here is as in `StudyRows`, of them all.

    Args:
        study: its name, or all names.
        against: of several studies, where all have the same.
        rows: in their order.
        fidelity, random_cost: of a single study.
        readers: who has read the test split of these rows, over all that the ledgers know, and how
            often.
        open_reads: readings of it that were begun, with no record of whether they happened.
        other_reads: readings of other test splits of the same images.
        studies: the names where the rows are of several.
        folders: where the studies lie on this machine; not in the files.
        fresh_splits: None also where studies differ in it.
        waiting: whether retrained runs are still to come: then nothing is concluded, so that
            looking early costs nothing.
        looks: when conclusions were drawn from ever more seeds, this time included.
        planned_looks: numbers of seeds at which looks were planned.
        new_looks: of each study the look that this is, where it is one; not in the files.
        level: of all tests together; less than .05 where seeds were added after a look.
        references: the retrained rows against what is not a network.
        validated: by the keys of a row which validation images its seeds got right, where these
            are one for all; not in the files, and of a single study only.
        questions: what the answer of the study is made from; none while it is waiting; not in the
            files.
        limits, matched, damaged, in_parts: not in the files.
        notes: what must be said beside the rows.
    """

    study: str
    monitor: str
    mode: Literal["min", "max"]
    rows: tuple[Row, ...]
    pending: int
    test_reads: int
    reference_reads: int
    against: tuple[str, ...] = ()
    fidelity: RungAudit | None = None
    random_cost: float | None = None
    readers: dict[str, int] = field(default_factory=dict)
    open_reads: int = 0
    other_reads: int = 0
    studies: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    fresh_splits: bool | None = None
    budgeted: bool = False
    tried: int = 0
    waiting: bool = False
    looks: tuple[Look, ...] = ()
    planned_looks: tuple[int, ...] = ()
    new_looks: tuple[Look | None, ...] = ()
    level: float = LEVEL
    references: tuple[AgainstReference, ...] = ()
    validated: Mapping[tuple[str, ...], Correctness] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    limits: tuple[str, ...] = ()
    matched: bool = False
    damaged: tuple[str, ...] = ()
    in_parts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def from_folder(cls, study_folder: Path) -> Self:
        """Read a study, finished or not.

        Raises:
            InputError: no study there, or a file of it cannot be read.
        """
        return cls.of([StudyRows.read(study_folder)])

    @classmethod
    def of(cls, studies: Sequence[StudyRows], notes: Sequence[str] = ()) -> Self:
        """The table of one study, or of several whose rows have been found comparable."""
        several = len(studies) > 1
        known = merged(entry for study in studies for entry in study.readings)
        entries = [entry for entry in known if entry.happened]
        reads = Counter(entry.test_hash for entry in entries)
        built = []
        for study in studies:
            for row, evidence in study.built:
                count = reads[row.test_hash] if row.test_hash not in ("", MIXED) else None
                name = study.name if several else ""
                built.append((replace(row, test_reads=count, study=name), evidence))
        monitor, waiting = studies[0].monitor, any(study.is_waiting for study in studies)
        looks = [study.looks_until_now for study in studies]
        level = min(study.level for study in studies)
        matched = any(study.matched for study in studies)
        in_order = ordered(built, monitor, studies[0].mode, None if waiting else level)
        rows = tuple(row for row, _ in in_order)
        final = [b for b in in_order if b[0].fidelity == "final"]
        plain = [b for b in in_order if b[0].fidelity == "reference"]
        fresh = {study.fresh_splits for study in studies}
        tested = next((row for row in rows if row.test_mean is not None and row.test_hash), None)
        same = [e for e in entries if tested and e.test_hash and e.data_hash == tested.data_hash]
        split = tested.test_hash if tested else ""
        readers = (entry.reader for entry in entries if split and entry.test_hash == split)
        questions: tuple[Question, ...] = ()
        unread: list[str] = []
        if not waiting:
            # a control is told by its block words, which may be of plug-ins
            with described_plugins(study.folder for study in studies) as unread:
                several_seeds = [b for b in final if tier(b[0]) == 0]
                questions = ask(several_seeds, monitor, studies[0].mode, level, matched)
        lost = [
            f"The plug-in {file} cannot be read, so rows with its block have no control."
            for file in unread
        ]
        return cls(
            study=" and ".join(study.name for study in studies),
            monitor=studies[0].monitor,
            mode=studies[0].mode,
            against=studies[0].against if len({study.against for study in studies}) == 1 else (),
            rows=rows,
            pending=sum(study.pending for study in studies),
            test_reads=sum(study.test_reads for study in studies),
            reference_reads=sum(study.reference_reads for study in studies),
            fidelity=None if several else studies[0].fidelity,
            random_cost=None if several else studies[0].random_cost,
            readers=dict(Counter(readers)),
            open_reads=sum(not e.happened and e.test_hash == split != "" for e in known),
            other_reads=sum(entry.test_hash != split for entry in same),
            studies=tuple(study.name for study in studies) if several else (),
            folders=tuple(study.folder for study in studies),
            fresh_splits=fresh.pop() if len(fresh) == 1 else None,
            budgeted=any(study.budgeted for study in studies),
            tried=sum(study.tried for study in studies),
            waiting=waiting,
            looks=() if several else tuple(looks[0]),
            planned_looks=() if several else studies[0].planned_looks,
            new_looks=tuple(seen[-1] if seen and not seen[-1].time else None for seen in looks),
            level=level,
            references=() if waiting else against_references(final, plain, monitor, level),
            validated={}
            if several
            else {row.keys: e.validated for row, e in in_order if e.validated is not None},
            questions=questions,
            limits=tuple(dict.fromkeys(limit for study in studies for limit in study.limits)),
            matched=matched,
            damaged=(*(note for study in studies for note in study.damaged), *lost),
            in_parts=tuple(dict.fromkeys(name for study in studies for name in study.in_parts)),
            notes=(*notes, *lost, *(_looked(studies) if several else studies[0].notes)),
        )

    @property
    def best(self) -> Row | None:
        """The first row, where it has several seeds: a single run is not a winner."""
        return self.rows[0] if self.rows and tier(self.rows[0]) == 0 else None

    def digest(self) -> str:
        """Hash over every column and every digit, except what a clock or a memory gauge measured.

        Left out: ``train_seconds``, ``latency_ms`` with its ends, ``peak_memory_mb``, the study's
        name, ``imported_from``, ``test_reads``, which grows with other studies, and the program's
        ``code_hash``. Two studies with equal digests found the same, to the last digit.
        """
        without = (*MEASURED, *_CIRCUMSTANCES)
        rows = [
            {
                k: v
                for k, v in vars(row).items()
                if k not in without and (v or k not in (*GROUPS, FRESH))
            }
            for row in self.rows
        ]
        content = {"monitor": self.monitor, "mode": self.mode, "rows": rows}
        text = json.dumps(json_ready(content), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def record_looks(self, command: str) -> list[Path]:
        """Write down that conclusions are shown; returns the studies where that cannot be."""
        new = ((f, look) for f, look in zip(self.folders, self.new_looks, strict=True) if look)
        return [
            folder
            for folder, look in new
            if not record_look(folder, replace(look, command=command))
        ]

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the CSV, less the parameters: a row names its study where there are several."""
        flat = ("rank", "study", *COLUMNS[1:]) if self.studies else COLUMNS
        return (*flat, *([FRESH] if self.starts else []), "keys")

    @property
    def starts(self) -> bool:
        """Whether any row started from a file of weights."""
        return any(row.fresh is not None for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """The content of ``leaderboard.json``."""
        content = {"schema_version": SCHEMA_VERSION, "digest": self.digest(), **vars(self)}
        # plain inside already: asdict would copy 10,000 rows piece by piece
        content["rows"] = [
            {name: value for name, value in vars(row).items() if name != FRESH or self.starts}
            for row in self.rows
        ]
        content["fidelity"] = None if self.fidelity is None else asdict(self.fidelity)
        content["references"] = [asdict(one) for one in self.references]
        content["looks"] = [{"seeds": look.seeds, "planned": look.planned} for look in self.looks]
        del content["new_looks"]
        for name in (
            "folders",
            "validated",
            "questions",
            "limits",
            "matched",
            "damaged",
            "in_parts",
        ):
            del content[name]
        if not self.studies:
            del content["studies"]
            for row in content["rows"]:
                del row["study"]
        return content

    def table(self) -> RowTable:
        """The rows of the CSV: the flat columns, then one per parameter."""
        columns = self.columns
        paths = dict.fromkeys(path for row in self.rows for path in row.params)
        rows = []
        for row in self.rows:
            own = row.params
            chosen = {f"params.{p}": own[p] if p in own else value_at(row, p) for p in paths}
            rows.append({name: getattr(row, name) for name in columns} | chosen)
        visible_columns = (
            ("rank", "study", *_VISIBLE_COLUMNS) if self.studies else ("rank", *_VISIBLE_COLUMNS)
        )
        return RowTable([*columns, *(f"params.{path}" for path in paths)], rows, visible_columns)

    def to_csv(self) -> str:
        """The table as CSV; floats with every digit, unknown values empty."""
        return self.table().to_csv()

    def write(self, study_folder: Path) -> None:
        """Write ``leaderboard.csv`` and ``leaderboard.json`` into the study's folder."""
        write_text_atomically(study_folder / CSV_FILE, self.to_csv())
        write_json_atomically(study_folder / BOARD_FILE, self.to_dict())


def _looked(studies: Sequence[StudyRows]) -> list[str]:
    """Of several: which were looked at more often than once, so that the level of all is lower.

    And what of each cannot be read.
    """
    notes = []
    for study in studies:
        looked = [look.seeds for look in study.looks_until_now]
        about = about_looks(study.planned_looks, looked, 1, f"at study {study.name}")
        notes += [f"{text} All tests here are at the lowest level of a study." for text in about]
        notes += [f"Study {study.name}: {text}" for text in study.damaged]
    return notes
