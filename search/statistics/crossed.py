"""Variance components of a seeds x items matrix: what new seeds and what new items would change.

Symbols: S seeds, I items (or groups), s and i their indices.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]
_EQUAL = 1e-9  # seeds that differ by less differ by rounding


class Parts(NamedTuple):
    """Mean of a matrix with its two standard errors."""

    mean: float  # over all
    u: float  # standard error from the seeds
    v: float  # standard error from the items
    seeds: int  # S
    items: int  # I; groups where items are grouped


def crossed_parts(scores: ArrayLike, groups: Sequence[str] | None = None) -> Parts:
    """The parts of the error of a mean over seeds and items.

    In the crossed model x_si = m + a_s + b_i + e_si the mean has the variance
    V_a / S + V_b / I + V_e / (S I). Its parts are estimated by the two-way mean squares:

        u^2 = variance over s of (mean over i) / S          = V_a / S + V_e / (S I)
        v^2 = variance over i of (mean over s) / I - E / (S I), at least 0 = V_b / I

    with E the residual mean square (its share is already in u^2; where all seeds agree to the last
    digit, it stands in for u^2). Both are 0 for a single seed or item. With ``groups`` whole groups
    are the items; see `by_group`.

    Raises:
        ValueError: no matrix, an empty one, or a value that is not finite.
    """
    x_SI = checked_matrix(scores)
    mean = float(x_SI.mean())
    if groups is not None:
        x_SI = by_group(x_SI, groups, mean)
    S, I = x_SI.shape  # noqa: E741
    if S < 2 or I < 2:
        return Parts(mean, 0.0, 0.0, S, I)
    mean_S, mean_I = x_SI.mean(axis=1), x_SI.mean(axis=0)
    error = residual_mean_square(x_SI)
    u = math.sqrt(float(mean_S.var(ddof=1)) / S)
    v = math.sqrt(max(0.0, float(mean_I.var(ddof=1)) / I - error / (S * I)))
    return Parts(mean, u if u >= _EQUAL else math.sqrt(error / (S * I)), v, S, I)


def residual_mean_square(x_SI: Matrix) -> float:
    """E, what seeds and items do not explain of a matrix; 0 where there is one seed or item."""
    S, I = x_SI.shape  # noqa: E741
    if S < 2 or I < 2:
        return 0.0
    residual_SI = x_SI - x_SI.mean(axis=1)[:, None] - x_SI.mean(axis=0)[None, :] + x_SI.mean()
    return float(np.square(residual_SI).sum() / ((S - 1) * (I - 1)))


def by_group(x_SI: Matrix, groups: Sequence[str], mean: float) -> Matrix:
    """Items to groups: (G / I) (sum of the group - size * mean) + mean; row means stay the same."""
    names, group_of_item = np.unique(np.asarray(groups), return_inverse=True)
    if len(group_of_item) != x_SI.shape[1]:
        raise ValueError(f"{len(group_of_item)} groups for {x_SI.shape[1]} items")
    sums_SG = np.stack([np.bincount(group_of_item, weights=row) for row in x_SI - mean])
    return np.asarray(sums_SG * (len(names) / x_SI.shape[1]) + mean, dtype=float)


def size_of_a_change(differences_I: Matrix, groups: Sequence[str] | None = None) -> float:
    """w^2, the mean square of a difference on the items on which two arms differ at all.

    Two further items, one won and one lost outright, are counted among them: where arms do not
    differ on any item, w = 1. See `pseudo_items`.

    Args:
        differences_I: the mean difference over seeds, of each item.
        groups: one name an item where items are not independent.
    """
    if groups is not None:
        differences_I = by_group(differences_I[None], groups, 0.0)[0]
    changed = differences_I[np.abs(differences_I) > _EQUAL]
    return float((np.square(changed).sum() + 2) / (len(changed) + 2))


def pseudo_items(parts: Parts, size: float) -> Parts:
    """Two items more: on one the first arm wins by w, on the other it loses by as much.

    Where images are few and nearly all are right, those on which arms differ may be missing from
    the sample altogether: the spread that is seen is then 0, and a t interval a point. Bonett and
    Price add one won and one lost pair to a difference of paired proportions. Here a pair is a mean
    over seeds, so that it is as large as those that were seen:

        mean := mean I / (I + 2),  v^2 := v^2 (I / (I + 2))^2 + 2 w^2 / (I + 2)^2

    Args:
        parts: of a difference of two arms.
        size: w^2, see `size_of_a_change`.

    Source: Bonett and Price, Adjusted Wald Confidence Interval for a Difference of Binomial
    Proportions Based on Paired Data, 2012, https://doi.org/10.3102/1076998611411915
    """
    items = parts.items + 2
    shrunk = parts.items / items
    v = math.sqrt((parts.v * shrunk) ** 2 + 2 * size / items**2)
    return parts._replace(mean=parts.mean * shrunk, v=v, items=items)


def checked_matrix(scores: ArrayLike) -> Matrix:
    """A finite seeds x items matrix. Raises ValueError."""
    x_SI = np.asarray(scores, dtype=float)
    if x_SI.ndim != 2 or x_SI.size == 0 or not np.isfinite(x_SI).all():
        raise ValueError(f"need a finite (seeds, items) matrix, got shape {x_SI.shape}")
    return x_SI
