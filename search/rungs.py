"""Stopping poor trials early: which score a trial needs at which epoch to go on."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

_MOST_RUNGS = 12  # far beyond any training's epochs


class Rungs:
    """Asynchronous successive halving whose cut-offs come from told trials only.

    A job carries the cut-offs that stand when it is drawn, so a worker stops itself and the study
    stays the same whatever the workers' timing.

    Args:
        first: epoch of the first rung; 0 for none.
        factor: the best 1/factor of the trials told at a rung set its cut-off, and each rung is
            factor times as many epochs away as the one before.
        monitor: the metric that decides.
        mode: whether more or less of it is better.

    Source: A System for Massively Parallel Hyperparameter Tuning, 2018,
    https://arxiv.org/abs/1810.05934
    """

    def __init__(self, first: int, factor: int, monitor: str, mode: Literal["max", "min"]) -> None:
        self._factor = factor
        self._monitor = monitor
        self._mode = mode
        self.epochs = tuple(first * factor**power for power in range(_MOST_RUNGS)) if first else ()
        self._scores: dict[int, list[float]] = {epoch: [] for epoch in self.epochs}

    def tell(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Learn from a trial's metrics by epoch."""
        by_epoch = {int(epoch["epoch"]): epoch.get(self._monitor) for epoch in history}
        for rung, scores in self._scores.items():
            score = by_epoch.get(rung)
            if score is not None and score == score:  # NaN says nothing
                scores.append(score)

    def cutoffs(self) -> dict[int, float]:
        """For each rung that enough trials have reached, the score of the worst that may go on."""
        found = {}
        for rung, scores in self._scores.items():
            if len(scores) >= self._factor:
                ranked = sorted(scores, reverse=self._mode == "max")
                found[rung] = ranked[len(scores) // self._factor - 1]
        return found


def falls_short(score: float, cutoff: float, mode: Literal["max", "min"]) -> bool:
    """Whether a score is below the cut-off; an equal one goes on, NaN does not."""
    return not (score >= cutoff if mode == "max" else score <= cutoff)
