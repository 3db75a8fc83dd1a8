"""Arms of equal cost: widths solved for it, or a baseline with a branch that costs as much."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hybrid_swin.cost import count_cost
from hybrid_swin.cost.width_solver import match_cost
from hybrid_swin.errors import InputError
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.variant import Variant
from search.settings.comparison import MatchBy, MatchSettings

_MOST_RATIO = 64.0  # of `pointwise`
_HALVINGS = 40


@dataclass(frozen=True)
class MatchedNetwork:
    """A network of the wanted cost.

    Args:
        variant: the network.
        residuals: by what share each cost exceeds the target's.
        adjuster: what was moved, in words; empty where nothing was.
    """

    variant: Variant
    residuals: dict[str, float]
    adjuster: str = ""


LatencyMatcher = Callable[[Variant, Variant], MatchedNetwork]
"""Makes the first as quick as the second, by the clock."""


def match_arm(
    variant: Variant,
    target: Variant,
    by: MatchBy,
    settings: MatchSettings,
    latency: LatencyMatcher | None,
) -> MatchedNetwork:
    """An arm with the target's cost.

    Raises:
        InputError: no widths give that cost.
    """
    if by == "latency":
        if latency is None:
            raise RuntimeError("matching by latency needs a clock")
        return latency(variant, target)
    if by == "macs" or by == "parameters":
        match = match_cost(
            variant, target, by, tolerance=settings.tolerance, fields=settings.fields
        )
        return MatchedNetwork(match.variant, match.residuals, match.adjuster)
    return MatchedNetwork(variant, count_cost(variant).relative_to(count_cost(target)))


def with_pointwise(plain: Variant, arm: Variant, tolerance: float) -> MatchedNetwork:
    """The plain network with a `pointwise` branch in the blocks that differ, as costly as the arm.

    All branches have the same ratio of hidden units, solved for the arm's MACs. Its residuals are
    against the arm.

    Raises:
        InputError: the arm costs no more than the plain network, so there is nothing to add.
    """
    target = count_cost(arm)
    if target.macs <= count_cost(plain).macs:
        raise InputError(
            f"{target.macs:,} MACs are not more than the baseline's {count_cost(plain).macs:,}, so "
            "no branch can be added to the baseline; match by macs instead"
        )
    low, high = 0.0, _MOST_RATIO
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if count_cost(_beside(plain, arm, middle)).macs < target.macs:
            low = middle
        else:
            high = middle
    solved = _beside(plain, arm, round(high, 4))
    residuals = count_cost(solved).relative_to(target)
    if abs(residuals["macs"]) > tolerance:
        raise InputError(
            f"no pointwise branch makes the baseline cost {target.macs:,} MACs within "
            f"{tolerance:.1%}; the nearest has {count_cost(solved).macs:,}; allow a larger "
            "match.tolerance"
        )
    return MatchedNetwork(solved, residuals, f"pointwise ratio {high:.4g}")


def _beside(plain: Variant, arm: Variant, ratio: float) -> Variant:
    """The plain network with a pointwise branch in every block where the arm has other words."""
    if [len(stage.words()) for stage in plain.stages] != [len(s.words()) for s in arm.stages]:
        raise InputError(
            "the arm has other stages or depths than the baseline, so no branch of the baseline "
            "can stand for what it adds; match by macs instead"
        )
    stages = []
    for stage, other in zip(plain.stages, arm.stages, strict=True):
        fused = next((word for word in stage.words() if ":" in word), None)
        if fused is not None:
            raise InputError(
                f"{fused!r} of the baseline has a fusion already, so no pointwise branch can be "
                "put beside it; match by macs instead"
            )
        words = [
            f"{word}+pointwise(ratio={max(ratio, 1e-4):.4f})"
            if parse(word).canonical() != parse(changed).canonical()
            else word
            for word, changed in zip(stage.words(), other.words(), strict=True)
        ]
        stages.append(replace(stage, blocks=tuple(words)))
    return replace(plain, stages=tuple(stages))
