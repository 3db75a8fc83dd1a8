"""What a study improves: the values of a run, and the point from which a front is measured.

The score comes first, then the costs to be kept low. A cost that is known before training is the
closed form; latency (ms) and memory (MiB) are what a worker measured.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from hybrid_swin.errors import InputError
from search.records.runs import RunResult, RunSpec
from search.settings.study import MEASURED_COSTS, StudyObjective
from search.study.pareto import Direction

# The worst a metric can sensibly be; of the loss it depends on the number of classes.
_WORST = {"val/calibration_error": 1.0}
# The reference lies this much beyond the largest cost, so that the highest one counts.
_BEYOND = 1.1


def names(objective: StudyObjective) -> list[str]:
    """The objectives, the score first."""
    return [objective.monitor, *objective.against]


def directions(objective: StudyObjective) -> list[Direction]:
    """Whether more or less of each is better."""
    costs: list[Direction] = ["min"] * len(objective.against)
    return [objective.mode, *costs]


def values_of(spec: RunSpec, result: RunResult, against: Sequence[str]) -> tuple[float | None, ...]:
    """A run's objectives; None if one is unknown."""
    return (result.score, *(cost_of(spec, result, name) for name in against))


def finite_values(spec: RunSpec, result: RunResult, against: Sequence[str]) -> list[float] | None:
    """A run's objectives; None if one of them is unknown or not a finite number."""
    values = values_of(spec, result, against)
    known = [value for value in values if value is not None and math.isfinite(value)]
    return known if len(known) == len(values) else None


def cost_of(spec: RunSpec, result: RunResult, name: str) -> float | None:
    """One cost of a run."""
    if name == "latency":
        return (result.latency or {}).get("median_ms")
    if name == "memory":
        return result.peak_memory_mb
    return spec.cost.get(name)


def check(objective: StudyObjective) -> None:
    """Raise InputError for costs named twice, or a reference that is none of the objectives."""
    twice = [n for i, n in enumerate(objective.against) if n in objective.against[:i]]
    if twice:
        raise InputError(f"objective.against names {twice[0]} twice")
    if objective.reference and not objective.against:
        raise InputError(
            "objective.reference is the point that a Pareto front is measured from; give "
            "objective.against, such as [macs], or leave it out"
        )
    for name, value in objective.reference.items():
        if name not in names(objective):
            raise InputError(
                f"objective.reference: {name!r} is not an objective; they are "
                f"{', '.join(names(objective))}"
            )
        if not math.isfinite(value):
            raise InputError(f"objective.reference.{name} must be a number; got {value}")
        if name in objective.against and value <= 0:
            raise InputError(
                f"objective.reference.{name} is the most that still counts, so above 0; got {value}"
            )
        if name == objective.monitor and name != "val/loss" and not 0 <= value < 1:
            raise InputError(
                f"objective.reference.{name} is the worst score that still counts, as a share from "
                f"0 to 1; got {value}"
            )
    for name in MEASURED_COSTS:
        if name in objective.against and name not in objective.reference:
            raise InputError(
                f"objective.against {name} is measured, so its worst value cannot be known "
                f"beforehand; give objective.reference, for example {{{name}: 50}}"
            )


def reference_point(
    objective: StudyObjective,
    num_classes: int,
    limits: Mapping[str, int],
    seen: Iterable[Mapping[str, int]],
) -> dict[str, float]:
    """The point that the hypervolume is measured from; empty for a single objective.

    A loss is worst at that of guessing one of ``num_classes``; ``seen`` are costs of candidates.
    """
    if not objective.against:
        return {}
    costs = list(seen)
    worst = math.log(num_classes) if objective.monitor == "val/loss" else 0.0
    point = {objective.monitor: _WORST.get(objective.monitor, worst)}
    for name in objective.against:
        if name in limits:
            point[name] = _BEYOND * limits[name]
        elif name not in MEASURED_COSTS:
            point[name] = _BEYOND * max(cost[name] for cost in costs)
    return point | dict(objective.reference)
