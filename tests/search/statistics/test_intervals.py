import math

import numpy as np
import pytest
from scipy import stats

from search.statistics.intervals import (
    Difference,
    crossed_difference,
    crossed_interval,
    half_width,
    minimum_detectable_difference,
    paired_difference,
    t_interval,
    undertrained,
)
from search.statistics.multiplicity import holm, holm_with_missing, ties_with_best


def different(p_value):
    return Difference(0.1, 0.0, 0.2, 5, p_value)


def test_t_interval_by_hand():
    # mean 3, s = sqrt(2.5), t(4, .975) = 2.776445: half = 2.776445 * sqrt(2.5 / 5)
    interval = t_interval([1, 2, 3, 4, 5])
    assert interval.mean == 3
    assert interval.n == 5
    assert interval.half == pytest.approx(1.963243, abs=1e-6)
    assert interval.low == pytest.approx(3 - 1.963243, abs=1e-6)


def test_one_seed_has_a_mean_and_no_interval():
    interval = t_interval([0.9])
    assert (interval.mean, interval.low, interval.high, interval.n) == (0.9, None, None, 1)
    assert interval.half is None


@pytest.mark.parametrize("scores", [[], [0.9, math.nan], [math.inf]])
def test_scores_that_are_no_numbers_are_refused(scores):
    with pytest.raises(ValueError, match="finite"):
        t_interval(scores)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_t_interval_covers_the_truth_as_often_as_it_says(n):
    draws = np.random.default_rng(n).normal(0.9, 0.02, size=(4000, n))
    covered = 0
    for scores in draws:
        interval = t_interval(scores)
        covered += interval.low <= 0.9 <= interval.high
    assert 0.93 <= covered / 4000 <= 0.97


def test_paired_difference_is_scipys():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=6)
    first, second = shared + rng.normal(0.3, 0.2, 6), shared + rng.normal(0, 0.2, 6)
    ours, theirs = paired_difference(first, second), stats.ttest_rel(first, second)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-6)
    interval = theirs.confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))
    assert ours.mean == pytest.approx(np.mean(first - second))


def test_paired_difference_without_evidence():
    assert paired_difference([0.5], [0.4]).p_value is None
    assert paired_difference([0.5, 0.6], [0.5, 0.6]).p_value == 1.0
    with pytest.raises(ValueError, match="2 and 3 seeds"):
        paired_difference([1, 2], [1, 2, 3])


@pytest.mark.parametrize("seeds", [2, 3])
def test_seeds_that_agree_to_the_last_digit_tell_no_spread(seeds):
    first, second = [0.91, 0.93, 0.92][:seeds], [0.90, 0.92, 0.91][:seeds]
    found = paired_difference(first, second)
    assert found.mean == pytest.approx(0.01)
    assert (found.low, found.high, found.p_value, found.half) == (None, None, None, None)
    same = paired_difference(first, first)
    assert (same.low, same.high, same.p_value) == (0, 0, 1)
    rounding = paired_difference([0.1 + 0.2] * seeds, [0.3] * seeds)
    assert rounding.p_value == 1
    assert paired_difference([0.91, 0.93], [0.90, 0.919]).p_value > 0


def test_one_difference_in_all_seeds_and_items_tells_no_spread():
    found = crossed_difference(np.ones((3, 5)), np.zeros((3, 5)))
    assert (found.mean, found.low, found.p_value) == (1, None, None)
    assert crossed_difference(np.ones((3, 5)), np.ones((3, 5))).p_value == 1
    # seeds agree, images do not: new images are in doubt all the same
    items = np.stack([[1, 1, 0, 0, 0, 0]] * 3)
    assert 0 < crossed_difference(items, np.zeros((3, 6))).p_value < 1


def test_crossed_interval_by_hand():
    # row means .75, .25: variance .125; column means 1, .5, .5, 0: variance 1/6; mean .5
    # every residual is +-.25, so E = 8 / 16 / 3 = 1/6
    # u^2 = .125 / 2 = 1/16; v^2 = (1/6) / 4 - (1/6) / 8 = 1/48; t(1) = 12.706205, t(3) = 3.182446
    # u^2 + v^2 = 1/12, of which 3/4 and 1/4: Cochran's t* = .75 t(1) + .25 t(3) = 10.325265;
    # Satterthwaite's df = (1/144) / (1/256 + 1/2304/3) = 1.714286, t(1.714286) = 5.068500
    half = (10.325265 + 5.0684999) / 2 / math.sqrt(12)
    interval = crossed_interval([[1, 1, 1, 0], [1, 0, 0, 0]])
    assert interval.mean == 0.5
    assert interval.half == pytest.approx(half, rel=1e-6)


def test_crossed_interval_of_equal_items_is_the_t_interval():
    scores = np.repeat(np.array([[0.2], [0.5], [0.9]]), 7, axis=1)
    assert crossed_interval(scores).half == pytest.approx(t_interval([0.2, 0.5, 0.9]).half)


def test_crossed_interval_of_equal_seeds_is_the_item_interval():
    items = np.random.default_rng(1).integers(0, 2, 50).astype(float)
    interval = crossed_interval(np.stack([items] * 4))
    assert interval.half == pytest.approx(t_interval(items).half)


def test_groups_of_one_change_nothing_and_copies_add_no_evidence():
    rng = np.random.default_rng(2)
    scores = correctness(rng, 3, 20, rng.normal(0, 4, (1, 20))).astype(float)
    alone = crossed_interval(scores)
    named = crossed_interval(scores, groups=[f"image {i}" for i in range(20)])
    assert named.half == pytest.approx(alone.half)
    # each image four times: without groups the item part would shrink
    copies, patients = np.repeat(scores, 4, axis=1), np.repeat(np.arange(20), 4).astype(str)
    grouped = crossed_interval(copies, groups=list(patients))
    assert grouped.mean == pytest.approx(alone.mean)
    assert grouped.half == pytest.approx(alone.half)
    assert crossed_interval(copies).half < 0.9 * alone.half


def test_crossed_p_value_agrees_with_its_interval():
    rng = np.random.default_rng(3)
    first, second = (rng.random((5, 200)) < p for p in (0.9, 0.8))
    result = crossed_difference(first, second)
    at_its_level = crossed_difference(first, second, confidence=1 - result.p_value)
    assert 0 < result.p_value < 0.05 < result.mean
    assert result.low > 0
    assert at_its_level.low == pytest.approx(0, abs=1e-8)


def test_half_width_by_hand():
    # u^2 = 16, v^2 = 9; t(2) and t(9) at .05 / 4; a half of it is left for Banerjee's
    t_u, t_v = stats.t.ppf(1 - 0.05 / 8, [2, 9])
    cochran = (16 * t_u + 9 * t_v) / 25
    satterthwaite = stats.t.ppf(1 - 0.05 / 8, 25**2 / (16**2 / 2 + 9**2 / 9))
    banerjee = math.sqrt((16 * t_u**2 + 9 * t_v**2) / 25)
    expected = 5 * ((cochran + satterthwaite) / 2 + banerjee) / 2
    assert half_width(0.05 / 4, 4, 2, 3, 9) == pytest.approx(expected)
    # one part alone is the t interval at any level
    assert half_width(1e-4, 4, 2, 0, 9) == pytest.approx(4 * stats.t.ppf(1 - 0.5e-4, 2))
    assert half_width(1e-4, 0, 2, 3, 9) == pytest.approx(3 * stats.t.ppf(1 - 0.5e-4, 9))


@pytest.mark.parametrize("seed_df", [1, 2, 4, 9])
@pytest.mark.parametrize("u", [0.1, 0.5, 1.0, 4.0])
def test_intervals_widen_as_the_level_falls(seed_df, u):
    levels = np.concatenate([np.geomspace(1e-12, 0.9, 200), [0.05, 0.05 + 1e-9, 0.05 - 1e-9]])
    widths = [float(half_width(level, u, seed_df, 1.0, 50)) for level in np.sort(levels)]
    assert (np.diff(widths) < 0).all()


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_p_is_below_05_exactly_where_the_interval_leaves_out_0(seeds):
    rng = np.random.default_rng(seeds)
    noise = rng.normal(0, 0.05, (seeds, 1)) + rng.normal(0, 0.4, 100) + rng.normal(size=(seeds, 1))
    noise -= noise.mean()
    half, none = crossed_interval(noise).half, np.zeros_like(noise)
    at = [crossed_difference(noise + x * half, none) for x in (0.2, 0.9, 0.999, 1.001, 1.2, 3)]
    assert [d.low > 0 for d in at] == [d.p_value < 0.05 for d in at] == [False] * 3 + [True] * 3
    assert (np.diff([d.p_value for d in at]) < 0).all()
    assert at[0].seed_part > 0 < at[0].item_part
    assert at[0].items == 100


def test_crossed_difference_of_one_seed_has_no_interval():
    result = crossed_difference([[1, 1, 0]], [[1, 0, 0]])
    assert (result.low, result.high, result.p_value) == (None, None, None)
    assert result.mean == pytest.approx(1 / 3)


def correctness(rng, seeds, items, difficulty, seed_spread=0.3):
    """Crossed seeds x items: a logit is the item's ease + the seed's skill."""
    logits = difficulty + rng.normal(0, seed_spread, (seeds, 1))
    return rng.random((seeds, items)) < 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("seeds", [3, 5])
def test_an_arm_against_itself_is_rarely_called_different(seeds):
    rng, replays, called = np.random.default_rng(seeds), 2000, 0
    for _ in range(replays):
        difficulty = rng.normal(2, 1.5, (1, 150))
        arms = [correctness(rng, seeds, 150, difficulty) for _ in range(4)]
        differences = [crossed_difference(arm, arms[0]) for arm in arms[1:]]
        called += not all(ties_with_best(differences))
    assert called / replays <= 0.065


def test_new_items_are_part_of_the_doubt():
    """Two arms that differ item by item, equal over all items: seeds alone are far too sure."""
    rng, replays, crossed, seeds_only = np.random.default_rng(0), 1000, 0, 0
    for _ in range(replays):
        first, second = (
            correctness(rng, 5, 100, rng.normal(1, 2, (1, 100)), seed_spread=0.05) for _ in range(2)
        )
        crossed += crossed_difference(first, second).p_value < 0.05
        seeds_only += paired_difference(first.mean(1), second.mean(1)).p_value < 0.05
    assert crossed / replays <= 0.065
    assert seeds_only / replays > 0.2


def test_holm_by_hand():
    # sorted .01, .02, .03, .04 times 4, 3, 2, 1 = .04, .06, .06, .04 -> running maximum
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx((0.06, 0.04, 0.06, 0.06))
    assert holm([]) == ()
    assert holm([0.7, 0.8]) == (1.0, 1.0)


def test_a_missing_p_value_counts_as_1():
    adjusted = holm_with_missing([0.04, None, 0.01, None])
    assert adjusted == (pytest.approx(0.12), None, pytest.approx(0.04), None)
    assert holm_with_missing([None]) == (None,)


def test_rows_without_a_test_loosen_no_bar():
    assert ties_with_best([different(0.03)]) == (False,)
    assert ties_with_best([different(0.03), different(None)]) == (True, True)


def test_ties_after_holm():
    # .03 alone would be different, after Holm over four it is not
    rows = [different(0.03), different(0.001), different(0.6), different(None)]
    assert ties_with_best(rows) == (True, False, True, True)
    assert ties_with_best([different(0.03)]) == (False,)
    assert ties_with_best([]) == ()


def test_minimum_detectable_difference_is_found_with_the_stated_power():
    delta = minimum_detectable_difference(5, 0.02)
    draws = np.random.default_rng(0).normal(delta, 0.02, (20_000, 5))
    found = stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("seeds", [2, 3, 10, 100])
def test_minimum_detectable_difference_scales(seeds):
    delta = minimum_detectable_difference(seeds, 1.0)
    assert minimum_detectable_difference(seeds, 0.5) == pytest.approx(delta / 2)
    assert delta > minimum_detectable_difference(seeds + 1, 1.0)
    assert delta > 2.8 / math.sqrt(seeds)  # what a known spread would need


def test_one_seed_detects_nothing():
    assert minimum_detectable_difference(1, 0.01) == math.inf


def curve(values, monitor="val/accuracy"):
    return [{"epoch": e + 1, monitor: float(v)} for e, v in enumerate(values)]


def test_undertrained():
    rising, flat = np.linspace(0.2, 0.9, 30), np.full(30, 0.9)
    saturated = 0.95 - 0.6 * np.exp(-np.arange(30) / 3)
    assert undertrained(curve(rising), "val/accuracy", "max", 200) is True
    assert undertrained(curve(flat), "val/accuracy", "max", 200) is False
    assert undertrained(curve(saturated), "val/accuracy", "max", 200) is False
    assert undertrained(curve(rising[::-1]), "val/accuracy", "max", 200) is False
    falling_loss = curve(np.linspace(3, 1, 30), "val/loss")
    assert undertrained(falling_loss, "val/loss", "min", 200) is True
    assert undertrained(falling_loss, "val/loss", "max", 200) is False


def test_undertrained_needs_a_gain_beyond_one_reading_of_the_split():
    slow = curve(np.linspace(0.80, 0.86, 30))  # gains .0124 in its last fifth
    assert undertrained(slow, "val/accuracy", "max", 100) is False  # noise .035
    assert undertrained(slow, "val/accuracy", "max", 10_000) is True  # noise .0035


def test_undertrained_is_open_for_short_or_broken_curves():
    assert undertrained(curve([0.1, 0.5, 0.7, 0.8]), "val/accuracy", "max", 100) is None
    assert undertrained([], "val/accuracy", "max", 100) is None
    assert undertrained(curve([0.5] * 9 + [math.nan]), "val/accuracy", "max", 100) is None
    assert undertrained(curve([0.5] * 9), "val/f1", "max", 100) is None


@pytest.mark.parametrize("epochs", [10, 30, 100])
def test_noise_alone_is_rarely_called_improvement(epochs):
    rng = np.random.default_rng(epochs)
    noise = rng.normal(1.0, 0.1, (1000, epochs))
    called = [undertrained(curve(v, "val/loss"), "val/loss", "min", 0) for v in noise]
    assert np.mean(called) < 0.09
