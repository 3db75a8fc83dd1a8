"""Do seeds near the ceiling differ so much that intervals from a few of them cover too little?"""

from collections.abc import Sequence

import numpy as np

CEILING = 0.1  # share of errors below which luck is skewed: it cannot go far up
LARGE = 0.5  # standard deviation of the errors over seeds, as a share of their mean
CAUTION = (
    "near the ceiling, errors differ between seeds by more than half of their mean: such luck is "
    "skewed, few seeds may all miss the bad ones, and intervals of differences that say 95% may "
    "cover 80 to 92%"
)


def skewed_luck(scores: Sequence[float], items: int) -> bool:
    """Whether the luck of seeds, beyond that of single images, is large near the ceiling.

    With m the mean share of errors and s their standard deviation over seeds it is where m <= .1
    and s^2 - m (1 - m) / I > (m / 2)^2. No small change to the intervals repairs it: t wider by a
    quarter, and luck on the logit scale, leave .83 to .90 and widen all other intervals. See "Very
    large luck" in ``benchmarks/results/simulated.md``.

    Args:
        scores: shares of images that are right, one per seed.
        items: I, how many images (or groups).
    """
    errors = 1 - np.asarray(scores, dtype=float)
    mean = float(errors.mean()) if len(errors) else 0.0
    if len(errors) < 2 or items < 1 or not 0 < mean <= CEILING:
        return False
    of_images = mean * (1 - mean) / items
    return bool(errors.var(ddof=1) - of_images > (LARGE * mean) ** 2)
