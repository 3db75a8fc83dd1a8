"""Stopping poor trials early: which score a trial needs at which rung to go on.

A rung is an epoch of the one training, or a training of its own on part of the images. Cut-offs
come from told trials only and travel with the job, so a worker stops itself and the study stays the
same whatever the workers' timing.
"""

import bisect
from collections.abc import Sequence
from typing import Literal

from search.records.identity import derive_seed
from search.records.runs import FinishedRun, RunResult, RunSpec
from search.settings.study import RungSettings

_MOST_RUNGS = 12  # far beyond any training's epochs
_SEEDS = 2**31  # how many there are
_CURVE_POINTS = 10  # of a learning curve, beside the rungs: enough for a dashboard's plot

Cutoffs = dict[int, float]


class Rungs:
    """Asynchronous successive halving, in one bracket or in Hyperband's several.

    Bracket s leaves out the first s rungs; the last one has none. Each bracket halves on its own,
    and of R + 1 brackets the one with k rungs left gets a share of the trials in proportion to
    factor^k / (k + 1), so that all brackets cost about the same.

    As in Optuna and Ray Tune, and unlike in the paper, a trial is not paused at a rung until it may
    be among the best: it stops there for good, or goes on. While fewer trials than ``factor`` are
    known at a rung, all go on.

    Args:
        seed: the study's, from which brackets are drawn.
        most: rungs lie below it: the epochs of a training, or the images of the train split.

    Source: A System for Massively Parallel Hyperparameter Tuning, 2018,
    https://arxiv.org/abs/1810.05934; Hyperband, 2018, https://arxiv.org/abs/1603.06560
    """

    def __init__(
        self,
        settings: RungSettings,
        monitor: str,
        mode: Literal["max", "min"],
        seed: int,
        most: int,
    ) -> None:
        self._factor, self._audit = settings.factor, settings.audit
        self._over = settings.over
        self._monitor = monitor
        self._mode = mode
        self._seed = seed
        self.most = most
        powers = range(_MOST_RUNGS if settings.first else 0)
        every = (settings.first * settings.factor**power for power in powers)
        self.all = tuple(rung for rung in every if rung < most)
        brackets = len(self.all) + 1 if settings.name == "hyperband" else 1
        # by bracket and rung, in order from low to high
        self._scores: list[dict[int, list[float]]] = [
            {rung: [] for rung in self.all[skipped:]} for skipped in range(brackets)
        ]

    def bracket(self, index: int) -> int:
        """The bracket of a trial."""
        left = [len(scores) for scores in self._scores]
        weights = [self._factor**k / (k + 1) for k in left]
        drawn = derive_seed(self._seed, "bracket", index) / _SEEDS * sum(weights)
        for bracket, weight in enumerate(weights):
            drawn -= weight
            if drawn < 0:
                return bracket
        return len(weights) - 1

    def of(self, index: int) -> tuple[int, ...]:
        """The rungs of a trial."""
        return tuple(self._scores[self.bracket(index)])

    def images(self, index: int) -> tuple[int, ...]:
        """The rungs of a trial that are trainings on part of the images; empty if none are."""
        return self.of(index) if self._over == "images" else ()

    def tell(self, index: int, result: RunResult) -> None:
        """Learn from a trial's scores.

        A training that was over before a rung of epochs (``early_stopping``) has there the score
        that it keeps.
        """
        scores = self.scores(result)
        over = result.state == "complete" and 0 < result.epochs < result.epochs_planned
        if over and self._over == "epochs":
            scores |= {rung: result.score for rung in self.all if rung > result.epochs}
        for rung, known in self._scores[self.bracket(index)].items():
            score = scores.get(rung)
            if score is not None and score == score:  # NaN says nothing
                bisect.insort(known, score)

    def scores(self, result: RunResult) -> dict[int, float]:
        """A run's scores at all rungs that it came to."""
        if self._over == "images":
            return {int(rung): score for rung, score in result.rungs.items()}
        return {
            int(epoch["epoch"]): epoch[self._monitor]
            for epoch in result.history
            if epoch["epoch"] in self.all and epoch.get(self._monitor) is not None
        }

    def curve(self, result: RunResult) -> list[tuple[int, float]]:
        """Some of a run's scores for a plot, those at rungs among them."""
        if self._over == "images":
            return sorted(self.scores(result).items())
        every = max(1, result.epochs_planned // _CURVE_POINTS)
        epochs = (*self.all, result.epochs)
        return [
            (int(epoch["epoch"]), float(epoch[self._monitor]))
            for epoch in result.history
            if self._monitor in epoch and (epoch["epoch"] % every == 0 or epoch["epoch"] in epochs)
        ]

    def audited(self, trials: Sequence[FinishedRun]) -> list[RunSpec]:
        """Stopped trials, drawn at random, that are to be trained to their end."""
        stopped = [spec for spec, result in trials if result.state == "stopped"]
        stopped.sort(key=lambda spec: derive_seed(self._seed, "audit", spec.key))
        return stopped[: self._audit]

    def cutoffs(self, index: int) -> Cutoffs:
        """For each rung of a trial that enough have reached, the score of the worst to go on."""
        cutoffs = {}
        for rung, scores in self._scores[self.bracket(index)].items():
            if len(scores) >= self._factor:
                going_on = len(scores) // self._factor
                cutoffs[rung] = scores[-going_on if self._mode == "max" else going_on - 1]
        return cutoffs
