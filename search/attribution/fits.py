"""From a fitted model to the doubt of each effect: three ways, by what trials are known of.

Symbols: C candidates, S seeds, I images (or groups), i and s their indices.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import special

from search.attribution.design import Array
from search.records.predictions import Correctness
from search.statistics.crossed import crossed_parts, size_of_a_change
from search.statistics.intervals import difference_of_parts

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """Of one contrast: the value, its 95% interval, and the p-value of "no effect"."""

    value: float
    low: float
    high: float
    p_value: float


class Fit(Protocol):
    """A fitted model that tells of any contrast of its coefficients."""

    @property
    def mean(self) -> float:
        """The score over all that was tried, in equal shares."""

    def tell(self, contrast: Array) -> Estimate:
        """The estimate of a contrast (columns,)."""


@dataclass(frozen=True, eq=False)
class LinearFit:
    """Coefficients (columns,) with a covariance: t with so many degrees of freedom."""

    coefficients: Array
    covariance: Array
    freedom: int

    @property
    def mean(self) -> float:
        """See `Fit`."""
        return float(self.coefficients[0])

    def tell(self, contrast: Array) -> Estimate:
        """See `Fit`."""
        quantile = float(special.stdtrit(self.freedom, (1 + CONFIDENCE) / 2))
        value = float(contrast @ self.coefficients)
        error = math.sqrt(max(0.0, float(contrast @ self.covariance @ contrast)))
        if error > 0:
            p_value = float(2 * special.stdtr(self.freedom, -abs(value) / error))
        else:
            p_value = 1.0 if value == 0 else 0.0
        return Estimate(value, value - quantile * error, value + quantile * error, p_value)


@dataclass(frozen=True, eq=False)
class CrossedFit:
    """Effects for new seeds *and* new images, from which images each candidate got right.

    Least squares weighs candidates, effect = sum over c of w_c score_c, and a score is a mean over
    images. So an effect is the mean of one seeds x images matrix, and has the parts of its error:

        E_si = sum over c of w_c right_csi

    The weights of a contrast add up to 0. Its reach r = sum |w_c| / 2 is what it is where all
    candidates that count for it are right and all others wrong; the two images that stand for what
    the sample may lack (`pseudo_items`) are won and lost by r, as by 1 in a difference of two arms.

    Args:
        weights: (columns, C), the pseudo-inverse of the design's matrix.
        right: (C, S, I), 0 or 1.
        groups: one name per image where images are not independent.
    """

    weights: Array
    right: Array
    groups: tuple[str, ...] | None

    @property
    def mean(self) -> float:
        """See `Fit`."""
        return float(self.weights[0] @ self.right.mean(axis=(1, 2)))

    @property
    def items(self) -> int:
        """Images, or groups of them."""
        return len(set(self.groups)) if self.groups else self.right.shape[2]

    def tell(self, contrast: Array) -> Estimate:
        """See `Fit`."""
        weights_C = contrast @ self.weights
        reach = float(np.abs(weights_C).sum() / 2)
        effect_SI = np.tensordot(weights_C / reach, self.right, axes=1)
        parts = crossed_parts(effect_SI, self.groups)
        size = size_of_a_change(effect_SI.mean(axis=0), self.groups)
        found = difference_of_parts(
            parts, parts.seeds - 1, CONFIDENCE, bounds=(0.0, 1.0), size=size
        )
        # with two seeds and two items there is an interval: the pseudo-items give it a width
        assert found.low is not None and found.high is not None  # noqa: S101
        assert found.p_value is not None  # noqa: S101
        low, high = reach * found.low, reach * found.high
        return Estimate(reach * found.mean, low, high, found.p_value)


def right_of(
    tested: Mapping[str, Correctness], candidates: Sequence[str], seeds: Sequence[int]
) -> Array:
    """Which images candidates got right at these seeds, (C, S, I)."""
    return np.stack([tested[candidate].of_seeds(seeds) for candidate in candidates])
