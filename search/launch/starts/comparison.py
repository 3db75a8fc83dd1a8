"""How a comparison's arms start: checked before any work, and said before the first training."""

from collections.abc import Callable

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.load_save import fill
from hybrid_swin.interop.weights.report import WeightReport
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.recipe_checks import check_anew
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.console import Console
from search.comparison.design.plan import ComparisonPlan
from search.launch.starts.first_weights import how_normalised, kept
from search.launch.starts.shares import starts_of, starts_text
from search.records.first_weights import FirstWeights

_MOST_WARNINGS = 5


def check_start(plan: ComparisonPlan) -> None:
    """Raise InputError where an arm cannot take the first weights, or a recipe misses them.

    No worker need find that out.
    """
    if not plan.init.file:
        for entry in plan.entries:
            check_anew(entry.recipes[0])
        return
    arms: dict[Variant, str] = {}
    for entry in plan.entries:
        arms.setdefault(entry.variant, entry.arm)
    for variant, arm in arms.items():
        _loaded(arm, variant, plan.init)


def _loaded(
    arm: str, variant: Variant, first: FirstWeights, follow_source: bool = False
) -> tuple[HybridSwin, WeightReport]:
    """An arm's network with the first weights. Raises InputError, which names the arm."""
    network = HybridSwin(variant)
    try:
        return network, fill(network, kept(first).source, follow_source=follow_source)
    except InputError as error:
        raise InputError(f"arm {arm!r}: {error}") from None


def arm_follower(first: FirstWeights) -> Callable[[str, Variant], Variant]:
    """Gives an arm's words the rules of windows of the weights' library."""
    known: dict[Variant, Variant] = {}

    def follow(arm: str, variant: Variant) -> Variant:
        if variant not in known:
            known[variant] = _loaded(arm, variant, first, follow_source=True)[0].variant
        return known[variant]

    return follow


def say_start(plan: ComparisonPlan, console: Console) -> None:
    """Print in what the first arm starts otherwise than in the source of its weights."""
    if not plan.init.file:
        return
    first = plan.entries[0]
    _, report = _loaded(first.arm, first.variant, plan.init)
    for line in report.warnings()[:_MOST_WARNINGS]:
        console.say(f"first weights of arm {first.arm!r}: {line}")
    for line in start_lines(plan):
        console.say(f"first weights: {line}")


def start_lines(plan: ComparisonPlan) -> list[str]:
    """By what images are normalised, and how much of each arm of the first cell starts fresh."""
    if not plan.init.file:
        return []
    first = plan.entries[0].cell.name
    arms = {e.arm: e.variant for e in plan.entries if e.cell.name == first}
    starts = starts_of(arms, plan.init)
    return [how_normalised(plan.settings, plan.init), *starts_text(starts)]
