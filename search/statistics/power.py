"""How small a difference can be and still be found."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from search.statistics.quantiles import NO_SPREAD, half_width

POWER = 0.8


def detectable_difference(
    seeds: int,
    items: int,
    seed_std: float,
    item_std: float,
    level: float = 0.05,
    power: float = POWER,
) -> float:
    """The least true difference of arms on shared seeds and images that is found with ``power``.

    As `detectable_at` with u = seed_std / sqrt(S) and v = item_std / sqrt(I), and the two items of
    `pseudo_items` in v. More seeds make u small and leave v.

    Args:
        seeds: S; infinite below 2.
        items: I, test images (or groups); 0 where the test speaks of these images only.
        seed_std: standard deviation over seeds of the paired difference.
        item_std: over images, of the difference that all seeds have on average; at most sqrt(q)
            where the arms differ on a share q of the images.
        level: two-sided level of the test.
        power: wanted chance of finding it.
    """
    if seeds < 2:
        return math.inf
    u = seed_std / math.sqrt(seeds)
    if items == 0:
        return detectable_at(u, seeds - 1, 0.0, 1, level, power)
    v = math.sqrt(items * item_std**2 + 2) / (items + 2)  # as if a changed item changed outright
    return detectable_at(u, seeds - 1, v, items + 1, level, power)


def detectable_at(
    u: float, seed_df: float, v: float, item_df: float, level: float = 0.05, power: float = POWER
) -> float:
    """The least true difference d that is found with probability ``power``, given its error.

    Solves P(|d + e Z| > h) = power, with e^2 = u^2 + v^2 and h the `half_width` of the test itself.
    It varies from comparison to comparison, since few seeds tell u badly: it is taken at u and v
    times sqrt(chi^2(df) / df), averaged over quantiles of chi^2. Without v this is the power of the
    paired t test: that of the noncentral t. No library has it for two parts.

    Args:
        u: standard error that comes from the seeds.
        seed_df: its degrees of freedom.
        v: standard error that comes from the items.
        item_df: its degrees of freedom.
        level: two-sided level of the test.
        power: wanted chance of finding it.
    """
    if u + v <= NO_SPREAD:
        return 0.0
    error = math.hypot(u, v)
    half_UV = half_width(
        level,
        u * _spread(seed_df, 400)[:, None],
        seed_df,
        v * _spread(item_df, 10)[None, :],
        item_df,
    )

    def missing_power(d: float) -> float:
        powers = special.ndtr((d - half_UV) / error) + special.ndtr((-d - half_UV) / error)
        return float(powers.mean()) - power

    return float(optimize.brentq(missing_power, 0.0, float(half_UV.max()) + 3 * error))


def _spread(df: float, count: int) -> NDArray[np.float64]:
    """Quantiles of sqrt(chi^2(df) / df) at the middles of ``count`` equal shares."""
    shares = (np.arange(count) + 0.5) / count
    return np.asarray(np.sqrt(2 * special.gammaincinv(df / 2, shares) / df), dtype=float)
