"""What a space holds: how many candidates, how many of them fit the budget, what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

from hybrid_swin.errors import InputError
from search.space.budget import WidthMatcher, excess
from search.space.combinations import Candidate, CandidateFactory, Number, SubSpace, parts_of
from search.space.extremes import least, never_fitting, never_made, too_dear
from search.space.space import Space
from search.statistics.wilson import wilson


@dataclass(frozen=True)
class Share:
    """``count`` of ``of`` combinations, all of them or drawn; then with Wilson's 95% interval."""

    count: int
    of: int
    exact: bool

    @property
    def value(self) -> float:
        """The share."""
        return self.count / self.of

    @cached_property
    def interval(self) -> tuple[float, float]:
        """From, to; the share itself where it is exact."""
        if self.exact:
            return self.value, self.value
        return wilson(self.value, NormalDist().inv_cdf(0.975) ** 2 / self.of)


@dataclass(frozen=True)
class Survey:
    """A space, looked at."""

    space: Space
    limits: Mapping[str, int]
    parts: tuple[SubSpace, ...]  # of the space, first that of the networks
    cheapest: Candidate  # lowest MACs; of all, where the networks are exact
    dearest: Candidate  # highest cost, likewise
    never: Mapping[str, Mapping[str, list[Any]]]  # values that never keep it, by limit
    unmade: Mapping[str, list[Any]]  # values that never make a network

    @property
    def networks(self) -> SubSpace:
        """What makes the networks."""
        return self.parts[0]

    @property
    def distinct(self) -> Number | None:
        """How many candidates there are; None without end."""
        total = Number(1)
        for part in self.parts:
            if part.distinct is None:
                return None
            total = total * part.distinct
        return total

    @property
    def fitting(self) -> Share:
        """The networks that keep every limit."""
        costs = [c.cost for c in self.networks.candidates]
        kept = [c for c in costs if max(excess(c, self.limits).values(), default=0) <= 0]
        return Share(len(kept), self.networks.looked_at, self.networks.exact)

    def nothing(self, part: SubSpace) -> Share:
        """Combinations of a part that make no network or no recipe."""
        return Share(part.looked_at - len(part.candidates), part.looked_at, part.exact)


def survey(
    space: Space, limits: Mapping[str, int], samples: int, matching: WidthMatcher | None = None
) -> Survey:
    """Look at a space.

    Args:
        space: the space.
        limits: the budget, at most so many by kind of cost.
        samples: how many combinations to draw where there are too many to look at all.
        matching: gives networks widths that meet a cost; none by default.

    Raises:
        InputError: no candidate fits.
    """
    maker = CandidateFactory(space, matching)
    parts = parts_of(space, maker, samples)
    networks = parts[0]
    if not networks.candidates and not maker({}):
        raise InputError(networks.refusal)
    if message := too_dear(networks, maker, limits):
        raise InputError(message)
    return Survey(
        space,
        limits,
        parts,
        least(networks, maker, lambda c: c.cost.macs),
        least(networks, maker, lambda c: -c.cost.macs),
        never_fitting(networks, maker, limits),
        never_made(networks, maker),
    )
