"""From runs to rows: means and intervals."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from typing import Any, Literal

from search.leaderboard.rows.evidence import Images, RowEvidence, units_of, validated_of
from search.leaderboard.rows.intervals import with_intervals
from search.leaderboard.rows.row import Proposer, Row
from search.records.runs import FinishedRun, RunResult, RunSpec, State
from search.statistics.undertraining import undertrained

MIXED, VARIED = "mixed", "varied"  # hashes of runs that differ, and of splits that were drawn anew
WORST_LAST: tuple[State, ...] = ("complete", "stopped", "diverged", "infeasible", "failed")


def build_row(
    folder: Path,
    runs: Sequence[FinishedRun],
    monitor: str,
    mode: Literal["min", "max"],
    search_score: float | None = None,
) -> tuple[Row, RowEvidence]:
    """Boil the ended runs of one candidate at one fidelity down to a row.

    A seed that stopped, diverged or failed has no place in the mean; the row's state and ``seeds``
    against ``seeds_asked`` tell of it.
    """
    runs = sorted(runs, key=lambda run: run[0].seed_index)
    spec, results = runs[0][0], [result for _, result in runs]
    whole = [run for run in runs if run[1].state == "complete" and run[1].score is not None]
    scores = tuple(result.score for _, result in whole if result.score is not None)
    if len(results) == 1 and results[0].score is not None:
        scores = (results[0].score,)  # also of a run that did not complete
    evidence = RowEvidence.of(folder, whole, monitor)
    row = Row(
        label=spec.label,
        variant_id=spec.variant_id,
        candidate_id=spec.candidate_id,
        origin=spec.origin or spec.key,
        fidelity="reference" if spec.kind == "reference" else spec.stage,
        is_baseline=any(run_spec.is_baseline for run_spec, _ in runs),
        proposed_by=_proposer(spec),
        imported_from=_imported_from(spec, results),
        validation_mean=fmean(scores) if scores else None,
        search_score=search_score,
        parameters=spec.cost.get("parameters"),
        macs=spec.cost.get("macs"),
        activations=spec.cost.get("activations"),
        peak_memory_mb=max((r.peak_memory_mb for r in results if r.peak_memory_mb), default=None),
        undertrained=_undertrained(whole, monitor, mode),
        **_about_latency(results),
        **_about_runs(runs),
        **_about_scores(whole),
        variant=spec.variant,
        recipe=spec.recipe,
        params=spec.params,
    )
    return with_intervals(row, evidence, monitor), evidence


def build_mean_row(
    folder: Path, runs: Sequence[FinishedRun], monitor: str
) -> tuple[Row, RowEvidence]:
    """What a candidate drawn at random gives: the mean of some, with an interval over them.

    Each was trained once, with a fresh seed, so the interval covers candidates and seeds.
    """
    whole = [run for run in runs if run[1].state == "complete" and run[1].score is not None]
    scores = tuple(result.score for _, result in whole if result.score is not None)
    tests = [(r.test or {}).get(monitor.replace("val/", "test/", 1), math.nan) for _, r in whole]
    known = tuple(test for test in tests if math.isfinite(test))
    images = Images.of(whole)
    row = Row(
        label=f"mean of {len(runs)} random candidates",
        variant_id="",
        candidate_id="mean_random",
        origin="random",
        fidelity="random",
        is_baseline=False,
        proposed_by="chance",
        validation_mean=fmean(scores) if scores else None,
        parameters=_whole_mean([spec.cost.get("parameters") for spec, _ in runs]),
        macs=_whole_mean([spec.cost.get("macs") for spec, _ in runs]),
        activations=_whole_mean([spec.cost.get("activations") for spec, _ in runs]),
        **_about_runs(runs),
        **_about_scores(whole),
    )
    row = with_intervals(row, RowEvidence(dict(enumerate(known)), None, images=images), monitor)
    row = replace(row, test_covers="candidates" if row.test_covers else "")
    validated, lost = validated_of(folder, dict(enumerate(whole)), monitor)
    evidence = RowEvidence(
        {},
        None,
        units=units_of(whole),
        images=images,
        validated=validated,
        lost_validated=lost,
    )
    return row, evidence


def _about_runs(runs: Sequence[FinishedRun]) -> dict[str, Any]:
    """Columns over all ended runs of a row: how they ended, what they took, what they were of."""
    results = [result for _, result in runs]
    return {
        "state": max((result.state for result in results), key=WORST_LAST.index),
        "seeds_asked": len(runs),
        "epochs": min(result.epochs for result in results),
        "epochs_planned": results[0].epochs_planned,
        "fresh": _mean([result.fresh for result in results]),
        "train_seconds": _mean([result.seconds.get("fit") for result in results]),
        "device": _common([result.device for result in results]),
        "precision": _common([result.precision for result in results]),
        "data_hash": _common([result.data_hash for result in results]),
        "split_hash": _common_split(results),
        "test_hash": _common([result.test_hash for result in results]),
        "code_hash": _common([result.code_hash for result in results]),
        "keys": tuple(spec.key for spec, _ in runs),
    }


def _about_scores(whole: Sequence[FinishedRun]) -> dict[str, Any]:
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


def _imported_from(spec: RunSpec, results: Sequence[RunResult]) -> str:
    taken_over = any(result.taken_over for result in results)
    return f"{spec.imported_from}{' (taken over)' if taken_over else ''}"


def _undertrained(
    runs: Sequence[FinishedRun], monitor: str, mode: Literal["min", "max"]
) -> bool | None:
    judged = [
        undertrained(
            result.history,
            monitor,
            mode,
            result.validation_groups or result.validation_images,
            int((spec.recipe or {}).get("early_stopping", 0)),
        )
        for spec, result in runs
    ]
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


def _about_latency(results: Sequence[RunResult]) -> dict[str, Any]:
    """The median over seeds, and from where to where their intervals reach; one way, or none."""
    latencies = [result.latency for result in results if result.latency]
    ways = [tuple(one.get(name) for name in ("device", "threads", "batch")) for one in latencies]
    if not ways or any(way != ways[0] for way in ways):
        return {}
    device, threads, batch = ways[0]
    medians = _finite([one.get("median_ms") for one in latencies])
    ends = [_finite([one.get(name) for one in latencies]) for name in ("low_ms", "high_ms")]
    both = all(len(end) == len(latencies) for end in ends)
    return {
        "latency_ms": median(medians) if medians else None,
        "latency_low": min(ends[0]) if both else None,
        "latency_high": max(ends[1]) if both else None,
        "latency_device": str(device or ""),
        "latency_threads": threads,
        "latency_batch": batch,
    }


def _mean_metrics(metrics: Sequence[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for one in metrics for name in one})
    means = {name: _mean([one.get(name) for one in metrics]) for name in names}
    return {name: mean for name, mean in means.items() if mean is not None}
