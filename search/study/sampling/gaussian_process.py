"""Optuna's Gaussian process, with a single thread.

Several threads beside busy workers make one proposal take seconds instead of half a one. With one
it needs no process of its own: proposals are made beside the coordinator (see ``proposals``), which
waits for them for some milliseconds at most.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from search.study.sampling.sampler_view import REFUSED


class GaussianProcess(BaseSampler):
    """Proposes jointly, for one draw; at random where there is too little to learn from.

    Args:
        startup_trials: that must have ended before it learns.
    """

    def __init__(self, seed: int, startup_trials: int, space: dict[str, BaseDistribution]) -> None:
        self._seed, self._startup_trials, self._space = seed, startup_trials, space
        self._random = optuna.samplers.RandomSampler(seed=seed)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The space, whatever was tried before."""
        return self._space

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """What Optuna's `GPSampler` proposes after the trials to their end.

        Draws that were refused just now are shown as under way, or they would be proposed again.
        """
        past = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        complete = [t for t in past if t.state == TrialState.COMPLETE]
        if len(complete) < self._startup_trials or not search_space:
            return {}
        refused = itertools.takewhile(lambda t: REFUSED in t.user_attrs, reversed(past))
        under_way = [*(t for t in past if t.state == TrialState.RUNNING), *refused]
        fresh_study = optuna.create_study(directions=study.directions, sampler=self._random)
        fresh_study.add_trials([_plain(t, TrialState.COMPLETE) for t in complete])
        fresh_study.add_trials([_plain(t, TrialState.RUNNING) for t in under_way])
        number = fresh_study.ask().number
        frozen = fresh_study.get_trials(deepcopy=False)[number]
        with _undisturbing():
            sampler = optuna.samplers.GPSampler(seed=self._seed, n_startup_trials=0)
            return sampler.sample_relative(fresh_study, frozen, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        """Any value."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)


@contextmanager
def _undisturbing() -> Iterator[None]:
    """One thread for torch and the libraries below it, and no remarks of Optuna's on the way."""
    import torch  # not for a look at a space
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threads, verbosity = torch.get_num_threads(), optuna.logging.get_verbosity()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)
        optuna.logging.set_verbosity(verbosity)


def _plain(trial: FrozenTrial, state: TrialState) -> FrozenTrial:
    """A trial as the Gaussian process needs it."""
    return optuna.trial.create_trial(
        state=state,
        values=trial.values if state == TrialState.COMPLETE else None,
        params=trial.params,
        distributions=trial.distributions,
    )
