"""What must be said of a study beside its rows: its Pareto front, and how costs were matched."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from search.records.runs import FinishedRun
from search.records.study_file import read_fixed
from search.settings.study import BudgetSettings, StudyObjective, StudySettings
from search.study import objectives
from search.study.pareto import front, hypervolume


def study_notes(folder: Path, settings: StudySettings, runs: Sequence[FinishedRun]) -> list[str]:
    """Sentences on a study of several objectives, or of matched costs; else none."""
    notes = _matched(settings.budget, runs)
    reference = read_fixed(folder).reference_point
    if settings.objective.against and reference:
        notes += _front(settings.objective, reference, runs)
    return notes


def _front(
    objective: StudyObjective, reference: Mapping[str, float], runs: Sequence[FinishedRun]
) -> list[str]:
    """How much of the objectives' space the search came to dominate."""
    points = [
        values
        for spec, result in runs
        if spec.kind in ("trial", "audit")
        and result.state == "complete"
        and None not in (values := objectives.values_of(spec, result, objective.against))
    ]
    if not points:
        return []
    ways, names = objectives.directions(objective), objectives.names(objective)
    corner = [reference[name] for name in names]
    volume = hypervolume(points, corner, ways)
    from_ = ", ".join(f"{name} {value:g}" for name, value in zip(names, corner, strict=True))
    return [
        f"Of {len(points)} trials that came to their end {len(front(points, ways))} are on the "
        f"Pareto front of {objective.monitor} against {' and '.join(objective.against)}; they "
        f"dominate a hypervolume of {volume:.4g}, measured from {from_}."
    ]


def _matched(budget: BudgetSettings, runs: Sequence[FinishedRun]) -> list[str]:
    """Which cost all networks share, and how far the others lie apart."""
    specs = [spec for spec, _ in runs if spec.matched]
    if not specs:
        return []
    by = "macs" if budget.macs is not None else "parameters"
    worst = max(abs(spec.matched["residuals"].get(by, 0.0)) for spec in specs)
    others = []
    for name in ("parameters", "macs", "activations"):
        if name != by:
            amounts = [spec.cost[name] for spec in specs]
            others.append(f"{name} from {min(amounts):,} to {max(amounts):,}")
    return [
        f"Widths were solved so that every network has {getattr(budget, by)} {by}, within "
        f"{worst:.1%}; "
        f"{', '.join(others)}."
    ]
