"""The price of looking again: levels of tests where seeds are added after a look.

Whoever adds seeds until a difference is shown looks several times, and each look may raise a false
alarm: at 5% each, four looks at 3, 5, 8 and 10 seeds raise one in 14% of comparisons.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy import optimize, stats

LEVEL = 0.05
UNPLANNED = 0.015  # what all further looks together may add that nobody planned


def level_of_look(planned: Sequence[int], look: int, level: float = LEVEL) -> float:
    """The level of the tests of one look, so that all looks together keep their promise.

    Planned looks (``seeds: [3, 5, 8, 10]``) share ``level`` by Pocock's bounds: one nominal level
    for all, see `pocock_level`. A look that was not planned comes after tests that have spent the
    whole of it, so it can only add: the k-th of these is held to .015 / (k (k + 1)), all of them,
    however many, to .015 in sum. With them a comparison raises a false alarm in at most
    level + .015.

    Args:
        planned: numbers of seeds at which looks were planned, rising.
        look: which look this is, from 1; after the last planned one, the further ones.
        level: chance of a false alarm over all planned looks.
    """
    if look <= len(planned):
        return pocock_level(tuple(planned), level)
    further = look - max(1, len(planned))
    return level if further < 1 else UNPLANNED / (further * (further + 1))


@cache
def pocock_level(planned: tuple[int, ...], level: float = LEVEL) -> float:
    """The nominal level that each of several planned looks may use: Pocock's.

    Solves P(|Z_k| > c for some look k) = level for standard normal Z_k with correlations
    sqrt(n_i / n_j), n the seeds at each look, and returns 2 P(Z > c). It is used for t tests by
    their p-values. Errors that images have in common at all looks correlate them more, so that the
    promise is kept the better.

    Raises:
        ValueError: numbers of seeds that do not rise.

    Source: Pocock, Group Sequential Methods in the Design and Analysis of Clinical Trials, 1977,
    https://doi.org/10.1093/biomet/64.2.191
    """
    if list(planned) != sorted(set(planned)) or not planned or planned[0] < 1:
        raise ValueError(f"looks must be at rising numbers of seeds, got {list(planned)}")
    if len(planned) == 1:
        return level
    counts = np.array(planned, dtype=float)
    covariance = np.sqrt(np.minimum.outer(counts, counts) / np.maximum.outer(counts, counts))
    together = stats.multivariate_normal(cov=covariance, seed=0, maxpts=200_000, abseps=1e-6)

    def too_many(c: float) -> float:
        limits = np.full(len(counts), c)
        return 1 - float(together.cdf(limits, lower_limit=-limits)) - level

    least = float(stats.norm.isf(level / 2))
    most = float(stats.norm.isf(level / 2 / len(counts)))  # Bonferroni's
    c = optimize.brentq(too_many, least, most, xtol=1e-4)
    return (
        math.floor(2e5 * float(stats.norm.sf(c))) / 1e5
    )  # integration by draws: no more digits than that
