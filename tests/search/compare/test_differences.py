import math

import numpy as np
import pytest

from search.compare.differences import Side, Versus, adjust, difference_of, survives
from search.predictions import Correctness
from search.row_building import Evidence
from search.statistics import (
    crossed_difference,
    minimum_detectable_difference,
    paired_difference,
)


def side(label, scores, validation=None, correct=None):
    return Side(label, label, validation or {}, Evidence(scores, correct))


def correctness(matrix, ids=None):
    matrix = np.asarray(matrix, dtype=float)
    ids = ids or tuple(f"i{i}" for i in range(matrix.shape[1]))
    return Correctness(tuple(range(len(matrix))), ids, None, matrix)


def test_only_shared_seeds_are_paired():
    first = side("a", {0: 0.9, 1: 0.95, 2: 0.97, 7: 0.1})
    second = side("b", {0: 0.8, 1: 0.90, 2: 0.85, 5: 0.99})
    found = difference_of(first, second, "", 1)
    expected = paired_difference([0.9, 0.95, 0.97], [0.8, 0.90, 0.85])
    assert (found.seeds, found.against, found.covers) == (3, "b", "seeds")
    assert (found.difference, found.low, found.p_value) == pytest.approx(
        (expected.mean, expected.low, expected.p_value)
    )
    assert (found.better, found.better_high) == (1.0, 1.0)


def test_images_are_crossed_where_both_tell_which_were_right():
    rng = np.random.default_rng(0)
    one, other = rng.random((4, 80)) < 0.9, rng.random((4, 80)) < 0.7
    scores = [dict(enumerate(matrix.mean(axis=1))) for matrix in (one, other)]
    first, second = (
        side(name, s, correct=correctness(m))
        for name, s, m in zip("ab", scores, (one, other), strict=True)
    )
    found, expected = difference_of(first, second, "", 1), crossed_difference(one, other)
    assert found.covers == "seeds and images"
    assert (found.low, found.p_value) == pytest.approx((expected.low, expected.p_value))
    elsewhere = side("b", scores[1], correct=correctness(other, tuple(f"x{i}" for i in range(80))))
    assert difference_of(first, elsewhere, "", 1).covers == "seeds"


def test_validation_stands_in_for_a_test_that_was_not_read():
    first = side("a", {}, {0: 0.9, 1: 0.8})
    second = side("b", {0: 0.1, 1: 0.1}, {0: 0.7, 1: 0.7})
    found = difference_of(first, second, "", 1)
    assert (found.measured_on, found.difference) == ("validation", pytest.approx(0.15))


def test_without_shared_seeds_nothing_is_known():
    found = difference_of(side("a", {0: 0.9}), side("b", {1: 0.8}), "", 1)
    assert (found.difference, found.p_value, found.verdict) == (None, None, "unknown")
    single = difference_of(side("a", {0: 0.9}), side("b", {0: 0.8}), "", 1)
    assert (single.difference, single.low, single.verdict) == (pytest.approx(0.1), None, "unknown")


def test_holm_is_over_all_and_asks_nothing_twice():
    def one(p):
        return Versus("b", "", seeds=5, difference=0.1, low=0.01, high=0.19, p_value=p)

    asked = [("a - b", one(0.02)), ("c - b", one(0.03)), ("a - b", one(0.02)), ("d - b", one(None))]
    found, family = adjust(asked)
    assert family == 2
    assert [v.holm_p for v in found] == [0.04, 0.04, 0.04, None]
    assert [v.verdict for v in found] == ["better", "better", "better", "unknown"]
    _, three = adjust([*asked, ("e - b", one(0.5))])
    assert three == 3


def test_an_interval_that_excludes_0_is_a_tie_after_holm():
    near = Versus("b", "", seeds=5, difference=0.1, low=0.01, high=0.19, p_value=0.02)
    others = [(f"{i}", Versus("b", "", seeds=5, difference=0.0, p_value=0.9)) for i in range(3)]
    found, _ = adjust([("a", near), *others])
    assert found[0].low > 0
    assert found[0].verdict == "tie"
    assert found[0].cannot_exclude == 0.19


def test_less_is_better_turns_verdicts_and_probabilities():
    first, second = side("a", {0: 0.3, 1: 0.31, 2: 0.3}), side("b", {0: 0.5, 1: 0.52, 2: 0.51})
    (found,), _ = adjust([("a - b", difference_of(first, second, "", -1))])
    assert found.difference < 0
    assert (found.verdict, found.better) == ("better", 1.0)
    (turned,), _ = adjust([("b - a", difference_of(second, first, "", -1))])
    assert (turned.verdict, turned.better) == ("worse", 0.0)


def test_detectable_is_that_of_a_paired_t_test():
    a, b = [0.90, 0.93, 0.91, 0.95, 0.92], [0.88, 0.90, 0.90, 0.90, 0.91]
    versus = difference_of(side("a", dict(enumerate(a))), side("b", dict(enumerate(b))), "", 1)
    (found,), _ = adjust([("a - b", versus)])
    spread = float(np.std(np.subtract(a, b), ddof=1))
    assert found.detectable == pytest.approx(minimum_detectable_difference(5, spread))
    (among, _), family = adjust([("a - b", versus), ("c - b", versus)])
    assert family == 2
    assert among.detectable > found.detectable
    assert math.isfinite(among.detectable)


@pytest.mark.parametrize(
    ("by_parameters", "by_macs", "expected"),
    [
        (0.02, 0.03, "survives"),
        (-0.02, -0.03, "survives"),
        (0.02, -0.03, "reverses"),
        (0.02, 0.0, "not shown"),
        (0.0, 0.0, "not shown"),
        (0.02, None, "one matching"),
        (None, None, "one matching"),
    ],
)
def test_survival(by_parameters, by_macs, expected):
    def made(d):
        if d is None:
            return None
        return Versus("b", "", difference=d, low=d - 0.01, high=d + 0.01, holm_p=0.01 if d else 0.9)

    assert survives(made(by_parameters), made(by_macs)) == expected
