"""What must be said of a study beside its rows: its Pareto front, and how costs were matched."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hybrid_swin.system.files import DamagedFileError
from search.records.imported import read_imported
from search.records.runs import FinishedRun
from search.records.study_file import read_fixed
from search.settings.study import BudgetSettings, StudyObjective, StudySettings
from search.statistics.formatting import counted
from search.study import objectives
from search.study.pareto import front, hypervolume


def study_notes(folder: Path, settings: StudySettings, runs: Sequence[FinishedRun]) -> list[str]:
    """Sentences on a study of several objectives, or of matched costs; else none."""
    notes = [*_imported(folder), *_matched(settings.budget, runs)]
    reference = read_fixed(folder).reference_point
    if settings.objective.against and reference:
        notes += _front(settings.objective, reference, runs)
    return notes


def _imported(folder: Path) -> list[str]:
    """What a study began with: it did not find that, and did not pay for all of it."""
    damaged: list[DamagedFileError] = []
    imported = read_imported(folder, damaged)
    if damaged:
        return [f"{damaged[0]}: which trials were given to the search is not known in full."]
    if imported is None:
        return []
    taken, count = len(imported.taken_over), len(imported.candidates)
    text = f"The search began with {counted(count, 'candidate')} from {imported.source}"
    if taken:
        text += f"; {counted(taken, 'run')} taken over from there {'is' if taken == 1 else 'are'} "
        text += "not counted as search cost"
    among = f" among {imported.tried}" if imported.tried > count else ""
    chosen = f"Validation chose them there{among}" if imported.monitor else "It did not find them"
    text += f". {chosen}: what the search is ahead of random candidates or of a random search is "
    text += "partly theirs"
    if taken:
        text += ". What was retrained there as well had the same fresh seeds: its scores here are "
        text += "not new evidence"
    return [f"{text}."]


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
