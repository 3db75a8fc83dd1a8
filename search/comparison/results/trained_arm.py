"""From the runs of an arm to its line in a comparison."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import fmean, median_low
from typing import Any, Self

from search.comparison.design.matched_arms import PlannedArm
from search.comparison.design.plan import ComparisonPlan
from search.comparison.results.arm_result import ArmResult
from search.comparison.results.chance import Chance, judge
from search.comparison.results.differences import ArmScores
from search.leaderboard.rows.building import build_row
from search.leaderboard.rows.evidence import Images, RowEvidence
from search.leaderboard.rows.intervals import items_of
from search.leaderboard.rows.row import Row
from search.records.predictions import read_labels
from search.records.runs import FinishedRun, RunResult, RunSpec
from search.statistics.formatting import epochs_text


@dataclass(frozen=True)
class TrainedArm:
    """An entry of the plan with what its runs came to.

    Args:
        entry: the arm as planned.
        rates: number of the chosen learning rate by seed; None while undecided.
        row: what its runs over seeds boil down to; None while none has ended.
        evidence: test scores, and which images were right.
        runs: over seeds, those that ended.
        finished_keys: keys of all runs that ended.
        rate_scores: mean validation by learning rate.
        chance: what a guess scores on test, and whether it is beaten; None: not known.
    """

    entry: PlannedArm
    rates: tuple[int | None, ...]
    row: Row | None
    evidence: RowEvidence
    runs: tuple[FinishedRun, ...]
    finished_keys: tuple[str, ...]
    rate_scores: dict[str, float]
    chance: Chance | None = None

    @classmethod
    def read(
        cls,
        folder: Path,
        plan: ComparisonPlan,
        entry: PlannedArm,
        known: Mapping[str, tuple[RunSpec, RunResult | None]],
    ) -> Self:
        """Pick an entry's runs out of all of the folder, by key."""
        objective = plan.settings.objective
        trials = [plan.selections(entry, number) for number in range(len(entry.recipes))]
        selection_keys = [spec.key for specs in trials for spec in specs]
        results = _results(selection_keys, known)
        rates = tuple(plan.choose(entry, results, seed) for seed in range(plan.seeds))
        finals = [
            plan.final(entry, rate, seed).key for seed, rate in enumerate(rates) if rate is not None
        ]
        results |= _results(finals, known)
        runs = tuple((known[key][0], results[key]) for key in finals if key in results)
        row, evidence = None, RowEvidence({}, None)
        if runs:
            row, evidence = build_row(folder, runs, objective.monitor, objective.mode)
        return cls(
            entry,
            rates,
            row,
            evidence,
            runs,
            tuple(key for key in (*selection_keys, *finals) if key in results),
            {
                f"{entry.recipes[number].learning_rate:g}": mean
                for number, specs in enumerate(trials)
                if (mean := _mean_score([results.get(spec.key) for spec in specs])) is not None
            },
            _chance(folder, runs, evidence, entry, objective.monitor),
        )

    @property
    def side(self) -> ArmScores:
        """What differences need of it."""
        whole = {s.seed_index: r.score for s, r in self.runs if r.state == "complete"}
        scores = {seed: score for seed, score in whole.items() if score is not None}
        return ArmScores(self.entry.arm, scores, self.evidence)

    @property
    def chosen(self) -> tuple[float | None, ...]:
        """The chosen learning rate by seed; None while undecided."""
        recipes = self.entry.recipes
        return tuple(None if n is None else recipes[n].learning_rate for n in self.rates)


def _results(
    keys: Iterable[str], known: Mapping[str, tuple[RunSpec, RunResult | None]]
) -> dict[str, RunResult]:
    """Results of those runs that have one."""
    runs = {key: known[key][1] for key in keys if key in known}
    return {key: result for key, result in runs.items() if result is not None}


def result_of(arm: TrainedArm, plan: ComparisonPlan) -> ArmResult:
    """The line of an arm, without its differences.

    Its residual of latency is there only where arms were matched by the clock, measured in turn:
    times from trainings of their own, taken when workers were busy, say nothing of a difference.
    """
    entry, row = arm.entry, arm.row
    result = ArmResult(
        cell=entry.cell.name,
        levels=dict(entry.cell.levels),
        matching=entry.matching,
        arm=entry.arm,
        words=tuple(" ".join(stage.blocks) for stage in entry.variant.stages),
        against=entry.against or "",
        state=row.state if row else "waiting",
        seeds=row.seeds if row else 0,
        seeds_asked=plan.seeds,
        chosen_rates=arm.chosen,
        learning_rates=tuple(recipe.learning_rate for recipe in entry.recipes),
        rate_scores=arm.rate_scores,
        parameters=entry.cost.parameters,
        macs=entry.cost.macs,
        activations=entry.cost.activations,
        residuals=dict(entry.residuals),
        adjuster=entry.adjuster,
        chance=arm.chance.score if arm.chance else None,
        chance_of=arm.chance.metric if arm.chance else "",
        at_chance=not arm.chance.beaten if arm.chance else None,
    )
    if row is None:
        return result
    shared = {f.name for f in fields(Row)} & {f.name for f in fields(ArmResult)}
    taken = shared - {"state", "seeds", "seeds_asked", "parameters", "macs", "activations"}
    result = replace(result, **{name: getattr(row, name) for name in taken})
    return replace(result, **_milestone(arm, plan))


def images_of(arm: TrainedArm, plan: ComparisonPlan) -> tuple[int, int]:
    """Images that a score is a share of, on validation and on test; 0 where it is not such a share.

    Of images with groups it is their groups: images of one group are not independent.
    """
    images, monitor = arm.evidence.images, plan.settings.objective.monitor
    return items_of(monitor, images.validation_items) or 0, items_of(
        monitor, images.test_items
    ) or 0


def length_of_training(entries: Sequence[PlannedArm]) -> str:
    """Epochs of arms, and their images where the data sets them: ``5 epochs``."""
    recipes = [recipe for entry in entries for recipe in entry.recipes]
    return epochs_text(
        [recipe.epochs for recipe in recipes],
        any(recipe.early_stopping for recipe in recipes),
        {entry.cell.data.epoch_images for entry in entries},
    )


def _milestone(arm: TrainedArm, plan: ComparisonPlan) -> dict[str, Any]:
    """Epochs and steps until validation first reached the milestone; never: infinitely many."""
    goal, objective = plan.settings.milestone, plan.settings.objective
    whole = [result for _, result in arm.runs if result.state == "complete"]
    if goal is None or not whole:
        return {}
    sign = 1 if objective.mode == "max" else -1
    firsts = [
        next(
            (e["epoch"] for e in r.history if sign * e.get(objective.monitor, -sign * math.inf)
             >= sign * goal),
            math.inf,
        )
        for r in whole
    ]  # fmt: skip
    middle = median_low(firsts)
    images = arm.entry.cell.data.epoch_images
    batches = math.ceil(images / arm.entry.recipes[0].batch_size)
    return {
        "milestone_epochs": middle if math.isfinite(middle) else None,
        "milestone_steps": middle * batches if images and math.isfinite(middle) else None,
        "unsolved": sum(math.isinf(first) for first in firsts),
    }


def _chance(
    folder: Path,
    runs: Sequence[FinishedRun],
    evidence: RowEvidence,
    entry: PlannedArm,
    monitor: str,
) -> Chance | None:
    """What guessing comes to on the arm's test images; whole groups are one image."""
    tested = [(s, r) for s, r in runs if r.state == "complete" and r.test is not None]
    if not tested:
        return None
    images = Images.of(tested).test_items
    if evidence.correct is not None:
        names = evidence.correct.groups or evidence.correct.ids
        images = len(set(names)) if evidence.correct.groups else len(names)
    labels = read_labels(folder / tested[0][0].key)
    return judge(
        monitor, [r.test or {} for _, r in tested], labels, images, entry.variant.num_classes
    )


def _mean_score(results: Sequence[RunResult | None]) -> float | None:
    scores = [r.score for r in results if r is not None and r.state == "complete"]
    known = [score for score in scores if score is not None]
    return fmean(known) if known else None
