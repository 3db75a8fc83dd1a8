"""The rules by which a published difference is judged, over all cases."""

import math

import pytest

from search.comparison.results.differences import Versus
from search.comparison.results.verdicts import judge
from search.settings.claims import ClaimSettings

SIZE = {"difference": 2.0}
EQUAL = {"difference": 0, "margin": 1.0}
NOT_WORSE = {"order": "not_worse", "margin": 1.0}


def own(low, high, *, sign=1, shown=None, **changes):
    """A difference of the comparison in points; shown where its interval leaves out 0."""
    shown = low > 0 or high < 0 if shown is None else shown
    middle, half = (low + high) / 200, (high - low) / 200
    values = {
        "difference": middle,
        "low": low / 100,
        "high": high / 100,
        "seeds": 5,
        "holm_p": 0.001 if shown else 0.4,
        "seed_part": half / 3,
        "item_part": half / 12,
        "items": 1000,
        "confidence": 0.95,
        "sign": sign,
    }
    return Versus("base", "", **{**values, **changes})


def verdict(claim, versus, scale=100.0):
    return judge(ClaimSettings("a paper", "arm", **claim), versus, scale)


@pytest.mark.parametrize(
    ("claim", "interval", "expected", "direction"),
    [
        (SIZE, (1, 3), "reproduced", ""),
        (SIZE, (2, 4), "reproduced", ""),
        ({"difference": -2.0}, (-3, -1), "reproduced", ""),
        (SIZE, (0.2, 1.5), "contradicted", "same, smaller"),
        (SIZE, (2.5, 4), "contradicted", "same, larger"),
        ({"difference": -2.0}, (-1.5, -0.2), "contradicted", "same, smaller"),
        (SIZE, (-3, -1), "contradicted", "other"),
        (SIZE, (-1, 1), "contradicted", "none shown"),
        (SIZE, (-1, 3), "underpowered", ""),
        (EQUAL, (-0.5, 0.9), "reproduced", ""),
        (EQUAL, (0.1, 0.9), "reproduced", ""),  # different, and by less than the margin
        (EQUAL, (1.2, 3), "contradicted", "too large"),
        (EQUAL, (-3, -1.2), "contradicted", "too large"),
        (EQUAL, (0.1, 3), "underpowered", ""),
        (EQUAL, (-2, 2), "underpowered", ""),
        ({"order": "better"}, (1, 3), "reproduced", ""),
        ({"order": "better"}, (-3, -1), "contradicted", "other"),
        ({"order": "better"}, (-1, 3), "underpowered", ""),
        ({"order": "worse"}, (-3, -1), "reproduced", ""),
        ({"order": "worse"}, (1, 3), "contradicted", "other"),
        (NOT_WORSE, (-0.5, 3), "reproduced", ""),
        (NOT_WORSE, (2, 3), "reproduced", ""),
        (NOT_WORSE, (-3, -1.5), "contradicted", "other"),
        (NOT_WORSE, (-3, 1), "underpowered", ""),
    ],
)
def test_every_case(claim, interval, expected, direction):
    judged = verdict(claim, own(*interval))
    assert (judged.verdict, judged.direction) == (expected, direction)
    assert expected == "underpowered" or judged.seeds is judged.images is None


def test_arms_that_are_shown_equal_contradict_either_order():
    same = own(-0.4, 0.4, equal_p=0.001, margin=0.01)
    for order in ("better", "worse"):
        judged = verdict({"order": order}, same)
        assert (judged.verdict, judged.direction) == ("contradicted", "equal")


def test_shown_by_holm_counts_where_the_interval_only_touches_0():
    assert verdict(SIZE, own(0, 3, shown=True)).verdict == "reproduced"
    assert verdict(SIZE, own(0, 3, shown=False)).verdict == "underpowered"


def test_where_less_is_better_a_lower_score_is_better():
    less = own(-3, -1, sign=-1)
    assert verdict({"order": "better"}, less).verdict == "reproduced"
    assert verdict({"difference": -2.0}, less).verdict == "reproduced"  # a size has its own sign
    assert verdict(NOT_WORSE, less).verdict == "reproduced"
    assert verdict(NOT_WORSE, own(1.5, 3, sign=-1)).verdict == "contradicted"


def test_a_size_is_in_the_unit_of_the_objective_if_that_is_not_a_share():
    assert verdict({"difference": 0.02}, own(1, 3), scale=1.0).verdict == "reproduced"


def test_underpowered_says_how_many_seeds_would_do():
    few = verdict(SIZE, own(-1, 3))
    assert few.seeds > 5 and few.images is None
    assert verdict({"difference": 0.5}, own(-1, 3, item_part=0.0, items=0)).seeds > few.seeds
    assert verdict(EQUAL, own(-2, 2)).seeds > 5
    assert verdict({"order": "better"}, own(-1, 3)).seeds is None


def test_two_seeds_do_not_tell_how_many_would_do():
    two = verdict(SIZE, own(-1, 3, seeds=2))
    assert two.verdict == "underpowered" and two.needed is two.images is None
    few, many = (verdict(SIZE, own(-1, 3, seeds=seeds)).needed for seeds in (3, 10))
    assert few.low < few.seeds < (few.high or 1e4)
    assert many.high - many.low < (few.high or 1e4) - few.low


def test_no_number_of_seeds_mends_too_few_images():
    judged = verdict(SIZE, own(-1, 3, item_part=0.008))
    assert judged.seeds is None
    for share, enough in ((1.1, True), (0.9, False)):  # "about", since seeds leave a little
        images = round(share * judged.images)
        part = 0.008 * math.sqrt(1000 / images)
        seeds = verdict(SIZE, own(-1, 3, item_part=part, items=images)).seeds
        assert (seeds is not None) == enough


def test_without_an_interval_there_is_nothing_to_judge():
    with pytest.raises(ValueError, match="no interval"):
        verdict(SIZE, Versus("base", ""))
