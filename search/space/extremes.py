"""Candidates of lowest and highest cost, and what never fits a budget or is made."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from search.space.budget import excess
from search.space.choices import Choice, Range
from search.space.combinations import (
    Candidate,
    CandidateFactory,
    Parameters,
    SubSpace,
    network_part,
)
from search.space.space import Space

_TRIED = 24  # values of a range in a descent
_STARTS = 3  # descents from the best that were drawn, beside that from the first values
_SAMPLES = 300  # draws where a space is too large to be looked at whole


def least(part: SubSpace, maker: CandidateFactory, key: Callable[[Candidate], float]) -> Candidate:
    """The candidate with the least key: of all, or found by descent from the best that was drawn.

    Descent goes to the best value of one parameter after the other, until none gets better.
    """
    if part.exact:
        return min(part.candidates, key=key)
    return _descend([maker({}), *_best(part.candidates, key)], part.parameters, maker, key)


def never_fitting(
    part: SubSpace, maker: CandidateFactory, limits: Mapping[str, int]
) -> dict[str, dict[str, list[Any]]]:
    """For each limit the values, by parameter, with which no candidate keeps it.

    Exact where the part is; else what descent finds no candidate for. Values between any two
    others are not tried.
    """
    never: dict[str, dict[str, list[Any]]] = {}
    for name, most in limits.items():

        def cost(candidate: Candidate, name: str = name) -> float:
            return float(getattr(candidate.cost, name))

        cheapest = least(part, maker, cost)
        for parameter in part.parameters:
            for value in parameter.some(_TRIED) if parameter.size else ():
                if _never_keeps(parameter, value, part, maker, cost, most, cheapest):
                    never.setdefault(name, {}).setdefault(parameter.path, []).append(value)
    return never


def never_made(part: SubSpace, maker: CandidateFactory) -> dict[str, list[Any]]:
    """The values, by parameter, with which there is no network at all, such as one of a cost.

    Exact where the part is; else what makes none in place of the value of any that was found.
    """
    never: dict[str, list[Any]] = {}
    if not part.refusal:
        return never
    others = () if part.exact else part.candidates[:_TRIED]
    for parameter in part.parameters:
        made = {candidate.params[parameter.path] for candidate in part.candidates}
        for value in parameter.some(_TRIED) if parameter.size else ():
            if value in made or any(maker(c.params | {parameter.path: value}) for c in others):
                continue
            never.setdefault(parameter.path, []).append(value)
    return never


def no_fit_message(space: Space, limits: Mapping[str, int]) -> str:
    """Why no candidate of a space keeps the limits, in a sentence; empty where one does."""
    maker = CandidateFactory(space)
    return too_dear(network_part(space, maker, _SAMPLES), maker, limits)


def too_dear(part: SubSpace, maker: CandidateFactory, limits: Mapping[str, int]) -> str:
    """The same of networks that were looked at.

    The lowest-cost one exceeds the limits least, by the limit that it exceeds most.
    """
    if not limits:
        return ""
    best = least(part, maker, lambda c: max(excess(c.cost, limits).values()))
    over = excess(best.cost, limits)
    if max(over.values()) <= 0:
        return ""
    costs = ", ".join(
        f"{getattr(best.cost, name):,} {name}, "
        + (f"{share:.1%} above the {limits[name]:,}" if share > 0 else "which fits")
        for name, share in over.items()
    )
    values = settings_text(best.params, part.parameters)
    return (
        f"no candidate fits the budget: the lowest-cost one{'' if part.exact else ' found'}"
        f"{f' ({values})' if values else ''} has {costs}; raise the budget or add cheaper values"
    )


def settings_text(params: Mapping[str, Any], parameters: Parameters) -> str:
    """Parameters with their values, on a line."""
    return ", ".join(f"{p.path}={short(params[p.path])}" for p in parameters)


def short(value: Any) -> str:
    """A value as people read it: six digits are enough."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _never_keeps(
    parameter: Choice | Range,
    value: Any,
    part: SubSpace,
    maker: CandidateFactory,
    cost: Callable[[Candidate], float],
    most: float,
    cheapest: Candidate,
) -> bool:
    """Whether there are candidates with a value, and all that are known cost more than ``most``."""
    known = [c for c in part.candidates if c.params[parameter.path] == value]
    with_it = {parameter.path: value}
    starts: list[Candidate | None] = [*_best(known, cost)]
    if not part.exact:
        starts += [maker(cheapest.params | with_it), maker(with_it)]
    costs = [cost(start) for start in starts if start]
    if part.exact or not costs or min(costs) <= most:
        return bool(costs) and min(costs) > most
    others = tuple(p for p in part.parameters if p is not parameter)
    return cost(_descend(starts, others, maker, cost)) > most


def _best(known: Sequence[Candidate], key: Callable[[Candidate], float]) -> list[Candidate]:
    return sorted(known, key=key)[:_STARTS]


def _descend(
    starts: Sequence[Candidate | None],
    parameters: Parameters,
    maker: CandidateFactory,
    key: Callable[[Candidate], float],
) -> Candidate:
    """Where descents end, the least: one may be stuck where only two changes at once help."""
    ends = []
    for best in filter(None, starts):
        before = None
        while before is None or key(best) < key(before):
            before = best
            for parameter in parameters:
                tried = (maker(best.params | {parameter.path: v}) for v in parameter.some(_TRIED))
                best = min([best, *(c for c in tried if c)], key=key)
        ends.append(best)
    return min(ends, key=key)
