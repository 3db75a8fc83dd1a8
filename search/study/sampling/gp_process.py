"""Optuna's Gaussian process, in a process of its own with a single thread.

With several OpenMP threads beside busy workers one proposal was measured at seconds instead of a
tenth of one, and in the coordinator it would hold up what else is to be done there.
"""

import itertools
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from hybrid_swin.system.processes import python_command, python_environment
from search.study.sampling.sampler_view import REFUSED

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_TIME_TO_END = 2.0  # seconds


class GpProcess:
    """Answers what a Gaussian process proposes; started at the first question."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection[Any, Any] | None = None

    def sampler(self, seed: int, startup_trials: int) -> BaseSampler:
        """A sampler for one draw."""
        return _Elsewhere(self, seed, startup_trials)

    def ask(self, question: tuple[Any, ...]) -> dict[str, Any]:
        """The parameters for a question; a process that died is replaced once."""
        for last in (False, True):
            if self._pipe is None:
                self._start()
            pipe = self._pipe
            try:
                pipe.send(question)  # type: ignore[union-attr]  # started above
                answer: dict[str, Any] | str = pipe.recv()  # type: ignore[union-attr]
            except (EOFError, OSError):
                self.close()
                if last:
                    raise
            else:
                if isinstance(answer, str):
                    raise RuntimeError(f"the Gaussian process failed: {answer}")
                return answer
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End the process."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_TIME_TO_END)
            self._process.kill()
            self._process.wait()
        self._pipe = self._process = None

    def _start(self) -> None:
        ours, theirs = Pipe()
        self._process = subprocess.Popen(
            python_command("search.study.sampling.gp_process", str(theirs.fileno())),
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env=python_environment(**dict.fromkeys(_THREADS, "1")),
        )
        theirs.close()
        self._pipe = ours


class _Elsewhere(BaseSampler):
    """Hands the joint proposal to the process; random where there is too little to learn from."""

    def __init__(self, process: GpProcess, seed: int, startup_trials: int) -> None:
        self._process, self._seed, self._startup_trials = process, seed, startup_trials
        self._random = optuna.samplers.RandomSampler(seed=seed)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Not known here: see ``Flat``."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """What the process proposes."""
        past = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        complete = [t for t in past if t.state == TrialState.COMPLETE]
        if len(complete) < self._startup_trials:
            return {}
        directions = [direction.name.lower() for direction in study.directions]
        shown = [_plain(t, t.state) for t in complete]
        # Refused just now: shown as one under way, or it would be proposed again.
        refused = itertools.takewhile(lambda t: REFUSED in t.user_attrs, reversed(past))
        running = [t for t in past if t.state == TrialState.RUNNING]
        shown += [_plain(t, TrialState.RUNNING) for t in (*running, *refused)]
        return self._process.ask((directions, shown, search_space, self._seed))

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        """Any value."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)


def propose(
    directions: Sequence[Literal["maximize", "minimize"]],
    past: Sequence[FrozenTrial],
    space: dict[str, BaseDistribution],
    seed: int,
) -> dict[str, Any]:
    """What Optuna's GPSampler proposes after these trials."""
    at_random = optuna.samplers.RandomSampler(seed=seed)
    study = optuna.create_study(directions=list(directions), sampler=at_random)
    study.add_trials(past)
    number = study.ask().number
    frozen = study.get_trials(deepcopy=False)[number]
    sampler = optuna.samplers.GPSampler(seed=seed, n_startup_trials=0)
    return sampler.sample_relative(study, frozen, space)


def serve(pipe: "Connection[Any, Any]") -> None:
    """Answer questions until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the coordinator
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    while True:
        try:
            question = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: dict[str, Any] | str = propose(*question)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        pipe.send(answer)


def _plain(trial: FrozenTrial, state: TrialState) -> FrozenTrial:
    """A trial as the process needs it."""
    return optuna.trial.create_trial(
        state=state,
        values=trial.values if state == TrialState.COMPLETE else None,
        params=trial.params,
        distributions=trial.distributions,
    )


if __name__ == "__main__":
    from search.study.sampling.gp_process import (
        serve as serve_here,  # where what is sent says that it comes from
    )

    serve_here(Connection(int(sys.argv[1])))
