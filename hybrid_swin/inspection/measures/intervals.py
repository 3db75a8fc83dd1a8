"""How sure we are of an accuracy over N images, and of how a change to the network moves it.

Every interval has 95% confidence and speaks of new images for the same network. An image is right
(1) or wrong (0), and the same images are read before and after, so changes are paired. None of the
intervals collapses where the few images that there are happen to agree.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Z = 1.959963984540054  # the normal quantile of 97.5%


class Estimate(NamedTuple):
    """A value and its 95% interval, whose ends are NaN where nothing tells them."""

    value: float
    low: float
    high: float

    def named(self, name: str) -> dict[str, float]:
        """The three numbers under ``name``, ``name_low`` and ``name_high``."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


def proportion(successes: int, count: int) -> Estimate:
    """A share and Wilson's interval. Raises ValueError for no trial."""
    from scipy import stats  # seconds, which only those who measure shall wait

    if count < 1:
        raise ValueError("a share of nothing; give at least one trial")
    interval = stats.binomtest(successes, count).proportion_ci(method="wilson")
    return Estimate(successes / count, float(interval.low), float(interval.high))


def mean_interval(values: ArrayLike) -> Estimate:
    """A mean over images and Student's t interval; of a single image its ends are NaN, unknown.

    Of measured amounts, not of shares of images: amounts that are the same in all images to the
    last digit (no influence beyond the reach of a window) are so by the network's design.
    """
    x_N = np.asarray(values, dtype=float).ravel()
    mean = float(x_N.mean())
    if len(x_N) < 2:
        return Estimate(mean, math.nan, math.nan)
    half = _t(len(x_N) - 1) * float(x_N.std(ddof=1)) / math.sqrt(len(x_N))
    return Estimate(mean, mean - half, mean + half)


def paired_change(before: ArrayLike, after: ArrayLike) -> Estimate:
    """Change of an accuracy, (n01 - n10) / n, with the interval of Bonett and Price.

    n01 images turn right and n10 turn wrong. With p01 = (n01 + 1) / (n + 2) and p10 alike it is

        p01 - p10 +- z sqrt((p01 + p10 - (p01 - p10)^2) / (n + 2)).

    Source: Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based on
    Paired Data, 2012, https://doi.org/10.3102/1076998611411915
    """
    x_N, y_N = _pair(before, after)
    n = len(x_N)
    turned_right, turned_wrong = int((y_N > x_N).sum()), int((y_N < x_N).sum())
    p01, p10 = (turned_right + 1) / (n + 2), (turned_wrong + 1) / (n + 2)
    half = Z * math.sqrt((p01 + p10 - (p01 - p10) ** 2) / (n + 2))
    change = (turned_right - turned_wrong) / n
    low, high = max(-1.0, p01 - p10 - half), min(1.0, p01 - p10 + half)
    return Estimate(change, min(low, change), max(high, change))


def relative_accuracy(clean: ArrayLike, after: ArrayLike, chance: float) -> Estimate:
    """What is left of what a network knows: r = (accuracy after - chance) / (clean - chance).

    The interval is the delta method's for a ratio of paired means, se(r) = sd(y_i - r x_i) /
    (sqrt(n) |clean - chance|) with Student's t, on the images and two more: one that turns right
    and one that turns wrong, as in ``paired_change``. Raises ValueError if the clean accuracy is
    chance.
    """
    x_N, y_N = _pair(clean, after)
    above = float(x_N.mean()) - chance
    if above == 0:
        raise ValueError("clean accuracy is chance; there is nothing to relate to")
    ratio = (float(y_N.mean()) - chance) / above
    n = len(x_N) + 2
    rest_N = np.append(y_N, [1.0, 0.0]) - ratio * np.append(x_N, [0.0, 1.0])
    half = _t(n - 1) * float(rest_N.std(ddof=1)) / math.sqrt(n) / abs(above)
    return Estimate(ratio, ratio - half, ratio + half)


def _pair(before: ArrayLike, after: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    x_N, y_N = np.asarray(before, dtype=float).ravel(), np.asarray(after, dtype=float).ravel()
    if len(x_N) != len(y_N) or not len(x_N):
        raise ValueError(f"{len(x_N)} images before and {len(y_N)} after; give the same ones")
    return x_N, y_N


def _t(degrees: int) -> float:
    from scipy import special  # seconds, which only those who measure shall wait

    return float(special.stdtrit(degrees, 0.975))
