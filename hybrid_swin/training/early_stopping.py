"""The end of a training whose validation score no longer improves, and its best weights."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import lightning.pytorch as L

from hybrid_swin.errors import InputError
from hybrid_swin.training.averaging import Weights, copied

Mode = Literal["min", "max"]


class EarlyStopping(L.Callback):
    """Ends a training after ``patience`` epochs without a better score than the best so far.

    The weights of the best epoch are kept, also where the training goes on to its last epoch. An
    equal score is not a better one.

    Args:
        patience: epochs, at least 1.
        monitor: the metric, as it is logged.
        mode: whether more or less of it is better.
        weights: those of an epoch, to be kept.
    """

    def __init__(
        self, patience: int, monitor: str, mode: Mode, weights: Callable[[Any], Weights]
    ) -> None:
        self._patience, self._monitor, self._mode = patience, monitor, mode
        self._weights_of = weights
        self._score = float("nan")
        self.epoch = 0  # the best one so far, from 1
        self.weights: Weights = {}
        self.has_ended = False  # whether it has ended the training

    def state(self) -> dict[str, Any]:
        """What ``restore`` takes: plain numbers and tensors."""
        return {"score": self._score, "epoch": self.epoch, "weights": self.weights}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a state that was saved."""
        self._score, self.epoch = saved["score"], saved["epoch"]
        self.weights = dict(saved["weights"])

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep the epoch, or count it."""
        epoch = trainer.current_epoch + 1
        if self._monitor not in trainer.callback_metrics:
            raise InputError(
                f"early_stopping watches {self._monitor!r}, which is not among the metrics logged: "
                f"{', '.join(sorted(trainer.callback_metrics))}; give validation a share of the "
                "data, or set early_stopping to 0"
            )
        score = float(trainer.callback_metrics[self._monitor])
        # Rank 0's verdict is that of all: one that went on alone would wait for ever.
        if trainer.strategy.broadcast(self._is_better(score)):
            self._score, self.epoch = score, epoch
            self.weights = copied(self._weights_of(pl_module))
        elif epoch - self.epoch >= self._patience:
            self.has_ended = trainer.should_stop = True

    def _is_better(self, score: float) -> bool:
        best = self._score
        if self.epoch == 0 or best != best:  # the first, or nothing but NaN so far
            return self.epoch == 0 or score == score
        return score > best if self._mode == "max" else score < best
