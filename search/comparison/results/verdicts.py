"""Whether a comparison reproduces a published difference: the rules.

I is the interval of a difference that holds together with all others of the comparison. It excludes
0 exactly where the difference is shown after Holm. p is the published difference, with the metric's
own sign; m is the margin. Orders speak of better and worse, whatever the metric's sign.

    published      reproduced               contradicted       underpowered
    a size p       p in I, 0 not in I       p not in I         p and 0 in I
    equal, m       I within -m and m        I beyond m         I reaches over m
    better         shown better             worse or equal     not shown different
    worse          shown worse              better or equal    not shown different
    not worse, m   I above -m               I below -m         I reaches over -m

A size that is contradicted may have the same direction, smaller or larger, or the other direction;
if 0 is in I, no difference is shown and p is excluded. Arms are shown equal only where the
comparison has a margin for it (`equivalence`). What is underpowered says roughly how many
seeds would have shown it four times in five, with a range (`needed_seeds`; with 2 seeds it says
that this is not known), and if no number of seeds would, about how many test images.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from search.comparison.results.differences import Versus
from search.settings.claims import ClaimSettings
from search.statistics.needed_seeds import (
    Needed,
    Spread,
    images_to_find,
    seeds_to_equal,
    seeds_to_find,
    with_doubt,
)

ClaimVerdict = Literal["reproduced", "contradicted", "underpowered", "no verdict"]
Direction = Literal[
    "", "same, smaller", "same, larger", "other", "none shown", "too large", "equal"
]


@dataclass(frozen=True)
class Judgement:
    """A verdict with what it says beside.

    Args:
        verdict: by the rules above.
        direction: of what is contradicted, against what was published.
        needed: seeds that would show what was published; None if it is not underpowered, if there
            are too few seeds to tell, or if no size was published.
        images: test images (or groups) that it would take, if no number of seeds does.
    """

    verdict: ClaimVerdict
    direction: Direction = ""
    needed: Needed | None = None
    images: int | None = None

    @property
    def seeds(self) -> int | None:
        """How many would do at the spread seen."""
        return self.needed.seeds if self.needed else None


def judge(claim: ClaimSettings, versus: Versus, scale: float) -> Judgement:
    """The verdict on a claim.

    Args:
        claim: what was published.
        versus: the comparison's own difference, with its interval.
        scale: how many units of the claim make one of the objective: 100 points a share of 1.

    Raises:
        ValueError: a difference without an interval.
    """
    if versus.low is None or versus.high is None:
        raise ValueError(f"no interval of {claim.arm} against {versus.against}")
    if claim.order in ("better", "worse"):
        return _of_order(claim.order, versus)
    if claim.margin is not None:
        return _of_margin(claim, versus, claim.margin / scale)
    return _of_size((claim.difference or 0.0) / scale, versus)


def _of_size(published: float, versus: Versus) -> Judgement:
    low, high = versus.low or 0.0, versus.high or 0.0
    excludes_0 = versus.verdict in ("better", "worse")
    if low <= published <= high:
        if excludes_0:
            return Judgement("reproduced")
        spread = spread_of(versus)
        needed = with_doubt(partial(seeds_to_find, published), spread)
        never = needed is not None and needed.seeds is None
        return Judgement(
            "underpowered", "", needed, images_to_find(published, spread) if never else None
        )
    if not excludes_0:
        return Judgement("contradicted", "none shown")
    if (versus.difference or 0.0) * published < 0:
        return Judgement("contradicted", "other")
    smaller = abs(versus.difference or 0.0) < abs(published)
    return Judgement("contradicted", "same, smaller" if smaller else "same, larger")


def _of_order(order: str, versus: Versus) -> Judgement:
    if versus.verdict == order:
        return Judgement("reproduced")
    if versus.verdict in ("better", "worse"):
        return Judgement("contradicted", "other")
    if versus.verdict == "equal":
        return Judgement("contradicted", "equal")
    return Judgement("underpowered")  # without a size, nothing tells how many seeds would do


def _of_margin(claim: ClaimSettings, versus: Versus, margin: float) -> Judgement:
    ends = sorted(versus.sign * end for end in (versus.low or 0.0, versus.high or 0.0))
    low, high = ends
    one_sided = claim.order == "not_worse"
    if -margin < low and (one_sided or high < margin):
        return Judgement("reproduced")
    if high < -margin or (low > margin and not one_sided):
        return Judgement("contradicted", "other" if one_sided else "too large")
    count = partial(seeds_to_equal, margin, sides=1 if one_sided else 2)
    return Judgement("underpowered", "", with_doubt(count, spread_of(versus)))


def spread_of(versus: Versus) -> Spread:
    """The error of a difference, and the level that its interval holds at."""
    v = versus.item_part if versus.items else 0.0
    return Spread(versus.seeds, versus.seed_part, v, versus.items, 1 - versus.confidence)
