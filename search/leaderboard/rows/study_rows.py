"""The rows of one study, in no order yet, each with the evidence that comparisons need."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from hybrid_swin.data.test_reads import (
    LEDGER,
    RecordedRead,
    ledger_beside,
    read_ledger,
    unreadable_lines,
)
from hybrid_swin.system.files import DamagedFileError
from search.leaderboard.rows.building import build_mean_row, build_row
from search.leaderboard.rows.evidence import RowEvidence, fresh_splits, lost_notes
from search.leaderboard.rows.row import Row
from search.leaderboard.rung_audit import RungAudit, audit
from search.leaderboard.study_notes import study_notes
from search.records.looks import Look, read_looks, with_current
from search.records.runs import FinishedRun, RunKind, RunResult, RunSpec, iter_runs
from search.records.settings import read_settings
from search.records.torn import notes_on
from search.settings.study import BudgetSettings, StudySettings
from search.statistics.formatting import count_text
from search.statistics.looks import LEVEL
from search.study.finalists import choosers
from search.study.looks import level_at, plan_of, target_so_far

LIMITED = ("parameters", "macs", "activations")  # what a budget may limit


@dataclass(frozen=True)
class StudyRows:
    """What a study has found so far.

    Args:
        folder: where it lies.
        name: the study's.
        monitor: the objective, a validation metric.
        mode: whether more (``max``) or less of it is better.
        against: costs that are objectives beside it.
        built: rows with their evidence.
        pending: runs that were asked and have not ended.
        pending_finals: of these, retrained ones.
        test_reads: runs that read the test split, references not counted.
        reference_reads: references that read it.
        readings: of test splits, what its own ledger and those beside it know and its results
            prove.
        fidelity: what its runs tell of its rungs.
        random_cost: what the random search beside it cost to train, as a share of its own cost;
            None if there is none, or while one of the two goes on.
        fresh_splits: whether fresh seeds drew other validation images than the search had; False
            where the splits were given, None if unknown.
        budgeted: whether a budget limits what a candidate may cost.
        limits: what it may cost at most, in words, such as ``400K parameters``.
        matched: whether widths were solved so that all networks have one cost.
        tried: candidates that came to their end, of which the search's finalists were chosen.
        planned: fresh seeds that are asked for, now.
        plan: numbers of fresh seeds at which looks are planned, by the settings.
        looks: when conclusions were drawn from it before.
        damaged: what cannot be read, and what follows, one sentence each.
        remarks: what else must be said beside the rows.
        in_parts: labels of networks whose batch norm saw micro-batches, since memory ran out.
    """

    folder: Path
    name: str
    monitor: str
    mode: Literal["min", "max"]
    built: tuple[tuple[Row, RowEvidence], ...]
    pending: int
    test_reads: int
    reference_reads: int
    readings: tuple[RecordedRead, ...] = ()
    against: tuple[str, ...] = ()
    fidelity: RungAudit | None = None
    random_cost: float | None = None
    fresh_splits: bool | None = None
    budgeted: bool = False
    limits: tuple[str, ...] = ()
    matched: bool = False
    tried: int = 0
    pending_finals: int = 0
    planned: int = 0
    plan: tuple[int, ...] = ()
    looks: tuple[Look, ...] = ()
    damaged: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    in_parts: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be said beside the rows."""
        return (*self.damaged, *self.remarks)

    @property
    def is_waiting(self) -> bool:
        """Whether retrained runs that were asked for are still to come."""
        rows = [row for row, _ in self.built if row.fidelity == "final"]
        return self.pending_finals > 0 or any(row.seeds_asked < self.planned for row in rows)

    @property
    def looks_until_now(self) -> list[Look]:
        """The looks of the past, and the one at what there is now if it is another."""
        rows = [row for row, _ in self.built if row.fidelity == "final" and row.seeds > 1]
        seeds = max((row.seeds_asked for row in rows), default=0)
        if not rows or self.is_waiting:
            return []
        plan = self.plan if len(self.plan) > 1 else ()
        return with_current(self.looks, Look(seeds, self.planned or seeds, plan=plan))

    @property
    def planned_looks(self) -> tuple[int, ...]:
        """Numbers of seeds at which looks were planned at the first of them."""
        return plan_of(self.looks_until_now)

    @property
    def level(self) -> float:
        """Of all tests of the study together, at this look."""
        looks = self.looks_until_now
        return level_at(plan_of(looks), [look.seeds for look in looks]) if looks else LEVEL

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a study, finished or not.

        Raises:
            InputError: no study there, or a file of it cannot be read.
        """
        settings = read_settings(folder, StudySettings)
        monitor, mode = settings.objective.monitor, settings.objective.mode
        damaged: list[DamagedFileError] = []
        runs = list(iter_runs(folder, damaged))
        finished_runs = [(spec, result) for spec, result in runs if result is not None]
        scores = {spec.key: result.score for spec, result in finished_runs}
        chosen = choosers(folder, {spec.key: spec.candidate_id for spec, _ in runs}, damaged)
        built = []
        by_chance = [run for run in finished_runs if _is_by_chance(run[0])]
        # An audit is the end of a trial that has its row: it says something of the rungs.
        others = [run for run in finished_runs if not _is_by_chance(run[0])]
        for group in _grouped(run for run in others if run[0].kind != "audit"):
            first = group[0][0]
            selected_by = scores.get(first.origin) if first.stage == "final" else None
            row, evidence = build_row(folder, group, monitor, mode, selected_by)
            if row.fidelity == "final":
                choice = chosen.get(row.candidate_id, (row.proposed_by,))
                row = replace(row, chosen_by=choice)
            built.append((row, evidence))
        if by_chance:
            built.append(build_mean_row(folder, by_chance, monitor))
        readings, readers = _readings(folder, runs)
        lost_lines: list[str] = []
        looks = read_looks(folder, lost_lines)
        return cls(
            folder=folder,
            name=settings.name,
            monitor=monitor,
            mode=mode,
            against=settings.objective.against,
            built=tuple(built),
            pending=len(runs) - len(finished_runs),
            test_reads=sum(kind != "reference" for kind in readers),
            reference_reads=sum(kind == "reference" for kind in readers),
            readings=tuple(readings),
            fidelity=audit(finished_runs, settings.rungs, monitor, mode),
            random_cost=None if len(runs) > len(finished_runs) else _random_cost(finished_runs),
            fresh_splits=fresh_splits(finished_runs),
            budgeted=any(getattr(settings.budget, cost, None) is not None for cost in LIMITED),
            limits=_limits(settings.budget),
            matched=settings.budget.mode == "match",
            tried=sum(
                spec.kind in ("trial", "audit") and result.state == "complete"
                for spec, result in finished_runs
            ),
            pending_finals=sum(s.kind == "finalist" and r is None for s, r in runs),
            planned=target_so_far(settings.finalists.looks, folder),
            plan=settings.finalists.looks,
            looks=tuple(looks),
            damaged=(
                *notes_on(damaged, folder),
                *lost_lines,
                *_lost_readings(folder),
                *lost_notes(e for _, e in built),
            ),
            remarks=tuple(study_notes(folder, settings, finished_runs)),
            in_parts=tuple(
                dict.fromkeys(s.label for s, result in finished_runs if result.batch_norm_in_parts)
            ),
        )


def _limits(budget: BudgetSettings) -> tuple[str, ...]:
    words = {"parameters": "parameters", "macs": "MACs"}
    limits = ((getattr(budget, name), word) for name, word in words.items())
    return tuple(
        f"{limit if isinstance(limit, str) else count_text(limit)} {word}"
        for limit, word in limits
        if limit is not None
    )


def _readings(
    folder: Path, runs: Sequence[tuple[RunSpec, RunResult | None]]
) -> tuple[list[RecordedRead], list[RunKind]]:
    """What is known of readings of the test split, and the kinds of this study's runs that read it.

    A study's results say more than its ledger: a run with a test score has read the split, also
    where a ledger was lost; and what an old ledger announced (it held intents only) has not
    happened where the run has no test score.
    """
    name = Path(os.path.abspath(folder)).name
    kinds = {spec.key: spec.kind for spec, _ in runs}
    tested = {spec.key: result for spec, result in runs if result and result.test is not None}
    own = {(entry.key, entry.time) for entry in read_ledger(folder / LEDGER)}
    others: list[RecordedRead] = []
    mine: dict[str, RecordedRead] = {}  # by run
    for entry in read_ledger(folder / LEDGER, ledger_beside(folder)):
        is_own = (entry.key, entry.time) in own if own else entry.study == name
        if is_own and entry.key in kinds:
            mine[entry.key] = entry
        else:
            others.append(entry)
    for key, result in tested.items():
        entry = mine.get(key, RecordedRead(name, key, "study", ""))
        hashes = entry.test_hash or result.test_hash, entry.data_hash or result.data_hash
        mine[key] = replace(entry, test_hash=hashes[0], data_hash=hashes[1], event="read")
    for key, entry in mine.items():
        mine[key] = entry if entry.event else replace(entry, event="intent")
    read = [kinds[key] for key, entry in mine.items() if entry.happened]
    return [*mine.values(), *others], read


def _lost_readings(folder: Path) -> list[str]:
    """A sentence on lines of the ledgers that cannot be read."""
    lost = unreadable_lines(folder / LEDGER, ledger_beside(folder))
    if not lost:
        return []
    return [
        f"{lost} line(s) of the ledgers of test readings ({LEDGER} here and beside the study) "
        "cannot be read: the test split may have been read more often than is counted here."
    ]


def _random_cost(runs: Iterable[FinishedRun]) -> float | None:
    """In passes over the images times MACs."""
    spent = {"trial": 0.0, "audit": 0.0, "random": 0.0}
    for spec, result in runs:
        if spec.stage == "search" and spec.kind in spent:
            spent[spec.kind] += result.passes * spec.cost.get("macs", 0)
    searched = spent["trial"] + spent["audit"]
    return spent["random"] / searched if spent["random"] and searched else None


def _grouped(runs: Iterable[FinishedRun]) -> list[list[FinishedRun]]:
    """Runs of one row: the seeds of a retrained candidate; every other run stands alone."""
    groups: dict[tuple[str, str], list[FinishedRun]] = {}
    for spec, result in runs:
        retrained = spec.stage == "final" and spec.kind != "reference"
        group = ("final", spec.candidate_id) if retrained else ("run", spec.key)
        groups.setdefault(group, []).append((spec, result))
    return list(groups.values())


def _is_by_chance(spec: RunSpec) -> bool:
    """Whether a run is one of those whose mean is a row."""
    return spec.kind == "random" and spec.stage == "final"
