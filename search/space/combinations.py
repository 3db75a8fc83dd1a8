"""The combinations of a space: all of them where they are few, else some drawn at random."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean, stdev
from typing import Any

from hybrid_swin.cost import Cost, count_cost
from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe_checks import check_fit
from search.records.identity import candidate_id
from search.space.budget import WidthMatcher
from search.space.checks import settings_of
from search.space.choices import RECIPE, Choice, Range, Tie, combinations_of, read_leaves
from search.space.space import Space

MOST = 4000  # combinations that are looked at one by one: seconds
_ONE_IN = 10  # of the drawn, so many are asked how many other combinations are the same candidate
_NORM = re.compile(r"stages\.\d+\.norm")
_NEIGHBOURS = 16  # values of a range that are tried for that

Params = dict[str, Any]
Parameters = tuple[Choice | Range, ...]


@dataclass(frozen=True)
class Candidate:
    """What a combination of values makes."""

    params: Params
    id: str
    cost: Cost


@dataclass(frozen=True)
class Number:
    """A count, or an estimate with its standard error."""

    value: float
    error: float = 0.0

    def __mul__(self, other: "Number") -> "Number":
        product = self.value * other.value
        return Number(product, math.hypot(self.error * other.value, other.error * self.value))


@dataclass(frozen=True)
class SubSpace:
    """Parameters that the rest of the space does not depend on, and what their values make."""

    kind: str  # networks, recipes, or candidates where these cannot be parted
    parameters: Parameters  # in the space's order
    combinations: int | None  # how many there are; None: without end
    looked_at: int  # how many of them: all, or as many as were drawn
    candidates: tuple[Candidate, ...]  # what these make, in their order
    distinct: Number | None  # how many all combinations make; None: without end
    refusal: str = ""  # why the first that makes nothing does not

    @property
    def exact(self) -> bool:
        """Whether every combination was looked at."""
        return self.looked_at == self.combinations


class CandidateFactory:
    """Makes candidates of a space's parameters.

    Those that are not given have the values of the first candidate that can be made: the first
    values where these make one.

    Args:
        matching: gives networks widths that meet a cost; none by default.
    """

    def __init__(self, space: Space, matching: WidthMatcher | None = None) -> None:
        self._space = space
        self._matching = matching or WidthMatcher()
        first = self._default = space.default()
        variant, _ = space.resolve(first)
        self._images = variant.image_size, variant.in_channels
        self._default = next(filter(self, settings_of(space.parameters, first)), first)

    def __call__(self, params: Mapping[str, Any]) -> Candidate | None:
        """The candidate, or None if the values make none, or one for other images."""
        made = self.make(params)
        return made if isinstance(made, Candidate) else None

    def make(self, params: Mapping[str, Any]) -> Candidate | str:
        """The candidate, or why there is none."""
        everything = {**self._default, **params}
        try:
            variant, recipe = self._space.resolve(everything)
            check_fit(variant, recipe)
            variant, _ = self._matching.apply(variant)
            cost = count_cost(variant)
        except InputError as error:
            return str(error)
        if (variant.image_size, variant.in_channels) != self._images:
            return "it is for other images than those of the first values"
        return Candidate(everything, candidate_id(variant, recipe), cost)


def network_part(space: Space, maker: CandidateFactory, samples: int) -> SubSpace:
    """The parameters that make networks; all where a recipe's values are tied to theirs."""
    if _recipe_is_tied(space):
        return look(space.parameters, "candidates", maker, samples)
    networks = tuple(p for p in space.parameters if not _is_recipe(p.path))
    return look(networks, "networks", maker, samples)


def parts_of(space: Space, maker: CandidateFactory, samples: int) -> tuple[SubSpace, ...]:
    """The parts of a space, first that of the networks; arguments as there."""
    networks = network_part(space, maker, samples)
    recipes = tuple(p for p in space.parameters if p not in networks.parameters)
    return networks, look(recipes, "recipes", maker, samples)


def look(
    parameters: Parameters,
    kind: str,
    maker: CandidateFactory,
    samples: int,
    most: int = MOST,
    seed: int = 0,
) -> SubSpace:
    """What the values of some parameters make: of all combinations up to ``most``, else of some."""
    combinations = combinations_of(parameters)
    if combinations is not None and combinations <= most:
        made = [maker.make(params) for params in _all(parameters)]
        distinct: Number | None = Number(len({c.id for c in made if isinstance(c, Candidate)}))
    else:
        random = Random(seed)  # noqa: S311  # no secret
        made = [maker.make({p.path: p.draw(random) for p in parameters}) for _ in range(samples)]
        distinct = None
        if combinations is not None:
            sample = made[: max(2, samples // _ONE_IN)]
            distinct = _distinct_share(sample, parameters, maker) * Number(combinations)
    candidates = tuple(candidate for candidate in made if isinstance(candidate, Candidate))
    refusal = next((why for why in made if isinstance(why, str)), "")
    return SubSpace(kind, parameters, combinations, len(made), candidates, distinct, refusal)


def _all(parameters: Parameters) -> Iterator[Params]:
    values = itertools.product(*(p.some(MOST) for p in parameters))
    paths = [p.path for p in parameters]
    return (dict(zip(paths, combination, strict=True)) for combination in values)


def _distinct_share(
    drawn: Sequence[Candidate | str], parameters: Parameters, maker: CandidateFactory
) -> Number:
    """Distinct candidates a combination: the mean of 1/m over combinations drawn alike.

    m(x) is how many combinations make the candidate of x, and 1/m is 0 where x makes none. Values
    that are idle are counted one parameter at a time, and orders of values that may be exchanged
    (the branches of a sum) one word at a time; the counts are multiplied. What is the same by other
    changes of several values at once (branches exchanged together with their options) is not seen.
    """
    shares = [1 / _same(c, parameters, maker) if isinstance(c, Candidate) else 0.0 for c in drawn]
    return Number(fmean(shares), stdev(shares) / math.sqrt(len(shares)))


def _same(candidate: Candidate, parameters: Parameters, maker: CandidateFactory) -> float:
    """How many combinations make this candidate."""
    count = 1.0
    for parameter in parameters:
        own = candidate.params[parameter.path]
        others = [value for value in parameter.some(_NEIGHBOURS) if value != own]
        made = [maker(candidate.params | {parameter.path: value}) for value in others]
        same = sum(other is not None and other.id == candidate.id for other in made)
        if same and parameter.size is not None:
            count *= 1 + (parameter.size - 1) * same / len(others)
    return count * _orders(candidate, parameters, maker)


def _orders(candidate: Candidate, parameters: Parameters, maker: CandidateFactory) -> int:
    """In how many orders the values of this candidate's parameters make it.

    Of parameters of the same word and the same values, those are exchangeable whose exchange leaves
    the candidate as it is.
    """
    orders = 1
    for alike in _alike(parameters):
        groups: list[list[str]] = []  # paths that may be exchanged
        for parameter in alike:
            joined = [g for g in groups if _exchange(candidate, g, parameter, maker)]
            groups = [g for g in groups if g not in joined]
            groups.append([*itertools.chain(*joined), parameter.path])
        for group in groups:
            values = Counter(candidate.params[path] for path in group)
            orders *= math.factorial(len(group))
            orders //= math.prod(map(math.factorial, values.values()))
    return orders


def _alike(parameters: Parameters) -> list[list[Choice | Range]]:
    """Several parameters of one word that have the same values."""
    groups: dict[Any, list[Choice | Range]] = {}
    for parameter in parameters:
        word = parameter.path.rpartition(".")[0]
        groups.setdefault((word, *parameter.some(_NEIGHBOURS)), []).append(parameter)
    return [alike for alike in groups.values() if len(alike) > 1]


def _exchange(
    candidate: Candidate, group: Sequence[str], parameter: Choice | Range, maker: CandidateFactory
) -> bool:
    """Whether a parameter may change places with one of a group that has another value."""
    own = candidate.params[parameter.path]
    for path in group:
        value = candidate.params[path]
        if value != own:
            made = maker(candidate.params | {parameter.path: value, path: own})
            return made is not None and made.id == candidate.id
    return False


def _is_recipe(path: str) -> bool:
    return path == RECIPE or path.startswith(f"{RECIPE}.")


def _recipe_is_tied(space: Space) -> bool:
    """Whether a network's value follows a recipe's, or counts for it, or the other way round."""
    chosen: set[str] = set()  # paths of what a choice makes
    for path, leaf in space.leaves.items():
        for value in leaf.values if isinstance(leaf, Choice) else [leaf]:
            for inside, inner in read_leaves(value, path):
                if isinstance(inner, Tie) and _is_recipe(inner.source) != _is_recipe(path):
                    return True
                if isinstance(leaf, Choice):
                    chosen.add(inside)
    # What the latter says counts where norms stand behind mixers.
    return any(map(_NORM.fullmatch, chosen)) and f"{RECIPE}.zero_init_residual" in chosen
