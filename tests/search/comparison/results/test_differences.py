import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from search.comparison.results.differences import ArmScores, Versus, adjust, difference_of, survives
from search.leaderboard.rows.evidence import RowEvidence
from search.records.predictions import Correctness
from search.statistics.intervals import (
    Difference,
    crossed_difference,
    equivalence_p,
    paired_difference,
)
from search.statistics.power import detectable_difference
from search.statistics.quantiles import half_width


def side(label, scores, validation=None, correct=None):
    return ArmScores(label, validation or {}, RowEvidence(scores, correct))


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
    assert family == 3
    assert [v.holm_p for v in found] == [0.06, 0.06, 0.06, None]
    assert [v.verdict for v in found] == ["tie", "tie", "tie", "unknown"]
    _, four = adjust([*asked, ("e - b", one(0.5))])
    assert four == 4


def test_what_has_not_ended_or_diverged_loosens_no_bar():
    def one(p):
        return Versus("b", "", seeds=5, difference=0.1, low=0.01, high=0.19, p_value=p)

    open_ones = [(f"c{i} - b", Versus("b", "")) for i in range(7)]
    early, family = adjust([("a - b", one(0.01)), *open_ones])
    assert (early[0].holm_p, early[0].verdict, family) == (0.08, "tie", 8)
    assert {(v.holm_p, v.verdict) for v in early[1:]} == {(None, "unknown")}
    answered = [(question, one(0.5)) for question, _ in open_ones]
    late, same = adjust([("a - b", one(0.01)), *answered])
    assert (late[0].holm_p, same) == (0.08, 8)


@pytest.mark.parametrize("identity", ["", " - ", " - b", "a - "])
def test_questions_of_unknown_identity_do_not_collide(identity):
    known = Versus("b", "", seeds=5, difference=0.1, low=0.01, high=0.19, p_value=0.02)
    found, family = adjust([("a - b", known), (identity, Versus("b", "")), (identity, known)])
    assert family == 3
    assert [v.holm_p for v in found] == [pytest.approx(0.06), None, pytest.approx(0.06)]


def test_a_difference_without_spread_is_not_shown():
    first, second = (dict(enumerate(s)) for s in ([0.91, 0.93, 0.92], [0.90, 0.92, 0.91]))
    (found,), _ = adjust([("a - b", difference_of(side("a", first), side("b", second), "", 1))])
    assert found.difference == pytest.approx(0.01)
    assert (found.low, found.p_value, found.verdict) == (None, None, "unknown")
    assert (found.detectable, found.covers, found.cannot_exclude) == (None, "", None)
    (same,), _ = adjust([("a - b", difference_of(side("a", first), side("a", first), "", 1))])
    assert (same.p_value, same.verdict, same.detectable) == (None, "unknown", None)
    (same,), _ = adjust(
        [("a - b", difference_of(side("a", first), side("a", first), "", 1))], margin=0.05
    )
    assert (same.equal_p, same.within_margin) == (None, False)


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
    expected = detectable_difference(5, 0, spread, 0)
    assert found.detectable == pytest.approx(expected, rel=0.01)
    (among, _), family = adjust([("a - b", versus), ("c - b", versus)])
    assert family == 2
    expected = detectable_difference(5, 0, spread, 0, level=0.05 / 2)
    assert among.detectable == pytest.approx(expected, rel=0.01)
    assert math.isfinite(among.detectable)


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("u", [0.004, 0.01, 0.03])
def test_detectable_of_crossed_differences_is_found_four_times_in_five(seeds, u):
    """Simulated means and standard errors, tested at the first of Holm's 44 levels."""
    v, images, draws, level = 0.01, 300, 20_000, 0.05 / 44
    rng = np.random.default_rng(seeds)
    seen_u = u * np.sqrt(rng.chisquare(seeds - 1, draws) / (seeds - 1))
    seen_v = v * np.sqrt(rng.chisquare(images - 1, draws) / (images - 1))
    half = half_width(level, seen_u, seeds - 1, seen_v, images - 1)
    error = rng.normal(0, np.hypot(u, v), draws)
    right = optimize.brentq(lambda d: (abs(d + error) > half).mean() - 0.8, 0, 5, xtol=1e-5)
    asked = [(f"c{i} - b", Versus("b", "")) for i in range(43)]
    seen = Difference(0.0, -0.1, 0.1, seeds, 0.5, u, v, images, 0.0, seeds - 1, images + 1)
    versus = Versus("b", "", seeds=seeds, difference=0.0, p_value=0.5, estimate=seen)
    (found, *_), _ = adjust([("a - b", versus), *asked])
    assert found.detectable == pytest.approx(right, rel=0.03)


def measured(mean, u=0.01, seeds=5, p=None, primary=False):
    """A difference of paired seeds with its standard error, not yet adjusted."""
    a = mean + u * np.sqrt(seeds) * stats.zscore(np.arange(seeds), ddof=1)
    first, second = side("a", dict(enumerate(a))), side("b", dict.fromkeys(range(seeds), 0.0))
    return replace(difference_of(first, second, "", 1), primary=primary)


def test_intervals_hold_together_and_never_contradict_their_verdicts():
    rng = np.random.default_rng(3)
    for _ in range(200):
        means = rng.normal(0, 0.04, 6)
        asked = [(f"c{i} - b", measured(mean)) for i, mean in enumerate(means)]
        found, _ = adjust(asked, margin=0.03)
        for versus in found:
            assert versus.confidence == pytest.approx(1 - 0.05 / 6)
            assert versus.low < versus.high
            apart = versus.low >= 0 or versus.high <= 0
            assert apart == (versus.verdict in ("better", "worse"))
            within = -0.03 <= versus.low and versus.high <= 0.03
            assert within == versus.within_margin
            if versus.verdict == "tie":
                assert versus.low < 0 < versus.high


def test_what_only_a_later_step_of_holm_shows_has_an_interval_that_ends_at_zero():
    error = 0.01  # of each mean; 4 degrees of freedom
    middle = error * stats.t.isf((0.05 / 2 + 0.05) / 2 / 2, 4)  # p between .025 and .05
    found, _ = adjust([("a - b", measured(0.5)), ("c - b", measured(middle))])
    assert [v.verdict for v in found] == ["better", "better"]
    assert found[0].low > 0
    assert found[1].low == 0.0
    (alone,), _ = adjust([("c - b", measured(middle))])
    assert alone.low > 0


def test_equal_is_shown_and_not_assumed():
    close, wide = measured(0.001, u=0.002), measured(0.001, u=0.02)
    for versus, margin, verdict in (
        (close, None, "tie"),
        (close, 0.01, "equal"),
        (close, 0.003, "tie"),
        (wide, 0.01, "tie"),
    ):
        (found,), _ = adjust([("a - b", versus)], margin=margin)
        assert found.verdict == verdict
    expected = equivalence_p(close.estimate, 0.01)
    pair, _ = adjust([("a - b", close), ("c - b", wide)], margin=0.01)
    assert pair[0].equal_p == pytest.approx(2 * expected)
    (small,), _ = adjust([("a - b", measured(0.004, u=0.0005))], margin=0.01)
    assert (small.verdict, small.within_margin) == ("better", True)


def test_the_primary_question_is_a_family_of_its_own():
    others = [(f"c{i} - b", measured(0.0)) for i in range(9)]
    found, family = adjust([("a - b", measured(0.04, primary=True)), *others])
    assert (family, found[0].family, found[1].family) == (10, 1, 9)
    assert found[0].holm_p == pytest.approx(found[0].p_value)
    (mixed, *_), _ = adjust([("a - b", measured(0.04)), *others])
    assert mixed.holm_p == pytest.approx(10 * mixed.p_value)
    assert (found[0].verdict, mixed.verdict) == ("better", "tie")


def test_a_look_that_was_paid_for_is_tested_at_its_own_level():
    versus = measured(0.032)
    (first,), _ = adjust([("a - b", versus)])
    (later,), _ = adjust([("a - b", versus)], level=0.0075)
    assert (first.verdict, later.verdict) == ("better", "tie")
    assert (later.level, later.confidence) == (0.0075, pytest.approx(0.9925))
    assert later.low < 0 < first.low


def test_no_difference_of_zero_is_certain():
    right = np.ones((5, 60))
    sides = [side(n, dict.fromkeys(range(5), 1.0), correct=correctness(right)) for n in "ab"]
    (found,), _ = adjust([("a - b", difference_of(*sides, "", 1, (0.0, 1.0), (60, 60)))])
    assert found.verdict == "tie"
    assert found.cannot_exclude > 0.01
    assert found.detectable > 0.01


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
