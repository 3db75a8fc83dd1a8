"""What a study's figures show, read from its folder."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from hybrid_swin.errors import InputError
from hybrid_swin.system.program import door
from search.leaderboard.board import Leaderboard
from search.leaderboard.rows.evidence import fresh_splits
from search.leaderboard.rows.intervals import CONFIDENCE
from search.records.runs import FinishedRun, RunResult, RunSpec, iter_runs
from search.records.settings import read_study
from search.records.study_file import read_fixed
from search.settings.comparison import ComparisonSettings
from search.settings.study import BudgetSettings
from search.space.budget import amount
from search.statistics.formatting import is_share, shown_value
from search.statistics.intervals import Interval
from search.study.objectives import cost_of

_COSTS = ("macs", "parameters")


@dataclass(frozen=True)
class Retrained:
    """A candidate retrained over fresh seeds; its interval is over those that ran to their end."""

    label: str  # its block words
    is_baseline: bool  # whether no score chose it
    cost: Mapping[str, float]  # of its network, by the cost's name
    interval: Interval  # the one on the leaderboard
    runs: tuple[FinishedRun, ...]  # one per seed
    confidence: float = CONFIDENCE  # of the interval: higher for the row that is named as the best


@dataclass(frozen=True)
class StudyData:
    """A study's ended runs and what they are judged by."""

    study: str
    monitor: str
    mode: Literal["max", "min"]
    trials: tuple[FinishedRun, ...] = ()
    audits: tuple[FinishedRun, ...] = ()  # stopped ones, to their end after all
    baselines: tuple[FinishedRun, ...] = ()  # their single runs
    references: tuple[FinishedRun, ...] = ()  # what no network achieves
    retrained: tuple[Retrained, ...] = ()  # the best mean first
    against: tuple[str, ...] = _COSTS  # costs that scores are drawn against
    limits: Mapping[str, float] | None = None  # what a network may cost, by the cost's name
    reference_point: Mapping[str, float] | None = None  # of hypervolumes
    fresh_splits: bool | None = None  # did retrained runs validate on other images?
    saved: float | None = None  # share that rungs saved, less audits; None: not known

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read a study, finished or not.

        Raises InputError if no study is there, or a file of it cannot be read.
        """
        settings = read_study(folder)
        if isinstance(settings, ComparisonSettings):
            raise InputError(
                f"{folder} is the folder of a comparison, which draws its own figures when it "
                f"ends; `{door()} leaderboard {shlex.quote(str(folder))} --svg FILE` draws "
                "its differences"
            )
        monitor, mode = settings.objective.monitor, settings.objective.mode
        against: tuple[str, ...] = settings.objective.against
        kinds: dict[str, list[FinishedRun]] = {}
        for spec, result in iter_runs(folder):
            if result is not None:
                run = (_with_measured_costs(spec, result, against), result)
                kinds.setdefault(spec.kind, []).append(run)
        reference = read_fixed(folder).reference_point if against else None
        board = Leaderboard.from_folder(folder)
        return cls(
            study=settings.name,
            monitor=monitor,
            mode=mode,
            trials=tuple(kinds.get("trial", ())),
            audits=tuple(kinds.get("audit", ())),
            baselines=tuple(kinds.get("baseline", ())),
            references=tuple(kinds.get("reference", ())),
            retrained=_retrained(board, kinds.get("finalist", ()), mode),
            against=against or _COSTS,
            limits=_limits(settings.budget, against or _COSTS),
            reference_point=reference,
            fresh_splits=fresh_splits(run for runs in kinds.values() for run in runs),
            saved=board.fidelity.saved if board.fidelity else None,
        )

    @property
    def full(self) -> tuple[FinishedRun, ...]:
        """The trials, with their audits in the place of those that were stopped."""
        audits = {run[0].origin: run for run in self.audits}
        return tuple(audits.get(run[0].key, run) for run in self.trials)

    @property
    def sign(self) -> float:
        """Makes more better."""
        return 1.0 if self.mode == "max" else -1.0

    def axis_value(self, score: float) -> float:
        """A score as it stands on an axis: shares in percent."""
        return shown_value(score, self.monitor)

    @property
    def score_label(self) -> str:
        """The name of the score's axis, with its unit."""
        metric = self.monitor.rpartition("/")[2].replace("_", " ")
        return f"validation {metric}" + (" (%)" if is_share(self.monitor) else "")


def _with_measured_costs(spec: RunSpec, result: RunResult, against: Sequence[str]) -> RunSpec:
    """A run whose costs are all that scores are drawn against, as far as they are known."""
    costs = {name: cost_of(spec, result, name) for name in against if name not in spec.cost}
    known = {name: cost for name, cost in costs.items() if cost is not None}
    return replace(spec, cost={**spec.cost, **known}) if known else spec  # type: ignore[dict-item]


def whole(runs: Sequence[FinishedRun]) -> list[tuple[RunSpec, float]]:
    """Runs to their end, with their scores."""
    return [(s, r.score) for s, r in runs if r.state == "complete" and r.score is not None]


def _retrained(
    board: Leaderboard, finalists: Sequence[FinishedRun], mode: str
) -> tuple[Retrained, ...]:
    by_key = {run[0].key: run for run in finalists}
    entries = []
    for row in board.rows:
        runs = tuple(by_key[key] for key in row.keys if key in by_key)
        if runs and row.validation_mean is not None:
            mean, low, high = row.validation_mean, row.validation_low, row.validation_high
            interval, cost = Interval(mean, low, high, row.seeds), runs[0][0].cost
            confidence = row.interval_confidence or CONFIDENCE
            entries.append(Retrained(row.label, row.is_baseline, cost, interval, runs, confidence))
    return tuple(sorted(entries, key=lambda row: row.interval.mean, reverse=mode == "max"))


def _limits(budget: BudgetSettings, costs: Sequence[str]) -> dict[str, float]:
    given = {name: getattr(budget, name, None) for name in costs}
    return {c: amount(value, f"budget.{c}") for c, value in given.items() if value is not None}
