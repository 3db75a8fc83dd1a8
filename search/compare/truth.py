"""What is known of a task beforehand: of the reach task, what an arm's reach allows."""

from dataclasses import dataclass, field

from hybrid_swin.data.constellation import ConstellationSource
from hybrid_swin.reach.bayes import constellation_accuracy
from hybrid_swin.reach.ceiling import variant_ceiling
from search.compare.plan import Cell, Plan

_SOURCE = "constellation"


@dataclass(frozen=True)
class Truth:
    """Known accuracies, by the levels of the one numeric factor.

    Args:
        ceilings: by arm, what its reach allows; None where that is not known.
        best: what no network can pass; none where that is not known.
    """

    ceilings: dict[str, list[float | None]] = field(default_factory=dict)
    best: list[float] = field(default_factory=list)


def truth_of(plan: Plan, factor: str) -> Truth:
    """What is known at each level of a factor; nothing of other tasks than the reach task.

    An arm's ceiling is that of its network under the first matching, at the first levels of all
    other factors; neither widths nor weights change what a token can see.
    """
    settings = plan.settings
    if settings.data.source != _SOURCE or settings.data.class_path is not None:
        return Truth()
    ceilings: dict[str, list[float | None]] = {}
    best = []
    for level in settings.factors[factor]:
        cell = next(cell for cell in plan.cells if cell.levels[factor] == level)
        best.append(_best(cell))
        for entry in plan.entries:
            if entry.cell == cell and entry.matching == settings.match.by[0]:
                source = _source(cell)
                found = variant_ceiling(entry.variant, source.layout, source.cell).accuracy
                ceilings.setdefault(entry.arm, []).append(min(found, best[-1]))
    return Truth(ceilings, best)


def _source(cell: Cell) -> ConstellationSource:
    return ConstellationSource(**cell.data.options)


def _best(cell: Cell) -> float:
    source = _source(cell)
    bits = source.layout.side**2 * source.layout.constellations
    return constellation_accuracy(bits, source.flip)
