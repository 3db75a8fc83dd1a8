"""What a comparison found: every arm in every cell under every matching, with its doubt.

``comparison.json`` holds everything; ``comparison.csv`` one line for each difference, and one for
each arm that others are compared with.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from hybrid_swin.system.files import DamagedFileError, json_ready
from hybrid_swin.training.metric_facts import bounds_of
from search.comparison.design.plan import ComparisonPlan
from search.comparison.results.arm_result import ArmResult
from search.comparison.results.claims import JudgedClaim, claim_cells, judge_claims
from search.comparison.results.differences import Survival, Versus, survives
from search.comparison.results.factor_effects import FactorEffect, factor_effects
from search.comparison.results.paired_arms import compare_arms, mixtures
from search.comparison.results.trained_arm import TrainedArm, length_of_training
from search.leaderboard.board import MEASURED
from search.leaderboard.end.shared_cautions import cut_short
from search.leaderboard.row_table import RowTable
from search.leaderboard.rows.evidence import lost_notes
from search.records.looks import read_looks
from search.records.runs import SCHEMA_VERSION, iter_runs
from search.records.torn import notes_on
from search.study.looks import level_at, seeds_looked_at

_NESTED = ("versus", "controls", "levels", "residuals", "rate_scores", "words", "keys")
_VISIBLE_COLUMNS = (
    "cell",
    "arm",
    "against",
    "test_mean",
    "shared_seeds",
    "difference",
    "low",
    "high",
    "holm_p",
    "verdict",
)
_LISTS = ("learning_rates", "chosen_rates", "validation_scores", "test_scores")


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Args:
        name: the comparison's.
        monitor: the objective, a validation metric.
        mode: whether more (``max``) or less of it is better.
        baseline: label of the arm that others are compared with.
        factors: levels by factor.
        matchings: how costs were made equal.
        seeds: paired seeds asked.
        choose_rate: how learning rates were chosen: ``per_seed``, ``once``, or ``one`` where there
            was one to take.
        milestone: a score on validation; None if none was set.
        equivalence: a difference that counts as none, in the objective's unit; None: not asked.
        primary: the primary question, as arm and what it is compared with; empty without one.
        planned: numbers of seeds at which looks were planned when it began.
        looked: those of all looks so far, this one among them.
        level: of the tests of this look.
        family: differences asked, also those without an answer yet.
        orphans: finished runs of networks that are not in the plan.
        pending: trainings that have not ended.
        mixed: what differs between runs that should not (images, splits, code).
        results: by cell, then matching, then arm.
        effects: of the factors, over all cells.
        damaged: what could not be read, and what follows, one sentence each.
        cut: what a time limit cost, in a sentence; in no file.
        in_parts: arms whose batch norm saw micro-batches, since memory ran out; in no file.
        training: how long was trained, in words; in no file of its own.
        published: what papers report, with verdicts; in files only if there is any.
    """

    name: str
    monitor: str
    mode: Literal["min", "max"]
    baseline: str
    factors: dict[str, list[Any]]
    matchings: tuple[str, ...]
    seeds: int
    choose_rate: str
    milestone: float | None
    equivalence: float | None
    primary: tuple[str, ...]
    planned: tuple[int, ...]
    looked: tuple[int, ...]
    level: float
    family: int
    orphans: int
    pending: int
    mixed: tuple[str, ...]
    results: tuple[ArmResult, ...]
    effects: tuple[FactorEffect, ...] = ()
    damaged: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    in_parts: tuple[str, ...] = ()
    published: tuple[JudgedClaim, ...] = ()
    training: str = ""

    @classmethod
    def from_folder(cls, folder: Path, plan: ComparisonPlan) -> Self:
        """Read a comparison, finished or not.

        Raises:
            InputError: a file of it cannot be read.
        """
        damaged: list[DamagedFileError] = []
        runs = {spec.key: (spec, result) for spec, result in iter_runs(folder, damaged)}
        built = [TrainedArm.read(folder, plan, entry, runs) for entry in plan.entries]
        planned = plan.planned or plan.settings.looks
        lost_looks: list[str] = []
        looked = seeds_looked_at(read_looks(folder, lost_looks), plan.seeds)
        level = level_at(planned, looked)
        results, family = compare_arms(built, plan, level)
        ours = {candidate for entry in plan.entries for candidate in entry.candidates}
        chosen, final = plan.trainings()
        settings = plan.settings
        sign = 1 if settings.objective.mode == "max" else -1
        effects = factor_effects(built, sign, bounds_of(settings.objective.monitor), level)
        return cls(
            name=settings.name,
            monitor=settings.objective.monitor,
            mode=settings.objective.mode,
            baseline=next(entry.arm for entry in plan.entries if entry.against is None),
            factors=dict(settings.factors),
            matchings=tuple(settings.match.by),
            seeds=plan.seeds,
            choose_rate=settings.choose_rate if plan.chooses else "one",
            milestone=settings.milestone,
            equivalence=settings.margin,
            primary=tuple(filter(None, (settings.primary.arm, settings.primary.against))),
            planned=planned,
            looked=looked,
            level=level,
            family=family,
            orphans=sum(r is not None and s.candidate_id not in ours for s, r in runs.values()),
            pending=chosen + final - len({k for arm in built for k in arm.finished_keys}),
            mixed=mixtures(built),
            results=tuple(results),
            effects=tuple(effect for effect in effects if effect.answered),
            cut=tuple(cut_short(folder)),
            in_parts=tuple(
                dict.fromkeys(
                    f"{arm.entry.arm} at {arm.entry.cell.name}".removesuffix(" at ")
                    for arm in built
                    if any(result.batch_norm_in_parts for _, result in arm.runs)
                )
            ),
            published=judge_claims(plan, results, effects),
            training=length_of_training(plan.entries),
            damaged=(
                *notes_on(damaged, folder),
                *lost_looks,
                *lost_notes(arm.evidence for arm in built),
            ),
        )

    @property
    def given_rates(self) -> bool:
        """Whether conclusions hold for the chosen learning rates only: one choice for all."""
        return self.choose_rate == "once"

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.mode == "max" else -1

    def speaks_of(self, result: ArmResult, versus: Versus) -> bool:
        """Whether a conclusion may speak of a difference of an arm to another.

        Both are usable, and at least one is shown to have learnt something: two networks that guess
        are neither alike nor different in what is asked.
        """
        other = self._places.get((result.cell, result.matching, versus.against))
        if other is None:
            return result.usable
        return result.usable and other.usable and not (result.at_chance and other.at_chance)

    @cached_property
    def _places(self) -> dict[tuple[str, str, str], ArmResult]:
        """Arms by cell, matching and label."""
        return {(r.cell, r.matching, r.arm): r for r in self.results}

    @property
    def spoken_of(self) -> tuple[tuple[ArmResult, Versus], ...]:
        """Arms with the difference to what they stand against of which a conclusion may speak."""
        return tuple(
            (result, result.versus)
            for result in self.results
            if result.versus is not None and self.speaks_of(result, result.versus)
        )

    @property
    def detectable(self) -> tuple[float, ...]:
        """Of each of these the least true difference that is found four times in five."""
        known = (versus.detectable for _, versus in self.spoken_of)
        return tuple(least for least in known if least is not None)

    def sign_survives(self, cell: str, arm: str, cause: str = "") -> Survival:
        """Whether an arm's difference is shown, with one sign, by parameters and by MACs.

        Args:
            cell: the factors' levels in words.
            arm: its label.
            cause: of the difference to a control; empty for the one to the baseline.
        """
        by_parameters, by_macs = (
            _difference(self._places.get((cell, matching, arm)), cause)
            for matching in ("parameters", "macs")
        )
        return survives(by_parameters, by_macs)

    def digest(self) -> str:
        """Hash over every digit except what a clock or a memory gauge measured, and the name.

        Effects of factors are computed from the other digits.
        """
        content = self.to_dict()
        del content["name"], content["schema_version"], content["effects"]
        content.pop("published", None)  # what is published changes no result
        for result in content["results"]:
            for name in MEASURED:
                result.pop(name, None)  # arms have not all that rows of a study have
            if not result["test_groups"]:
                del result["test_groups"]
            result["residuals"].pop("latency", None)
        text = json.dumps(json_ready(content), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """What ``comparison.json`` says of results."""
        content = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        del content["cut"], content["in_parts"], content["training"]
        if not self.published:
            del content["published"]
        for result, plain in zip(self.results, content["results"], strict=True):
            for versus in filter(None, (plain["versus"], *plain["controls"])):
                del versus["estimate"]
            if result.versus:
                plain["versus"]["verdict"] = result.versus.verdict
            for control, other in zip(result.controls, plain["controls"], strict=True):
                other["verdict"] = control.verdict
            if result.fresh is None:
                del plain["fresh"]
            plain["sign_survives"] = self.sign_survives(result.cell, result.arm)
        for effect, plain in zip(self.effects, content["effects"], strict=True):
            del plain["versus"]["estimate"], plain["versus"]["against"], plain["versus"]["cause"]
            plain["versus"]["verdict"] = effect.versus.verdict
            del plain["pairs"]
            plain["name"] = effect.name
        return content

    def table(self) -> RowTable:
        """The rows of the CSV: one per difference, and one for each arm without."""
        starts = any(result.fresh is not None for result in self.results)
        skipped = (*_NESTED, *_LISTS, *([] if starts else ["fresh"]))
        arm_columns = [f.name for f in fields(ArmResult) if f.name not in skipped]
        versus_columns = [
            f.name for f in fields(Versus) if f.name not in ("against", "sign", "estimate")
        ]
        rows = []
        for result in self.results:
            for versus in (result.versus, *result.controls):
                if versus is None and result.controls:
                    continue
                against = replace(result, against=versus.against) if versus else result
                row = {name: getattr(against, name) for name in arm_columns}
                row["learning_rate"] = result.rates_text or result.learning_rate
                row["given_learning_rates"] = self.given_rates
                for cost in ("parameters", "macs", "latency"):
                    row[f"residual_{cost}"] = result.residuals.get(cost)
                row["blocks"] = " | ".join(result.words)
                for name in versus_columns:
                    head = "shared_seeds" if name == "seeds" else name
                    row[head] = getattr(versus, name, None)
                row["verdict"] = versus.verdict if versus else None
                rows.append(row | claim_cells(self.published, against))
        return RowTable(list(rows[0]), rows, _VISIBLE_COLUMNS)

    def to_csv(self) -> str:
        """The table as CSV; every digit, unknown values empty."""
        return self.table().to_csv()


def _difference(result: ArmResult | None, cause: str) -> Versus | None:
    """An arm's difference to the control for a cause; to the baseline if that is empty."""
    sides = (result.versus, *result.controls) if result else ()
    return next((v for v in sides if v is not None and v.cause == cause), None)
