"""The cheapest and the dearest candidates of a space, and what never fits a budget."""

from collections.abc import Callable, Mapping
from typing import Any

from search.budget import excess
from search.choices import Choice, Range
from search.combinations import Candidate, Maker, Parameters, Part, network_part
from search.space import Space

_TRIED = 24  # values of a range in a descent
_SAMPLES = 300  # draws where a space is too large to be looked at whole


def least(part: Part, maker: Maker, key: Callable[[Candidate], float]) -> Candidate:
    """The candidate with the least key: of all, or found by descent from the best that was drawn.

    Descent goes to the best value of one parameter after the other, until none gets better.
    """
    if part.exact:
        return min(part.candidates, key=key)
    start = min(part.candidates, key=key, default=None) or maker({})
    if start is None:
        raise ValueError("the first values of a space make a candidate")
    return _descend(start, part.parameters, maker, key)


def never_fitting(
    part: Part, maker: Maker, limits: Mapping[str, int]
) -> dict[str, dict[str, list[Any]]]:
    """For each limit the values, by parameter, with which no candidate keeps it.

    Exact where the part is; else what descent finds no candidate for. Values between any two
    others are not tried.
    """
    never: dict[str, dict[str, list[Any]]] = {}
    for name, most in limits.items():

        def cost(candidate: Candidate, name: str = name) -> float:
            return float(getattr(candidate.cost, name))

        for parameter in part.parameters:
            for value in parameter.some(_TRIED) if parameter.size else ():
                best = _least_with(parameter, value, part, maker, cost, most)
                if best is not None and cost(best) > most:
                    never.setdefault(name, {}).setdefault(parameter.path, []).append(value)
    return never


def no_fit_message(space: Space, limits: Mapping[str, int]) -> str:
    """Why no candidate of a space keeps the limits, in a sentence; empty where one does."""
    maker = Maker(space)
    return too_dear(network_part(space, maker, _SAMPLES), maker, limits)


def too_dear(part: Part, maker: Maker, limits: Mapping[str, int]) -> str:
    """The same of networks that were looked at.

    The cheapest is the one that exceeds the limits least, by the limit that it exceeds most.
    """
    if not limits:
        return ""
    best = least(part, maker, lambda c: max(excess(c.cost, limits).values()))
    over = excess(best.cost, limits)
    if max(over.values()) <= 0:
        return ""
    said = ", ".join(
        f"{getattr(best.cost, name):,} {name}, "
        + (f"{share:.1%} above the {limits[name]:,}" if share > 0 else "which fits")
        for name, share in over.items()
    )
    values = settings_text(best.params, part.parameters)
    return (
        f"no candidate fits the budget: the cheapest{'' if part.exact else ' found'}"
        f"{f' ({values})' if values else ''} has {said}; raise the budget or add cheaper values"
    )


def settings_text(params: Mapping[str, Any], parameters: Parameters) -> str:
    """Parameters with their values, on a line."""
    return ", ".join(f"{p.path}={short(params[p.path])}" for p in parameters)


def short(value: Any) -> str:
    """A value as people read it: six digits are enough."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _least_with(
    parameter: Choice | Range,
    value: Any,
    part: Part,
    maker: Maker,
    cost: Callable[[Candidate], float],
    enough: float,
) -> Candidate | None:
    """The cheapest candidate with a value, or one cheap enough; None where it makes none."""
    known = [c for c in part.candidates if c.params[parameter.path] == value]
    best = min(known, key=cost, default=None)
    if part.exact or (best and cost(best) <= enough):
        return best
    best = best or maker({parameter.path: value})
    others = tuple(p for p in part.parameters if p is not parameter)
    return best and _descend(best, others, maker, cost)


def _descend(
    best: Candidate, parameters: Parameters, maker: Maker, key: Callable[[Candidate], float]
) -> Candidate:
    while True:
        before = best
        for parameter in parameters:
            tried = (maker(best.params | {parameter.path: v}) for v in parameter.some(_TRIED))
            best = min([best, *(c for c in tried if c)], key=key)
        if key(best) >= key(before):
            return best
