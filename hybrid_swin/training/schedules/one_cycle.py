"""One cycle."""

import math
from typing import ClassVar

from hybrid_swin.training.schedules import Limits, Schedule


class OneCycle(Schedule):
    """The learning rate rises to its peak along half a cosine, and falls along another to about 0.

    Over T steps, with initial = peak / div_factor and final = initial / final_div_factor::

        initial to peak    between step 0 and step pct_start T - 1
        peak to final      between that and step T - 1

    Each between x and y by y + (x - y) (1 + cos(pi done)) / 2, with done from 0 to 1. This is
    torch's ``OneCycleLR``, without its cycle of momentum. The recipe's warm-up and
    ``min_learning_rate`` are not used.

    Source: Super-Convergence, 2017, https://arxiv.org/abs/1708.07120;
    https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html

    Args:
        pct_start: share of the steps that rise.
        div_factor: the peak over the first rate, which is not above it.
        final_div_factor: the first rate over the last, likewise.
    """

    limits: ClassVar[Limits] = {
        "pct_start": (0, 0.99999),
        "div_factor": (1, 1e9),
        "final_div_factor": (1, 1e9),
    }
    unused = ("warmup_epochs", "warmup_learning_rate", "min_learning_rate")

    def __init__(
        self, pct_start: float = 0.3, div_factor: float = 25.0, final_div_factor: float = 1e4
    ) -> None:
        self._pct_start, self._div_factor = pct_start, div_factor
        self._final_div_factor = final_div_factor

    def learning_rate(self, step: int, steps: int, peak: float, least: float) -> float:
        """The rate on the way up, or on the way down."""
        initial = peak / self._div_factor
        top, end = self._pct_start * steps - 1, steps - 1
        step = min(step, end)
        if step <= top:
            return _between(initial, peak, step / top if top else 1.0)
        return _between(peak, initial / self._final_div_factor, (step - top) / (end - top))


def _between(x: float, y: float, done: float) -> float:
    return y + (x - y) / 2.0 * (1 + math.cos(math.pi * done))
