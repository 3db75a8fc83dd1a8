"""What must be said of a study beside its rows: its Pareto front, and how costs were matched."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from search import objectives
from search.pareto import front, hypervolume
from search.run_folder import RunResult, RunSpec, read_json
from search.settings import StudyObjective
from search.study_folder import FIXED

Ended = Sequence[tuple[RunSpec, RunResult]]


def study_notes(folder: Path, settings: Mapping[str, Any], ended: Ended) -> list[str]:
    """Sentences on a study of several objectives, or of matched costs; else none."""
    fixed = read_json(folder / FIXED) if (folder / FIXED).exists() else {}
    objective = settings.get("objective") or {}
    said = _matched(settings.get("budget") or {}, ended)
    reference = fixed.get("reference_point") or {}
    if objective.get("against") and reference:
        known = StudyObjective(objective["monitor"], objective["mode"], tuple(objective["against"]))
        said += _front(known, reference, ended)
    return said


def _front(objective: StudyObjective, reference: Mapping[str, float], ended: Ended) -> list[str]:
    """How much of the objectives' space the search came to dominate."""
    points = [
        values
        for spec, result in ended
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


def _matched(budget: Mapping[str, Any], ended: Ended) -> list[str]:
    """Which cost all networks share, and how far the others lie apart."""
    specs = [spec for spec, _ in ended if spec.matched]
    if not specs:
        return []
    by = "macs" if budget.get("macs") is not None else "parameters"
    worst = max(abs(spec.matched["residuals"].get(by, 0.0)) for spec in specs)
    others = []
    for name in ("parameters", "macs", "activations"):
        if name != by:
            amounts = [spec.cost[name] for spec in specs]
            others.append(f"{name} from {min(amounts):,} to {max(amounts):,}")
    return [
        f"Widths were solved so that every network has {budget[by]} {by}, within {worst:.1%}; "
        f"{', '.join(others)}."
    ]
