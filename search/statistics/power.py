"""How small a difference can be and still be found."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

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
    if seeds < 2 or items == 0:
        return minimum_detectable_difference(seeds, seed_std, power, level)
    u = seed_std / math.sqrt(seeds)
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
        found = special.ndtr((d - half_UV) / error) + special.ndtr((-d - half_UV) / error)
        return float(found.mean()) - power

    return float(optimize.brentq(missing_power, 0.0, float(half_UV.max()) + 3 * error))


def minimum_detectable_difference(
    seeds: int, std: float, power: float = 0.8, level: float = 0.05
) -> float:
    """The least true difference that a paired t test over seeds finds with probability ``power``.

    Solves P(|T'| > t(S - 1)) = power, where T' is noncentral t with noncentrality d sqrt(S) / std.

    Args:
        seeds: S; infinite below 2.
        std: standard deviation over seeds of the paired difference, in the unit of the result.
        power: wanted chance of finding it.
        level: two-sided level of the test.
    """
    if seeds < 2:
        return math.inf
    critical = float(stats.t.ppf(1 - level / 2, seeds - 1))

    def missing_power(noncentrality: float) -> float:
        above = stats.nct.sf(critical, seeds - 1, noncentrality)
        below = stats.nct.cdf(-critical, seeds - 1, noncentrality)
        return float(np.nan_to_num(above) + np.nan_to_num(below)) - power

    # at noncentrality 2 (critical + 3) nearly all of T' lies above the critical value
    root = optimize.brentq(missing_power, 0.0, 2 * (critical + 3), xtol=1e-10)
    return float(root) * std / math.sqrt(seeds)


def _spread(df: float, count: int) -> NDArray[np.float64]:
    """Quantiles of sqrt(chi^2(df) / df) at the middles of ``count`` equal shares."""
    shares = (np.arange(count) + 0.5) / count
    return np.asarray(np.sqrt(2 * special.gammaincinv(df / 2, shares) / df), dtype=float)
