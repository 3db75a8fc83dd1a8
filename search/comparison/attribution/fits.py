"""From a fitted model to the doubt of each effect: three ways, by what trials are known of.

Symbols: C candidates, S seeds, I images (or groups), i and s their indices.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search.comparison.attribution.design import Array
from search.records.predictions import Correctness
from search.statistics.crossed import Parts, by_group, crossed_parts, size_of_a_change
from search.statistics.intervals import Difference, Interval, difference_of_parts

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """Of one contrast: its value and doubt, in units of its reach.

    Args:
        difference: of the contrast over its reach, with its p-value of "no effect".
        reach: what the contrast is where all that counts for it is right and all else wrong.
    """

    difference: Difference
    reach: float = 1.0

    @property
    def value(self) -> float:
        """The effect itself."""
        return self.reach * self.difference.mean

    @property
    def p_value(self) -> float:
        """Of "no effect"; 1 where nothing tells how far the value would scatter."""
        return 1.0 if self.difference.p_value is None else self.difference.p_value

    def at(self, confidence: float) -> Interval:
        """The effect with an interval of this confidence; as wide as can be where none is known."""
        interval = self.difference.at(confidence)
        if interval.low is None or interval.high is None:
            return Interval(self.value, -math.inf, math.inf, interval.n)
        return Interval(
            self.value, self.reach * interval.low, self.reach * interval.high, interval.n
        )


@dataclass(frozen=True, eq=False)
class LinearFit:
    """Coefficients (columns,) with a covariance: t with so many degrees of freedom.

    Where scores are shares of images, two image trainings that stand for what the sample may lack
    are counted in, as in `paired_difference`: scores that are all equal are not a certainty.

    Args:
        coefficients: (columns,).
        covariance: (columns, columns).
        freedom: degrees of freedom of the covariance.
        weights: (columns, C), the pseudo-inverse of the design's matrix.
        items: image trainings behind an effect; 0 where scores are not shares of images.
    """

    coefficients: Array
    covariance: Array
    freedom: int
    weights: Array
    items: int = 0

    @property
    def mean(self) -> float:
        """The score over all that was tried, in equal shares."""
        return float(self.coefficients[0])

    def tell(self, contrast: Array) -> Estimate:
        """The estimate of a contrast (columns,)."""
        reach = _reach(contrast @ self.weights)
        value = float(contrast @ self.coefficients) / reach
        error = math.sqrt(max(0.0, float(contrast @ self.covariance @ contrast))) / reach
        parts = Parts(value, error, 0.0, self.freedom + 1, self.items)
        return _estimate(parts, self.freedom, 1.0, reach, covers_items=False)


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
        """See `LinearFit`."""
        return float(self.weights[0] @ self.right.mean(axis=(1, 2)))

    @property
    def items(self) -> int:
        """Images, or groups of them."""
        return len(set(self.groups)) if self.groups else self.right.shape[2]

    def tell(self, contrast: Array) -> Estimate:
        """See `LinearFit`."""
        weights_C = contrast @ self.weights
        reach = _reach(weights_C)
        effect_SI = np.tensordot(weights_C / reach, self.right, axes=1)
        parts = crossed_parts(effect_SI, self.groups)
        size = size_of_a_change(effect_SI.mean(axis=0), self.groups)
        return _estimate(parts, parts.seeds - 1, size, reach)


@dataclass(frozen=True, eq=False)
class CandidatesFit:
    """Effects for new candidates *and* new images: one training of each candidate.

    The parts of an effect's error, with w_c the weight of candidate c in it (see `CrossedFit`), h
    the leverages, and r_ci = right_ci minus what each image's own fit says of it, less its mean:

        u^2 = HC3 over candidates
        v^2 = variance over i of (sum over c of w_c right_ci) / I - sum over c of w_c^2 q_c / I,
              at least 0, with q_c = variance over i of r_ci / (1 - h_c)

    What is taken off is noise of single answers, which u^2 has already.

    Args:
        linear: coefficients with their HC3 covariance.
        weights: (columns, C).
        leverage: (C,).
        right: (C, I), 0 or 1.
        fitted: (C, I), what each image's own fit says.
        groups: one name per image where images are not independent.
    """

    linear: LinearFit
    weights: Array
    leverage: Array
    right: Array
    fitted: Array
    groups: tuple[str, ...] | None

    @property
    def mean(self) -> float:
        """See `LinearFit`."""
        return self.linear.mean

    @property
    def items(self) -> int:
        """Images, or groups of them."""
        return len(set(self.groups)) if self.groups else self.right.shape[1]

    def tell(self, contrast: Array) -> Estimate:
        """See `LinearFit`."""
        weights_C = contrast @ self.weights
        reach = _reach(weights_C)
        effect_I = (weights_C / reach) @ self.right
        mean = float(effect_I.mean())
        residual_CI, shown_I = self.right - self.fitted, effect_I[None]
        if self.groups:
            names = self.groups
            shown_I = by_group(shown_I, names, mean)
            residual_CI = np.stack(
                [by_group(r[None], names, float(r.mean()))[0] for r in residual_CI]
            )
        count = self.items
        noise_C = residual_CI.var(axis=1, ddof=1) / (1 - self.leverage)
        noise = float(np.square(weights_C / reach) @ noise_C)
        v = math.sqrt(max(0.0, float(shown_I.var(ddof=1)) - noise) / count)
        u = math.sqrt(max(0.0, float(contrast @ self.linear.covariance @ contrast))) / reach
        parts = Parts(mean, u, v, len(weights_C), count)
        size = size_of_a_change(effect_I, self.groups)
        return _estimate(parts, self.linear.freedom, size, reach)


Fit = LinearFit | CrossedFit | CandidatesFit


def _reach(weights_C: Array) -> float:
    return float(np.abs(weights_C).sum() / 2)


def _estimate(
    parts: Parts, freedom: float, size: float, reach: float, covers_items: bool = True
) -> Estimate:
    """An effect from its parts, which are counted in reaches."""
    bounds = (0.0, 1.0) if parts.items else None
    difference = difference_of_parts(
        parts, freedom, CONFIDENCE, bounds=bounds, size=size, covers_items=covers_items
    )
    return Estimate(difference, reach)


def right_of(
    tested: Mapping[str, Correctness], candidates: Sequence[str], seeds: Sequence[int]
) -> Array:
    """Which images candidates got right at these seeds, (C, S, I)."""
    return np.stack([tested[candidate].of_seeds(seeds) for candidate in candidates])
