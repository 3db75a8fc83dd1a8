"""Differences of two arms that share no seeds, as of two studies; they may share test images.

What pairing takes out of a difference, the luck of a seed, stays in: these intervals are wider than
paired ones. Symbols: S and T seeds of the first and second arm, I test items.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.statistics.intervals import Difference, by_group, tested


def unpaired_difference(
    first: ArrayLike, second: ArrayLike, confidence: float = 0.95
) -> Difference:
    """Difference of two means over seeds of their own: Welch's interval and test.

        u^2 = u_a^2 + u_b^2 = s_a^2 / S + s_b^2 / T
        df = u^4 / (u_a^4 / (S - 1) + u_b^4 / (T - 1))

    Source: Welch, The Generalization of "Student's" Problem when Several Different Population
    Variances are Involved, 1947, https://doi.org/10.2307/2332510

    Raises:
        ValueError: an arm without a score, or with one that is not finite.
    """
    a_S1, b_T1 = (np.asarray(scores, dtype=float).reshape(-1, 1) for scores in (first, second))
    return unpaired_crossed_difference(a_S1, b_T1, confidence)


def unpaired_crossed_difference(
    first: ArrayLike,
    second: ArrayLike,
    confidence: float = 0.95,
    groups: Sequence[str] | None = None,
) -> Difference:
    """Difference of two arms on seeds of their own and shared items, for new seeds *and* new items.

    As `crossed_difference`, with the seed part of Welch over the arms' means over items, and

        v^2 = variance over i of (mean over s of a - mean over t of b) / I - E_a / SI - E_b / TI

    at least 0, with E the residual mean square of each arm. Simulated 95% intervals cover 94 to 97%
    at 3, 5 and 10 seeds. With a single item it speaks of seeds only.

    Args:
        first: correctness (S, I), 0 or 1, of one arm.
        second: (T, I) of the other arm, same items in the same order.
        confidence: of the interval.
        groups: one name an item where items are not independent.
    """
    a_SI, b_TI = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a_SI.ndim != 2 or b_TI.ndim != 2 or a_SI.shape[1] != b_TI.shape[1]:
        raise ValueError(f"arms have shapes {a_SI.shape} and {b_TI.shape}; give shared items")
    for x in (a_SI, b_TI):
        if x.size == 0 or not np.isfinite(x).all():
            raise ValueError(f"need finite scores, got shape {x.shape}")
    mean = float(a_SI.mean() - b_TI.mean())
    if groups is not None:
        a_SI, b_TI = (by_group(x, groups, float(x.mean())) for x in (a_SI, b_TI))
    (S, I), T = a_SI.shape, len(b_TI)  # noqa: E741
    if S < 2 or T < 2:
        return Difference(mean, None, None, min(S, T), None)
    seed_parts = np.array([x.mean(axis=1).var(ddof=1) / len(x) for x in (a_SI, b_TI)])
    residuals = np.array([_residual(x) / x.size for x in (a_SI, b_TI)])
    item_part = 0.0
    if I > 1:
        difference_I = a_SI.mean(axis=0) - b_TI.mean(axis=0)
        between = float(difference_I.var(ddof=1)) / I
        item_part = math.sqrt(max(0.0, between - float(residuals.sum())))
        # where all seeds of an arm agree to the last digit, its residual stands in
        seed_parts = np.where(seed_parts < 1e-18, residuals, seed_parts)
    total = float(seed_parts.sum())
    seed_df = float(S + T - 2)
    if total > 0:
        seed_df = total**2 / float((np.square(seed_parts) / [S - 1, T - 1]).sum())
    items = I if I > 1 else 0
    return tested(mean, confidence, min(S, T), math.sqrt(total), seed_df, item_part, items)


def _residual(x_SI: NDArray[np.float64]) -> float:
    """The residual mean square of a seeds x items matrix; 0 where there is one item."""
    S, I = x_SI.shape  # noqa: E741
    if I < 2:
        return 0.0
    residual_SI = x_SI - x_SI.mean(axis=1)[:, None] - x_SI.mean(axis=0)[None, :] + x_SI.mean()
    return float(np.square(residual_SI).sum() / ((S - 1) * (I - 1)))
