"""Intervals, paired differences and their tests: how sure we are of a number.

Seeds are few, so every interval over seeds uses Student's t. The percentile bootstrap is not used:
it resamples the few values that it has, shrinks their spread by sqrt((n - 1) / n) and knows no t
quantile, so that its nominal 95% covers 83% at n = 5, where t covers 95%.

Where a score is a mean over images, none of these intervals has a width of 0: values that agree do
not tell that further ones would (`pseudo_items`). ``python -m benchmarks.simulated`` holds all of
them against simulated truths.

Symbols: S seeds, I test items, s and i their indices.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from search.statistics.crossed import Parts, crossed_parts, pseudo_items, size_of_a_change
from search.statistics.quantiles import NO_SPREAD, half_width, level_at
from search.statistics.wilson import wilson

Bounds = tuple[float, float]  # of a metric; the upper one may be infinite


@dataclass(frozen=True)
class Interval:
    """A mean over ``n`` seeds and its confidence interval; no ``low`` and ``high`` at n = 1.

    The mean need not be the interval's middle: near a bound the longer side points away from it.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Difference(Interval):
    """A mean difference (first minus second), its interval, and the p-value of "no difference".

    Where it is the same in every seed (0 included) and nothing is known of images, nothing tells
    how far new seeds would scatter: no ``low``, ``high`` and ``p_value``.
    """

    p_value: float | None  # two-sided; below .05 exactly where the 95% interval leaves out 0
    seed_part: float = 0.0  # standard error that comes from the seeds, u
    item_part: float = 0.0  # that from the items, v; 0 where the interval speaks of seeds only
    items: int = 0  # how many (or groups); 0 where the interval speaks of seeds only
    centre: float = 0.0  # middle of the interval before it is cut at what is possible
    seed_df: float = 1.0  # degrees of freedom of u
    item_df: float = 1.0  # degrees of freedom of v
    reach: float = math.inf  # the largest difference that the metric allows

    def at(self, confidence: float) -> Interval:
        """The interval of another confidence, of one of many differences for example."""
        if self.low is None:
            return Interval(self.mean, None, None, self.n)
        parts = self.seed_part, self.seed_df, self.item_part, self.item_df
        half = float(half_width(1 - confidence, *parts))
        low, high = min(self.mean, self.centre - half), max(self.mean, self.centre + half)
        return Interval(self.mean, max(-self.reach, low), min(self.reach, high), self.n)

    def one_sided_p(self, null: float = 0.0) -> float | None:
        """P-value of "the true difference is at most ``null``", against "it is more"."""
        if self.p_value is None:
            return None
        distance = self.centre - null
        tail = level_at(abs(distance), self.seed_part, self.seed_df, self.item_part, self.item_df)
        return tail / 2 if distance > 0 else 1 - tail / 2


def score_interval(
    scores: ArrayLike,
    bounds: Bounds | None = None,
    items: int | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Mean and interval over seeds of a metric, which stays within what the metric can be.

    It speaks of new seeds on *these* images. Where the metric lies between two bounds, the interval
    is Wilson's with an effective count n = p (1 - p) / e^2, so that it is all p' with
    |p - p'| <= t* sqrt(p' (1 - p') / n) and never leaves them. Where it has one bound, the t
    interval is cut there.

    Where the score is a share of ``items`` images, two image trainings more, one right and one
    wrong, stand for what N = S I could not show: e^2 = s^2 / S + ((1 - p)^2 + p^2) / (N + 2)^2,
    and p in n is (p N + 1) / (N + 2). So seeds that all agree, all right for example, still have an
    interval. Where the images are unknown, they have none. s has a least value, see `seeds_part`.

    Args:
        scores: one per seed.
        bounds: least and largest value of the metric; none: no bounds.
        items: images that each score is a share of; none if it is not such a share.
        confidence: of the interval.

    Raises:
        ValueError: no score, or one that is not finite.
    """
    x_S = finite(scores)
    mean, S = float(x_S.mean()), len(x_S)
    if S == 1:
        return Interval(mean, None, None, S)
    u = standard_error(x_S)
    unbounded = bounds is None or not math.isfinite(bounds[1] - bounds[0])
    if u <= NO_SPREAD and (items is None or unbounded):
        return Interval(mean, None, None, S)
    if bounds is None or unbounded:
        low, high = _t_limits(mean, u, S, confidence)
        lowest, highest = bounds or (-math.inf, math.inf)
        return Interval(mean, max(low, lowest), min(high, highest), S)
    width = bounds[1] - bounds[0]
    p, u = min(1.0, max(0.0, (mean - bounds[0]) / width)), u / width
    count = S * items if items else 0
    shrunk = (p * count + 1) / (count + 2) if items else p
    v = math.sqrt((1 - p) ** 2 + p**2) / (count + 2) if items else 0.0
    u = seeds_part(u, [p], count)
    half = float(half_width(1 - confidence, u, S - 1, v, max(1, count + 1)))
    low, high = wilson(p, half**2 / (shrunk * (1 - shrunk)))
    return Interval(mean, bounds[0] + width * low, bounds[0] + width * high, S)


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    confidence: float = 0.95,
    *,
    bounds: Bounds | None = None,
    items: int | None = None,
) -> Difference:
    """Difference of two arms over the same seeds: a paired t interval and test.

    It speaks of new seeds on *these* images only; `crossed_difference` speaks of new images too.
    Where scores are shares of ``items`` images, N = S I image trainings and two more, one won and
    one lost, give it v = sqrt(2) / (N + 2) beside the spread over seeds (see `seeds_part`): scores
    that are all equal do not tell that the arms are.

    Args:
        first: scores of one arm.
        second: the other's, same seeds in the same order.
        confidence: of the interval.
        bounds: least and largest value of the metric; no difference is beyond their distance.
        items: images that each score is a share of; none if it is not such a share.
    """
    a_S, b_S = finite(first), finite(second)
    if len(a_S) != len(b_S):
        raise ValueError(f"arms have {len(a_S)} and {len(b_S)} seeds; give the shared ones")
    d_S = a_S - b_S
    S, count = len(d_S), len(d_S) * (items or 0) if len(d_S) > 1 else 0
    u = seeds_part(standard_error(d_S), [float(x.mean()) for x in (a_S, b_S)], count)
    parts = Parts(float(d_S.mean()), u, 0.0, S, count)
    return difference_of_parts(parts, S - 1, confidence, bounds=bounds, covers_items=False)


def crossed_difference(
    first: ArrayLike,
    second: ArrayLike,
    confidence: float = 0.95,
    groups: Sequence[str] | None = None,
) -> Difference:
    """Difference of two arms on shared seeds and shared items, for new seeds *and* new items.

    The half width is that of `half_width` with the parts of `crossed_parts`, so that few seeds are
    not hidden behind many items, and the two items of `pseudo_items`. The interval is cut at -1 and
    1. No library has it: mixed models fit the parts, and take normal quantiles.

    Args:
        first: correctness (S, I), 0 or 1, of one arm.
        second: the same of the other arm, same seeds and items in the same order.
        confidence: of the interval.
        groups: one name an item (the patient of an image) where items are not independent: then
            whole groups are the items. Each counts by its sum, linearised for unequal sizes.

    The p-value is 1 - the confidence at which the interval touches 0.
    """
    a_SI, b_SI = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a_SI.shape != b_SI.shape:
        raise ValueError(f"arms have shapes {a_SI.shape} and {b_SI.shape}; give the shared seeds")
    d_SI = a_SI - b_SI
    parts = crossed_parts(d_SI, groups)
    size = size_of_a_change(d_SI.mean(axis=0), groups)
    return difference_of_parts(parts, parts.seeds - 1, confidence, bounds=(0.0, 1.0), size=size)


def equivalence_p(difference: Difference, margin: float) -> float | None:
    """P-value of "the arms differ by ``margin`` or more", by two one-sided tests.

    The larger of the two p-values of "it is at most -margin" and "it is at least margin"; below .05
    where the 90% interval lies within +-margin. It uses the standard errors that the difference's
    own test uses, of seeds and images where it covers both. None if there is no test.

    Raises:
        ValueError: a margin that is not above 0.

    Source: Schuirmann, A Comparison of the Two One-Sided Tests Procedure and the Power Approach for
    Assessing the Equivalence of Average Bioavailability, 1987, https://doi.org/10.1007/BF01068419
    """
    if not margin > 0:
        raise ValueError(f"an equivalence margin must be above 0, got {margin}")
    above, below = difference.one_sided_p(-margin), difference.one_sided_p(margin)
    return None if above is None or below is None else max(above, 1 - below)


def difference_of_parts(
    parts: Parts,
    seed_df: float,
    confidence: float,
    *,
    bounds: Bounds | None = None,
    size: float = 1.0,
    covers_items: bool = True,
) -> Difference:
    """A difference with its interval and its p-value, from its parts.

    Args:
        parts: ``items`` is 0 if the images are unknown.
        seed_df: degrees of freedom of the seed part.
        confidence: of the interval.
        bounds: of the metric.
        size: see `pseudo_items`.
        covers_items: whether the items speak of new images, else of these.
    """
    mean, S = parts.mean, parts.seeds
    reach = math.inf if bounds is None else bounds[1] - bounds[0]
    if S < 2 or (covers_items and parts.items < 2):
        return Difference(mean, None, None, S, None)
    if parts.items:
        parts = pseudo_items(parts, size)
    u, v, item_df = parts.u, parts.v, max(1, parts.items - 1)
    items = max(0, parts.items - 2) if covers_items else 0
    if u + v <= NO_SPREAD:
        return Difference(mean, None, None, S, None, items=items)
    p_value = level_at(abs(parts.mean), u, seed_df, v, item_df)
    spread = u, v, items, parts.mean, seed_df, item_df, reach
    difference = Difference(mean, 0.0, 0.0, S, p_value, *spread)
    interval = difference.at(confidence)
    return replace(difference, low=interval.low, high=interval.high)


def seeds_part(u: float, shares: Sequence[float], count: int) -> float:
    """The standard error from the seeds, at least what a change of one image would give.

    Two seeds may agree to the last digit by luck: at 45 images and a share of .4, one pair in
    twelve does. That tells nothing of the next seed, so u is at least the smaller of 1 / N and the
    binomial error sqrt(sum of p (1 - p) / N), which is 0 where all seeds were right on all images.

    Args:
        u: of a mean, or of a difference of two.
        shares: p, the mean of each arm.
        count: N, image trainings of an arm; 0 if its scores are not shares of images.
    """
    if count == 0:
        return u
    binomial = math.sqrt(sum(max(0.0, p * (1 - p)) for p in shares) / count)
    return max(u, min(math.sqrt(len(shares)) / count, binomial))


def finite(scores: ArrayLike) -> NDArray[np.float64]:
    """The scores as a vector. Raises ValueError where there is none, or one is not finite."""
    values = np.asarray(scores, dtype=float).ravel()
    if len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"scores must be finite and at least one, got {values.tolist()}")
    return values


def standard_error(values: NDArray[np.float64]) -> float:
    """Of a mean over independent values; 0 of a single one."""
    return 0.0 if len(values) < 2 else float(values.std(ddof=1)) / math.sqrt(len(values))


def _t_limits(mean: float, error: float, count: int, confidence: float) -> tuple[float, float]:
    low, high = stats.t.interval(confidence, count - 1, mean, error)
    return float(low), float(high)
