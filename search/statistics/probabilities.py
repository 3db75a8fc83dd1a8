"""Intervals of probabilities: an accuracy, P(A > B) over paired seeds, a share of a population."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from search.statistics.crossed import Matrix, checked_matrix, crossed_parts
from search.statistics.intervals import Interval
from search.statistics.quantiles import half_width
from search.statistics.wilson import wilson


def probability_of_beating(
    first: ArrayLike, second: ArrayLike, confidence: float = 0.95
) -> Interval:
    """How often the first arm beats the second, P(A > B) + P(A = B) / 2, over paired seeds.

    With w = wins + ties / 2 of n pairs the mean is w / n, and Clopper and Pearson's interval runs
    from the a / 2 quantile of Beta(w, n - w + 1) to the 1 - a / 2 quantile of Beta(w + 1, n - w),
    a = 1 - confidence. It never covers less than it says, whatever the truth, at 3 pairs too (the
    bootstrap of 3 wins in 3 would be [1, 1]); without ties it holds one half exactly where the
    two-sided sign test does not reject: 5 wins in 5 still do, 6 in 6 do not. Higher must be better;
    swap the arms where lower is.

    Raises:
        ValueError: no pair, unequal counts, or a score that is not finite.

    Source: Accounting for Variance in Machine Learning Benchmarks, 2021,
    https://arxiv.org/abs/2103.03098 (the quantity); Clopper and Pearson, The Use of Confidence or
    Fiducial Limits Illustrated in the Case of the Binomial, 1934, https://doi.org/10.2307/2331986
    """
    a_S, b_S = np.asarray(first, dtype=float).ravel(), np.asarray(second, dtype=float).ravel()
    if len(a_S) != len(b_S) or len(a_S) == 0 or not np.isfinite([*a_S, *b_S]).all():
        raise ValueError(f"need finite pairs, got {a_S.tolist()} and {b_S.tolist()}")
    n = len(a_S)
    wins = float((a_S > b_S).sum() + 0.5 * (a_S == b_S).sum())
    tail = (1 - confidence) / 2
    low = float(special.betaincinv(wins, n - wins + 1, tail)) if wins > 0 else 0.0
    high = float(special.betaincinv(wins + 1, n - wins, 1 - tail)) if wins < n else 1.0
    return Interval(wins / n, low, high, n)


def accuracy_interval(
    correct: ArrayLike, confidence: float = 0.95, groups: Sequence[str] | None = None
) -> Interval:
    """Wilson's interval of an accuracy from a seeds x items matrix of 0 and 1.

    The error of an accuracy near 1 is skewed: mean +- half covers .93 at 97% of 200 images. With
    the mean m, the crossed standard error e and its quantile t* (see `crossed_parts` and
    `half_width`) and the effective count n = m (1 - m) / e^2, the interval is every p with
    |m - p| <= t* sqrt(p (1 - p) / n); it never leaves [0, 1]. For m and e in n, two items are
    added, one that all seeds get right and one that none does, so that n is known where all are
    right and is not taken too large where few are wrong.

    Source: effective counts: Korn and Graubard, Confidence Intervals for Proportions with Small
    Expected Number of Positive Counts Estimated From Survey Data, 1998; for the added items Agresti
    and Coull, Approximate Is Better than "Exact" for Interval Estimation of Binomial Proportions,
    1998, https://doi.org/10.2307/2685469, who add two of each.
    """
    x_SI = checked_matrix(correct)
    S, mean = len(x_SI), float(x_SI.mean())
    names = list(groups) if groups is not None else list(map(str, range(x_SI.shape[1])))
    if S < 2 or len(set(names)) < 2:
        return Interval(mean, None, None, S)
    _, u, v, _, items = crossed_parts(*_with_two_more(x_SI, names, groups is not None))
    shrunk = (mean * (items - 2) + 1) / items
    half = float(half_width(1 - confidence, u, S - 1, v, items - 1))
    low, high = wilson(mean, half**2 / (shrunk * (1 - shrunk)))
    return Interval(mean, low, high, S)


def _with_two_more(
    x_SI: Matrix, names: Sequence[str], grouped: bool
) -> tuple[Matrix, list[str] | None]:
    """An item (or group of the usual size) that is right in all seeds, and one that is wrong."""
    size = max(1, round(len(names) / len(set(names))))
    right, wrong = np.ones((len(x_SI), size)), np.zeros((len(x_SI), size))
    more = [*names, *["all right\0"] * size, *["all wrong\0"] * size]
    return np.concatenate([x_SI, right, wrong], axis=1), more if grouped else None


def share_upper_bound(
    successes: int, drawn: int, population: int, confidence: float = 0.95
) -> float:
    """The largest share of a finite population that a draw without replacement still allows.

    Of ``population`` units ``drawn`` were looked at and ``successes`` of them were such. The bound
    is the largest K / population with P(at most ``successes`` | K such units) > 1 - confidence,
    by the hypergeometric distribution: where all were looked at, the share is known.

    Raises:
        ValueError: counts that contradict one another.
    """
    if not 0 <= successes <= drawn <= population or population < 1:
        raise ValueError(f"{successes} of {drawn} drawn from {population} cannot be")
    such = np.arange(successes, population - (drawn - successes) + 1)
    allowed = stats.hypergeom.cdf(successes, population, such, drawn) > 1 - confidence
    return float(such[allowed].max()) / population
