"""How many paired seeds a difference would have needed, from the spread that a few have shown.

The parts of the error are those of the seeds that there are: u from the seeds, which S' seeds make
u sqrt(S / S'), and v from the test images, which no seed changes. So there may be no number of
seeds that would do; then only more test images help.

A few seeds tell u badly. With f = S - 1 degrees of freedom the true one lies, with 95%, between
u sqrt(f / chi2_.975(f)) and u sqrt(f / chi2_.025(f)): for 3 seeds from half of u to six times u. So
a number of seeds is given with those that the two ends need (`with_doubt`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from scipy import special

from search.statistics.power import POWER, detectable_at
from search.statistics.quantiles import half_width

MOST = 1000  # seeds; more is as good as never
FEWEST = 3  # seeds that tell a spread at all: of 2 the interval reaches to 32 times u
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """The error of a paired difference, and the level of its test.

    Args:
        seeds: S.
        u: standard error that comes from the seeds.
        v: that from the images; 0 if the interval speaks of these images only.
        items: images (or groups); 0 as above.
        level: of the test, alone.
    """

    seeds: int
    u: float
    v: float
    items: int
    level: float

    def parts(self, seeds: float) -> tuple[float, float, float, float]:
        """u, its degrees of freedom, v, its degrees of freedom; with so many seeds."""
        u = self.u * math.sqrt(self.seeds / seeds)
        return u, seeds - 1, self.v, max(1, self.items + 1)

    def ends(self) -> tuple["Spread", "Spread"]:
        """The least and the largest spread over seeds that these seeds bear out."""
        df = self.seeds - 1
        quantiles = ((1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2)
        low, high = (math.sqrt(df / (2 * special.gammaincinv(df / 2, q))) for q in quantiles)
        return replace(self, u=self.u * low), replace(self, u=self.u * high)


class Needed(NamedTuple):
    """How many seeds would do at the spread seen, and at the ends of its interval.

    None: more than `MOST`, or no number at all.
    """

    seeds: int | None
    low: int | None
    high: int | None


def with_doubt(count: Callable[[Spread], int | None], spread: Spread) -> Needed | None:
    """What ``count`` says of a spread and of its ends; None with fewer than `FEWEST` seeds."""
    if spread.seeds < FEWEST:
        return None
    return Needed(*map(count, (spread, *spread.ends())))


def seeds_to_find(difference: float, spread: Spread) -> int | None:
    """The least number of seeds that find a true difference four times in five.

    The least S' >= 2 with detectable_at(u sqrt(S / S'), S' - 1, v, I + 1) <= |difference|; None if
    `MOST` seeds do not.
    """
    size = abs(difference)
    return _least(lambda seeds: detectable_at(*spread.parts(seeds), spread.level) <= size)


def seeds_to_equal(margin: float, spread: Spread, sides: int = 2) -> int | None:
    """The least number of seeds that show equal arms to be within a margin, four times in five.

    The interval d +- h of a difference d ~ N(0, e^2) lies within the margin with probability 0.8
    where h + z e <= margin, with z = 1.28 for both sides and 0.84 for one.

    Args:
        margin: above 0.
        spread: of the difference.
        sides: 1 if only one end of the interval has to be within it.
    """
    z = float(special.ndtri(1 - (1 - POWER) / sides))

    def fits(seeds: int) -> bool:
        u, seed_df, v, item_df = spread.parts(seeds)
        half = float(half_width(spread.level, u, seed_df, v, item_df))
        return half + z * math.hypot(u, v) <= margin

    return _least(fits)


def images_to_find(difference: float, spread: Spread) -> int | None:
    """About how many test images `MOST` seeds would need to find a true difference.

    v falls with the square root of their number. None if the images are not what is missing.
    """
    if not spread.items or not spread.v:
        return None
    u, seed_df, v, item_df = spread.parts(MOST)
    least = detectable_at(u, seed_df, v, item_df, spread.level)
    if least <= abs(difference) or difference == 0:
        return None
    return math.ceil(spread.items * (least / difference) ** 2)


def _least(fits: Callable[[int], bool]) -> int | None:
    """The least number of seeds from 2 to `MOST` that fits; all above it do as well."""
    if not fits(MOST):
        return None
    low, high = 2, MOST
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle + 1, high)
    return low
