"""Was a training still improving when it ended?"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

FEWEST_EPOCHS = 5  # that tell whether a curve was still rising at its end


def undertrained(
    history: Sequence[Mapping[str, float]],
    monitor: str,
    mode: Literal["min", "max"],
    items: int,
    patience: int = 0,
) -> bool | None:
    """Was the run still improving, beyond the noise, when its training ended?

    With k = a fifth of the epochs (rounded, at least 2), the gain is mean(last k) - mean(k before),
    in the direction of ``mode``. It counts where it exceeds both

        twice the standard error of that difference, 2 d sqrt(2 / k), where d^2 = half the mean
        square step between neighbouring epochs (so that a slow trend is not taken for noise), and,
        for a proportion, the standard error sqrt(p (1 - p) / items) of one reading of the split.

    A learning rate that decays to nothing flattens every curve: "no" does not say that more epochs
    would not help, "yes" does say so.

    With ``patience``, a training whose best epoch came so many epochs before its last had ended by
    the rule of its recipe's ``early_stopping``: "no", after however few epochs.

    Returns:
        None if fewer than 5 epochs (or a reading that is not finite) leave it open.
    """
    curve = np.array([epoch[monitor] for epoch in history if monitor in epoch], dtype=float)
    sign = 1.0 if mode == "max" else -1.0
    if patience and np.isfinite(curve).any():
        best = int(np.nanargmax(sign * curve))
        if len(curve) - 1 - best >= patience:
            return False
    k = max(2, round(len(curve) / 5))
    if len(curve) < FEWEST_EPOCHS or not np.isfinite(curve[-2 * k :]).all():
        return None
    before, last = curve[-2 * k : -k], curve[-k:]
    gain = sign * float(last.mean() - before.mean())
    step_noise = math.sqrt(float(np.square(np.diff(curve[-2 * k :])).mean()) / 2)
    noise = 2 * step_noise * math.sqrt(2 / k)
    if mode == "max" and 0 <= curve.min() and curve.max() <= 1 and items > 0:
        p = float(last.mean())
        noise = max(noise, math.sqrt(p * (1 - p) / items))
    return gain > noise + 1e-12  # rounding alone is not a gain
