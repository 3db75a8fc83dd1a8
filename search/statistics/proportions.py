"""Bounds of shares that are counted in a finite population, such as the trials of a study."""

import numpy as np
from scipy import stats


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
