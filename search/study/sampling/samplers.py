"""How candidates are proposed: which of Optuna's samplers, and how each is made for one draw.

A study's space is flat and fixed, so every sampler is told it instead of working it out from all
past trials. A sampler is made anew for each draw, from a seed of that draw, so that a study that
was killed draws what it would have drawn.
"""

import math
import warnings
from collections.abc import Mapping
from functools import lru_cache
from random import Random
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from hybrid_swin.errors import InputError
from search.settings.study import SamplerName, StudySettings
from search.space import budget
from search.space.space import Space
from search.study.sampling.gaussian_process import GaussianProcess
from search.study.sampling.sampler_view import MOST_SHOWN

Distributions = dict[str, BaseDistribution]

# Up to so many trials, and so many that run at once, a Gaussian process is worth its time.
_MOST_TRIALS_FOR_GP, _MOST_LOOKAHEAD_FOR_GP = 150, 8
# Refused draws for one trial before the next is a neighbour of the last, and before it is any.
_NEARBY_AFTER, _ANYWHERE_AFTER = 2, 24
_TRIES = 20  # to draw another value
_GOOD_SHARE, _MOST_GOOD = 0.1, 25  # of told trials, as Optuna's TPE has it
_MOST_GRID = 1_000_000  # combinations


def choose_sampler(settings: StudySettings, space: Space) -> tuple[SamplerName, str]:
    """The sampler of a study, and why.

    Raises InputError for `grid` in a space without end, or of more than a million combinations.
    """
    name, size = settings.sampler.name, space.size
    if name == "grid" and size is None:
        endless = [parameter.path for parameter in space.parameters if parameter.size is None]
        raise InputError(
            f"sampler.name grid: {', '.join(endless)} has no end of values; give it a step or "
            "choices, or take another sampler"
        )
    if name == "grid" and size is not None and size > _MOST_GRID:
        raise InputError(
            f"sampler.name grid: {size:,} combinations are more than anyone trains; "
            "take random, which is a sample of them"
        )
    if name != "auto":
        return name, "as asked"
    if size is not None and size <= settings.trials:
        return "grid", f"all {size:,} combinations are no more than the {settings.trials:,} trials"
    startup = settings.sampler.startup_trials
    late = f"it learns after the first {startup} trials only, and these are {settings.trials} "
    late += "(sampler.startup_trials)"
    learns = startup < settings.trials
    if settings.rungs.first:
        return "tpe", "it learns from trials that a rung stopped as well" if learns else late
    if settings.budget.mode == "limit" and budget.limits(settings.budget):
        return "tpe", "it learns from draws that the budget refuses as well" if learns else late
    few = settings.trials <= _MOST_TRIALS_FOR_GP
    if few and settings.sampler.lookahead <= _MOST_LOOKAHEAD_FOR_GP:
        why = f"for {settings.trials} trials that all run to their end it needs the fewest"
        return "gp", why if learns else late
    return "tpe", (
        f"{settings.trials:,} trials are many for a Gaussian process"
        if not few
        else f"{settings.sampler.lookahead} trials under way at once are many for one that "
        "learns from ended ones only"
    )


class Samplers:
    """Makes the sampler of each draw."""

    def __init__(self, name: SamplerName, settings: StudySettings, space: Space) -> None:
        self._name = name
        self._settings = settings
        self._space = space
        ranges = sorted(distributions(space).items())
        self._relative = {path: range_ for path, range_ in ranges if not range_.single()}
        self._several = len(settings.objective.against) > 0
        self.size = space.size if name == "grid" else None

    @property
    def sees_all(self) -> bool:
        """Whether the sampler must see every trial; the others learn as much from some."""
        return self._name == "nsga2"

    def make(
        self,
        number: int,
        seed: int,
        learnt: int,
        refused: int = 0,
        near: Mapping[str, Any] | None = None,
    ) -> BaseSampler:
        """The sampler of one draw.

        A sampler that proposes what is known already would do so again and again: after a few
        refusals the walk goes from its last proposal to neighbours, and in the end anywhere.

        Args:
            number: of the draw, among those that were not given.
            seed: of the draw.
            learnt: trials whose results are known by now.
            refused: draws for the same trial that were refused before.
            near: the last of these, where it was a known candidate.
        """
        options = self._settings.sampler
        if self._name == "grid":
            return fixed(grid_point(self._space, number, self._settings.seed))
        walk: BaseSampler | None = None
        if self._name == "random" or refused >= _ANYWHERE_AFTER:
            walk = optuna.samplers.RandomSampler(seed=seed)
        elif near is not None and self._relative and refused >= _NEARBY_AFTER:
            walk = fixed(neighbour(self._relative, near, seed))
        elif self._name == "tpe" and learnt < options.startup_trials:
            walk = optuna.samplers.RandomSampler(seed=seed)
        if self._name == "nsga2":
            genetic = self._genetic(seed)
            return genetic if walk is None else Flat(walk, {}, genetic)
        if walk is not None:
            return walk
        if self._name == "gp":
            return GaussianProcess(seed, options.startup_trials, self._relative)
        # Optuna's own default: multivariate for one objective, one by one for several. It counts
        # draws that were refused for their cost as trials, so the start is counted here. So is how
        # many it takes for good: a tenth of all draws would at a tight budget be every trial.
        good = math.ceil(_GOOD_SHARE * min(learnt, MOST_SHOWN))
        if not self._several:
            good = min(good, _MOST_GOOD)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`gamma`", FutureWarning)  # goes with Optuna 6
            tpe = optuna.samplers.TPESampler(seed=seed, n_startup_trials=1, gamma=lambda _: good)
        return Flat(tpe, {} if self._several else self._relative)

    def give(self, values: Mapping[str, Any], seed: int) -> BaseSampler:
        """One that draws these values; to a genetic algorithm they are of its generation."""
        given = fixed(values)
        return Flat(given, {}, self._genetic(seed)) if self._name == "nsga2" else given

    def _genetic(self, seed: int) -> optuna.samplers.NSGAIISampler:
        population = self._settings.sampler.population
        return optuna.samplers.NSGAIISampler(population_size=population, seed=seed)


class Flat(BaseSampler):
    """A sampler that is told its space; Optuna would compare all trials' spaces at every draw.

    Args:
        genetic: counts the draw to its generation, so that it can become a parent.
    """

    def __init__(
        self,
        inner: BaseSampler,
        space: Distributions,
        genetic: optuna.samplers.NSGAIISampler | None = None,
    ) -> None:
        self._inner, self._space, self._genetic = inner, space, genetic

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Write down of which generation the trial is."""
        if self._genetic is not None:
            self._genetic.get_trial_generation(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The space, whatever was tried before."""
        return self._space

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: Distributions
    ) -> dict[str, Any]:
        """What the inner sampler proposes."""
        return self._inner.sample_relative(study, trial, search_space) if search_space else {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        """What the inner sampler proposes for one parameter."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)


def fixed(values: Mapping[str, Any]) -> BaseSampler:
    """Gives values that are known beforehand."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        inner = optuna.samplers.RandomSampler(seed=0)
        return optuna.samplers.PartialFixedSampler(dict(values), inner)


def neighbour(space: Distributions, point: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """A point with one parameter drawn anew, to another value where there is one."""
    draw = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask
    changed = Random(seed).choice(list(space))  # noqa: S311  # no secret
    value = point[changed]
    for _ in range(_TRIES):
        value = draw({changed: space[changed]}).params[changed]
        if value != point[changed]:
            break
    return {**point, changed: value}


def distributions(space: Space) -> Distributions:
    """What Optuna knows of each parameter, by its path."""
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    space.suggest(trial)
    return dict(trial.distributions)


def grid_point(space: Space, number: int, seed: int) -> dict[str, Any]:
    """Combination ``number`` of the grid, in a random order, so that any first part is a sample."""
    rest = _order(space.size or 0, seed)[number]
    point = {}
    for parameter in space.parameters:
        rest, index = divmod(rest, parameter.size or 1)
        point[parameter.path] = parameter.at(index)
    return point


@lru_cache(maxsize=1)
def _order(size: int, seed: int) -> list[int]:
    order = list(range(size))
    Random(seed).shuffle(order)  # noqa: S311  # no secret
    return order


def sample_params(space: Space, seed: int) -> Any:
    """Random points of a space, of no study; without end."""
    sampler = optuna.samplers.RandomSampler(seed=seed)
    while True:
        # A study for each: one of thousands of open trials would only grow.
        yield space.suggest(optuna.create_study(sampler=sampler).ask())
