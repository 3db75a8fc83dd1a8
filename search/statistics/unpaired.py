"""Differences of two arms that share no seeds, as of two studies; they may share test images.

What pairing takes out of a difference, the luck of a seed, stays in: these intervals are wider than
paired ones. Symbols: S and T seeds of the first and second arm, I test items.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from search.statistics.crossed import (
    Parts,
    by_group,
    checked_matrix,
    residual_mean_square,
    size_of_a_change,
)
from search.statistics.intervals import (
    Bounds,
    Difference,
    difference_of_parts,
    finite,
    seeds_part,
)


def unpaired_difference(
    first: ArrayLike,
    second: ArrayLike,
    confidence: float = 0.95,
    *,
    bounds: Bounds | None = None,
    items: int | None = None,
) -> Difference:
    """Difference of two means over seeds of their own: Welch's interval and test.

        u^2 = u_a^2 + u_b^2 = s_a^2 / S + s_b^2 / T
        df = u^4 / (u_a^4 / (S - 1) + u_b^4 / (T - 1))

    That is ``scipy.stats.ttest_ind(equal_var=False)`` where ``items`` is not given. Scores that are
    shares of ``items`` images get the two image trainings of `paired_difference`, of min(S, T) I.

    Args:
        first: scores of one arm.
        second: scores of the other arm.
        confidence: of the interval.
        bounds: least and largest value of the metric.
        items: images that each score is a share of; none if it is not such a share.

    Source: Welch, The Generalization of "Student's" Problem when Several Different Population
    Variances are Involved, 1947, https://doi.org/10.2307/2332510

    Raises:
        ValueError: an arm without a score, or with one that is not finite.
    """
    a_S, b_T = finite(first), finite(second)
    mean, least = float(a_S.mean() - b_T.mean()), min(len(a_S), len(b_T))
    if least < 2:
        return Difference(mean, None, None, least, None)
    u, seed_df = _welch([x.var(ddof=1) / len(x) for x in (a_S, b_T)], len(a_S), len(b_T))
    count = items * least if items else 0
    spread, u = u, seeds_part(u, [float(x.mean()) for x in (a_S, b_T)], count)
    seed_df = least - 1 if u > spread else seed_df  # agreement by luck teaches no variance
    parts = Parts(mean, u, 0.0, least, count)
    return difference_of_parts(parts, seed_df, confidence, bounds=bounds, covers_items=False)


def unpaired_crossed_difference(
    first: ArrayLike,
    second: ArrayLike,
    confidence: float = 0.95,
    groups: Sequence[str] | None = None,
) -> Difference:
    """Difference of two arms on seeds of their own and shared items, for new seeds *and* new items.

    As `crossed_difference`, with the seed part of Welch over the arms' means over items, and

        v^2 = variance over i of (mean over s of a - mean over t of b) / I - E_a / SI - E_b / TI

    at least 0, with E the residual mean square of each arm. No library has it.

    Args:
        first: correctness (S, I), 0 or 1, of one arm.
        second: (T, I) of the other arm, same items in the same order.
        confidence: of the interval.
        groups: one name an item where items are not independent.
    """
    a_SI, b_TI = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a_SI.ndim != 2 or b_TI.ndim != 2 or a_SI.shape[1] != b_TI.shape[1]:
        raise ValueError(f"arms have shapes {a_SI.shape} and {b_TI.shape}; give shared items")
    a_SI, b_TI = checked_matrix(a_SI), checked_matrix(b_TI)
    size = size_of_a_change(a_SI.mean(axis=0) - b_TI.mean(axis=0), groups)
    mean = float(a_SI.mean() - b_TI.mean())
    if groups is not None:
        a_SI, b_TI = (by_group(x, groups, float(x.mean())) for x in (a_SI, b_TI))
    (S, I), T = a_SI.shape, len(b_TI)  # noqa: E741
    if min(S, T, I) < 2:
        return Difference(mean, None, None, min(S, T), None)
    residuals = [residual_mean_square(x) / x.size for x in (a_SI, b_TI)]
    seed_parts = [float(x.mean(axis=1).var(ddof=1)) / len(x) for x in (a_SI, b_TI)]
    # where all seeds of an arm agree to the last digit, its residual stands in
    seed_parts = [r if p < 1e-18 else p for p, r in zip(seed_parts, residuals, strict=True)]
    u, seed_df = _welch(seed_parts, S, T)
    between = float((a_SI.mean(axis=0) - b_TI.mean(axis=0)).var(ddof=1)) / I
    parts = Parts(mean, u, math.sqrt(max(0.0, between - sum(residuals))), min(S, T), I)
    return difference_of_parts(parts, seed_df, confidence, bounds=(0.0, 1.0), size=size)


def _welch(parts: Sequence[float], *counts: int) -> tuple[float, float]:
    """U and its degrees of freedom from u_a^2 and u_b^2."""
    total = sum(parts)
    if total <= 0:
        return 0.0, float(sum(counts) - 2)
    each = sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
    return math.sqrt(total), total**2 / each
