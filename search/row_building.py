"""From runs to rows: means, intervals, and the comparison with the best on test."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any, Literal

from search.predictions import Correctness, read_correctness
from search.row import Fidelity, Proposer, Row
from search.run_folder import RunResult, RunSpec, State
from search.statistics.intervals import (
    Difference,
    crossed_difference,
    paired_difference,
    t_interval,
)
from search.statistics.multiplicity import holm_with_missing, ties_with_best
from search.statistics.probabilities import accuracy_interval
from search.statistics.undertraining import undertrained
from search.statistics.unpaired import unpaired_crossed_difference, unpaired_difference

EndedRun = tuple[RunSpec, RunResult]
MIXED, VARIED = "mixed", "varied"  # hashes of runs that differ, and of splits that were drawn anew
_WORST_LAST: tuple[State, ...] = ("complete", "stopped", "diverged", "failed")


@dataclass(frozen=True)
class Evidence:
    """What a comparison on test needs of a row.

    Args:
        scores: by seed index.
        correct: the images got right, where scores are means over images.
        draws: by seed index what two rows share that share a seed: the seed itself, and the split.
        units: the trainings behind the row, as by `units_of`.
    """

    scores: dict[int, float]
    correct: Correctness | None
    draws: dict[int, tuple[int, str]] = field(default_factory=dict)
    units: frozenset[tuple[Any, ...]] = frozenset()


def units_of(runs: Iterable[EndedRun]) -> frozenset[tuple[Any, ...]]:
    """What makes two trainings one, so that they must not be counted as two.

    Candidate, seed, images, splits and code, or, where the code differs (in a comment, say), the
    same scores to the last digit. Two sets with a member in common have a training in common.
    Runs whose images are not known have none: nobody can tell.
    """
    found: set[tuple[Any, ...]] = set()
    for spec, result in runs:
        if result.state == "complete" and result.data_hash:
            same = (spec.candidate_id, spec.seed, result.data_hash, result.split_hash)
            found |= {(*same, result.code_hash), (*same, result.score, str(result.test))}
    return frozenset(found)


def build_row(
    folder: Path,
    runs: Sequence[EndedRun],
    monitor: str,
    mode: Literal["min", "max"],
    search_score: float | None = None,
) -> tuple[Row, Evidence]:
    """Boil the ended runs of one candidate at one fidelity down to a row.

    A seed that stopped, diverged or failed has no place in the mean; the row's state and ``seeds``
    against ``seeds_asked`` tell of it.
    """
    runs = sorted(runs, key=lambda run: run[0].seed_index)
    spec, results = runs[0][0], [result for _, result in runs]
    whole = [run for run in runs if run[1].state == "complete" and run[1].score is not None]
    scores = tuple(result.score for _, result in whole if result.score is not None)
    shown = scores or _scores_of_broken(results)
    validation = t_interval(shown) if shown else None
    evidence = replace(_evidence(folder, whole, monitor), units=units_of(whole))
    latencies = [result.latency for result in results if result.latency]
    row = Row(
        label=spec.label,
        variant_id=spec.variant_id,
        candidate_id=spec.candidate_id,
        origin=spec.origin or spec.key,
        fidelity=_fidelity(spec),
        is_baseline=any(run_spec.is_baseline for run_spec, _ in runs),
        proposed_by=_proposer(spec),
        validation_mean=validation.mean if validation else None,
        validation_low=validation.low if validation else None,
        validation_high=validation.high if validation else None,
        search_score=search_score,
        parameters=spec.cost.get("parameters"),
        macs=spec.cost.get("macs"),
        activations=spec.cost.get("activations"),
        latency_ms=_middle([latency.get("median_ms") for latency in latencies]),
        latency_device=str(latencies[0].get("device", "")) if latencies else "",
        latency_threads=latencies[0].get("threads") if latencies else None,
        latency_batch=latencies[0].get("batch") if latencies else None,
        peak_memory_mb=max((r.peak_memory_mb for r in results if r.peak_memory_mb), default=None),
        undertrained=_undertrained([result for _, result in whole], monitor, mode),
        **_about_runs(runs),
        **_about_scores(whole),
        variant=spec.variant,
        recipe=spec.recipe,
        params=spec.params,
    )
    return _with_test(row, evidence), evidence


def compare_with_best(ranked: Sequence[tuple[Row, Evidence]]) -> list[Row]:
    """Add to every row its difference to the first one on test, and whether it ties with it.

    The first row was chosen on validation, so the test comparison is no part of its choice. Rows
    are paired by the seeds and splits that both of them had.
    """
    if not ranked:
        return []
    (best, best_evidence), others = ranked[0], ranked[1:]
    differences = [_difference(evidence, best_evidence) for _, evidence in others]
    compared = [found[0] for found in differences if found is not None]
    ties = iter(ties_with_best(compared))
    adjusted = iter(holm_with_missing([d.p_value for d in compared]))
    rows = [best]
    for (row, _), found in zip(others, differences, strict=True):
        if found is not None:
            difference, paired = found
            row = replace(
                row,
                difference=difference.mean,
                difference_low=difference.low,
                difference_high=difference.high,
                difference_paired=paired,
                difference_p=next(adjusted),
                ties_with_best=next(ties),
            )
        rows.append(row)
    return rows


def build_mean_row(runs: Sequence[EndedRun], monitor: str) -> Row:
    """What a candidate drawn at random gives: the mean of some, with a t interval over them.

    Each was trained once, with a fresh seed, so the interval covers candidates and seeds.
    """
    whole = [run for run in runs if run[1].state == "complete" and run[1].score is not None]
    scores = tuple(result.score for _, result in whole if result.score is not None)
    tests = [(r.test or {}).get(monitor.replace("val/", "test/", 1), math.nan) for _, r in whole]
    known = tuple(test for test in tests if math.isfinite(test))
    validation, test = (t_interval(values) if values else None for values in (scores, known))
    return Row(
        label=f"mean of {len(runs)} random candidates",
        variant_id="",
        candidate_id="mean_random",
        origin="random",
        fidelity="random",
        is_baseline=False,
        proposed_by="chance",
        validation_mean=validation.mean if validation else None,
        validation_low=validation.low if validation else None,
        validation_high=validation.high if validation else None,
        test_mean=test.mean if test else None,
        test_low=test.low if test else None,
        test_high=test.high if test else None,
        test_covers="candidates" if test and test.low is not None else "",
        parameters=_whole_mean([spec.cost.get("parameters") for spec, _ in runs]),
        macs=_whole_mean([spec.cost.get("macs") for spec, _ in runs]),
        activations=_whole_mean([spec.cost.get("activations") for spec, _ in runs]),
        test_scores=known,
        **_about_runs(runs),
        **_about_scores(whole),
    )


def _about_runs(runs: Sequence[EndedRun]) -> dict[str, Any]:
    """Columns over all ended runs of a row: how they ended, what they took, what they were of."""
    results = [result for _, result in runs]
    return {
        "state": max((result.state for result in results), key=_WORST_LAST.index),
        "seeds_asked": len(runs),
        "epochs": min(result.epochs for result in results),
        "epochs_planned": results[0].epochs_planned,
        "train_seconds": _mean([result.seconds.get("fit") for result in results]),
        "device": _common([result.device for result in results]),
        "precision": _common([result.precision for result in results]),
        "data_hash": _common([result.data_hash for result in results]),
        "split_hash": _common_split(results),
        "test_hash": _common([result.test_hash for result in results]),
        "code_hash": _common([result.code_hash for result in results]),
        "keys": tuple(spec.key for spec, _ in runs),
    }


def _about_scores(whole: Sequence[EndedRun]) -> dict[str, Any]:
    """Columns over the runs that came to their end with a score."""
    return {
        "seeds": len(whole),
        "validation_scores": tuple(result.score for _, result in whole),
        "metrics": _mean_metrics([result.metrics for _, result in whole]),
        "test_metrics": _mean_metrics([result.test or {} for _, result in whole]),
    }


def _proposer(spec: RunSpec) -> Proposer:
    if spec.kind == "reference":
        return "reference"
    if spec.is_baseline:
        return "baseline"
    return "random search" if (spec.origin or spec.key).startswith("random/") else "search"


def _fidelity(spec: RunSpec) -> Fidelity:
    return "reference" if spec.kind == "reference" else spec.stage


def _scores_of_broken(results: Sequence[RunResult]) -> tuple[float, ...]:
    """The last score of a run that did not complete is worth showing where it is the only run."""
    return tuple(r.score for r in results if r.score is not None) if len(results) == 1 else ()


def _evidence(folder: Path, whole: Sequence[EndedRun], monitor: str) -> Evidence:
    metric = monitor.replace("val/", "test/", 1)
    scores = {
        spec.seed_index: result.test[metric]
        for spec, result in whole
        if result.test is not None and math.isfinite(result.test.get(metric, math.nan))
    }
    draws = {s.seed_index: (s.seed, r.split_hash) for s, r in whole if s.seed_index in scores}
    if metric != "test/accuracy" or not scores:  # only accuracy is a mean over images
        return Evidence(scores, None, draws)
    folders = {s.seed_index: folder / s.key for s, _ in whole if s.seed_index in scores}
    return Evidence(scores, read_correctness(folders, scores), draws)


def _with_test(row: Row, evidence: Evidence) -> Row:
    if not evidence.scores:
        return row
    scores = tuple(evidence.scores[seed] for seed in sorted(evidence.scores))
    interval = t_interval(scores)
    if evidence.correct is not None:
        correct = evidence.correct
        crossed = accuracy_interval(correct.matrix, groups=correct.groups)
        interval = replace(interval, low=crossed.low, high=crossed.high)
    covers = "seeds" if evidence.correct is None else "seeds and images"
    return replace(
        row,
        test_mean=interval.mean,
        test_low=interval.low,
        test_high=interval.high,
        test_covers="" if interval.low is None else covers,
        test_scores=scores,
    )


def _difference(row: Evidence, best: Evidence) -> tuple[Difference, bool] | None:
    """The first minus the second on test, and whether it is paired; None where one has no score."""
    if not row.scores or not best.scores:
        return None
    of_draw = {draw: seed for seed, draw in best.draws.items()}
    shared = [(s, of_draw[draw]) for s, draw in sorted(row.draws.items()) if draw in of_draw]
    paired = len(shared) >= 2 or min(len(row.scores), len(best.scores)) < 2
    if paired and not shared:
        return None
    mine = [seed for seed, _ in shared] if paired else sorted(row.scores)
    theirs = [seed for _, seed in shared] if paired else sorted(best.scores)
    first, second = row.correct, best.correct
    if first is None or second is None or (first.ids, first.groups) != (second.ids, second.groups):
        over_seeds = paired_difference if paired else unpaired_difference
        scores = [row.scores[seed] for seed in mine], [best.scores[seed] for seed in theirs]
        return over_seeds(*scores), paired
    over_both = crossed_difference if paired else unpaired_crossed_difference
    right = first.of_seeds(mine), second.of_seeds(theirs)
    return over_both(*right, groups=first.groups), paired


def _undertrained(
    results: Sequence[RunResult], monitor: str, mode: Literal["min", "max"]
) -> bool | None:
    judged = [undertrained(r.history, monitor, mode, r.validation_images) for r in results]
    known = [verdict for verdict in judged if verdict is not None]
    return sum(known) * 2 >= len(known) if known else None


def _common(values: Sequence[str]) -> str:
    known = {value for value in values if value}  # a run that failed knows nothing
    return MIXED if len(known) > 1 else next(iter(known), "")


def _common_split(results: Sequence[RunResult]) -> str:
    common = _common([result.split_hash for result in results])
    one_test = _common([result.test_hash for result in results]) not in ("", MIXED)
    return VARIED if common == MIXED and one_test else common


def _finite(values: Sequence[float | None]) -> list[float]:
    return [float(value) for value in values if value is not None and math.isfinite(value)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = _finite(values)
    return fmean(known) if known else None


def _whole_mean(values: Sequence[int | None]) -> int | None:
    mean = _mean(values)
    return None if mean is None else round(mean)


def _middle(values: Sequence[float | None]) -> float | None:
    known = _finite(values)
    return median(known) if known else None


def _mean_metrics(metrics: Sequence[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for one in metrics for name in one})
    means = {name: _mean([one.get(name) for one in metrics]) for name in names}
    return {name: mean for name, mean in means.items() if mean is not None}
