"""The width solver by the clock: the same variant, made as wide as a given time allows."""

from collections.abc import Callable
from dataclasses import dataclass

from hybrid_swin.cost import Cost, count_cost
from hybrid_swin.cost.width_solver import WidthMatch, changes, match_cost, read_tolerance
from hybrid_swin.errors import InputError
from hybrid_swin.spec.variant import Variant

_MOST_MEASURED = 10
_ANY = 0.5  # of the MACs aimed at: the best-proportioned widths near them will do


@dataclass(frozen=True)
class Measured:
    """A time in any unit, and its noise in the same: an interquartile range."""

    value: float
    noise: float


def match_latency(
    variant: Variant,
    to: float,
    measure: Callable[[Variant], Measured],
    *,
    reference: Cost | None = None,
    tolerance: float = 0.05,
) -> tuple[WidthMatch, Measured]:
    """The variant with widths such that ``measure`` gives ``to``, and what it gave.

    Aims at MACs, first by the rule of three, then along the line through the nearest measurements;
    `width_solver.match_cost` finds the widths. Ends when the target is met within the tolerance, or
    when there are no widths left to try.

    Args:
        variant: what to scale.
        to: the time to meet, in the unit of ``measure``: milliseconds, or a ratio to another.
        measure: the clock.
        reference: adds the residuals of what is counted.
        tolerance: the largest residual, as a share; where the noise is larger, that.

    Raises:
        InputError: nothing comes near enough (it says what was reached).
    """
    if not 0 < to < float("inf"):
        raise InputError(f"the latency to match must be a number above 0; got {to!r}")
    tolerance = read_tolerance(tolerance)
    tried: dict[Variant, list[Measured]] = {}
    candidate = variant
    for _ in range(_MOST_MEASURED):
        seen = tried.setdefault(candidate, [])
        seen.append(measure(candidate))
        # What comes up again is measured again, and the less disturbed time counts.
        if abs(_least(seen).value / to - 1) <= tolerance or len(seen) > 2:
            break
        aim = _next_macs([(count_cost(v).macs, _least(m).value) for v, m in tried.items()], to)
        try:
            candidate = match_cost(variant, aim, "macs", tolerance=_ANY, fields=["width"]).variant
        except InputError:  # beyond the widths that are tried
            break
    nearest = min(tried, key=lambda v: abs(_least(tried[v]).value / to - 1))
    measured = _least(tried[nearest])
    residual = measured.value / to - 1
    if abs(residual) > max(tolerance, measured.noise / to):
        values = sorted(_least(seen).value for seen in tried.values())
        raise InputError(
            f"{variant.name!r} cannot be brought to a time of {to:.4g} within {tolerance:.2%} by "
            f"changing widths; {len(tried)} of them measured from {values[0]:.4g} to "
            f"{values[-1]:.4g}, the nearest {measured.value:.4g} (interquartile range "
            f"{measured.noise:.2g}); allow a larger tolerance, or match by macs"
        )
    cost = count_cost(nearest)
    residuals = cost.relative_to(reference or Cost()) | {"latency": residual}
    return WidthMatch(nearest, cost, residuals, changes(variant, nearest)), measured


def _least(seen: list[Measured]) -> Measured:
    return min(seen, key=lambda m: m.value)


def _next_macs(points: list[tuple[float, float]], to: float) -> float:
    """Where the line through the two points nearest to the target meets it.

    Clamped to a factor of four, and to halfway between points on either side of the target where
    the line leads out of these: times are noisy, and need not grow with every width.
    """
    macs, time = min(points, key=lambda p: abs(p[1] - to))
    others = [p for p in points if p[0] != macs and (p[1] - time) * (p[0] - macs) > 0]
    aim = macs * to / time
    if others:
        other = min(others, key=lambda p: abs(p[1] - to))
        aim = macs + (to - time) * (other[0] - macs) / (other[1] - time)
    aim = min(max(aim, macs / 4), macs * 4)
    below = max((m for m, t in points if t < to), default=0.0)
    above = min((m for m, t in points if t >= to), default=float("inf"))
    if 0 < below < above < float("inf") and not below < aim < above:
        aim = (below * above) ** 0.5
    return aim
