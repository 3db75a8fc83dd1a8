"""Which runs of a search are retrained: the best, or where costs count as well, the best front."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hybrid_swin.system.files import DamagedFileError, natural_order
from search.records.finalists_file import read_finalists
from search.records.runs import FinishedRun, RunSpec
from search.settings.study import StudyObjective
from search.study import objectives
from search.study.pareto import front, hypervolume

_NAMES = {"baselines": "baseline", "random_search": "random search"}


def choose_finalists(
    runs: Sequence[FinishedRun],
    top: int,
    objective: StudyObjective,
    reference: Mapping[str, float] | None = None,
) -> list[RunSpec]:
    """The best runs that came to their end, by validation; the earlier one where they tie.

    With several objectives those of the Pareto front that together dominate most: one after the
    other, each adding the largest hypervolume to those before (a greedy choice, within 1 - 1/e of
    the best one).

    Source: Greedy Hypervolume Subset Selection in Low Dimensions, 2016,
    https://doi.org/10.1162/EVCO_a_00188
    """
    complete = [
        (spec, values)
        for spec, result in sorted(runs, key=lambda run: natural_order(run[0].key))
        if result.state == "complete"
        and None not in (values := objectives.values_of(spec, result, objective.against))
    ]
    if objective.against:
        return _spread(complete, top, objective, reference or {})
    sign = -1 if objective.mode == "max" else 1
    ranked = sorted(complete, key=lambda run: sign * (run[1][0] or 0.0))  # stable
    return [spec for spec, _ in ranked[:top]]


def _spread(
    complete: Sequence[tuple[RunSpec, tuple[Any, ...]]],
    top: int,
    objective: StudyObjective,
    reference: Mapping[str, float],
) -> list[RunSpec]:
    ways = objectives.directions(objective)
    corner = [reference[name] for name in objectives.names(objective)]
    left = [complete[place] for place in front([values for _, values in complete], ways)]
    chosen: list[tuple[RunSpec, tuple[Any, ...]]] = []
    while left and len(chosen) < top:
        points = [values for _, values in chosen]
        gains = [hypervolume([*points, values], corner, ways) for _, values in left]
        chosen.append(left.pop(max(range(len(left)), key=lambda place: gains[place])))
    return [spec for spec, _ in chosen]


def each_once(specs: Sequence[RunSpec], others: Sequence[RunSpec]) -> list[RunSpec]:
    """Each candidate once, as it was chosen first, and none of the others' candidates."""
    seen = {spec.candidate_id for spec in others}
    first = {spec.candidate_id: spec for spec in reversed(specs)}
    return [spec for spec in reversed(first.values()) if spec.candidate_id not in seen]


def choosers(
    folder: Path, candidates: Mapping[str, str], damaged: list[DamagedFileError] | None = None
) -> dict[str, tuple[str, ...]]:
    """Who had a candidate retrained, by its identity; several may agree, also on a baseline.

    ``candidates`` are identities by the key of their run; ``damaged`` collects a damaged file,
    which then says nothing. Raises InputError if the file cannot be read.
    """
    names: dict[str, tuple[str, ...]] = {}
    for name, keys in read_finalists(folder, damaged).items():
        for candidate in {candidates[key]: None for key in keys if key in candidates}:
            names[candidate] = (*names.get(candidate, ()), _NAMES.get(name, name))
    return names
