"""What is known of a task beforehand: of the reach task, what an arm's reach allows."""

from dataclasses import dataclass, field

from hybrid_swin.data.sources.constellation import ConstellationSource
from hybrid_swin.data.synthetic.bayes import constellation_accuracy
from hybrid_swin.inspection.measures.reach_ceiling import variant_ceiling
from search.comparison.design.factors import Cell
from search.comparison.design.plan import ComparisonPlan

_SOURCE = "constellation"


@dataclass(frozen=True)
class KnownAccuracy:
    """Known accuracies.

    Args:
        ceilings: by cell and arm: what a network gets that guesses where no token sees a pair. Not
            a strict bound if tokens know their place: see
            ``hybrid_swin.inspection.measures.reach_ceiling``.
        best: by cell: what no network can pass.
    """

    ceilings: dict[tuple[str, str], float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)


UNKNOWN = KnownAccuracy()


def truth_of(plan: ComparisonPlan) -> KnownAccuracy:
    """What is known of each arm in each cell; nothing of other tasks and other metrics.

    An arm's ceiling is that of its network under the first matching: neither widths nor weights
    change what a token can see.
    """
    settings = plan.settings
    if settings.data.source != _SOURCE or settings.data.class_path is not None:
        return UNKNOWN
    if settings.objective.monitor != "val/accuracy":
        return UNKNOWN
    best = {cell.name: _best(cell) for cell in plan.cells}
    ceilings: dict[tuple[str, str], float] = {}
    for entry in plan.entries:
        key = entry.cell.name, entry.arm
        if key not in ceilings:
            source = _source(entry.cell)
            ceiling = variant_ceiling(entry.variant, source.layout, source.cell).accuracy
            ceilings[key] = min(ceiling, best[entry.cell.name])
    return KnownAccuracy(ceilings, best)


def _source(cell: Cell) -> ConstellationSource:
    return ConstellationSource(**cell.data.options)


def _best(cell: Cell) -> float:
    source = _source(cell)
    bits = source.layout.side**2 * source.layout.constellations
    return constellation_accuracy(bits, source.flip)
