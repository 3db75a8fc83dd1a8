import math

import numpy as np
import pytest
from scipy import stats

from search.statistics.best import set_of_the_best
from search.statistics.crossed import Parts, crossed_parts, pseudo_items
from search.statistics.intervals import (
    crossed_difference,
    difference_of_parts,
    equivalence_p,
    paired_difference,
    score_interval,
)
from search.statistics.quantiles import half_width
from search.statistics.unpaired import unpaired_difference


def half(interval):
    return (interval.high - interval.low) / 2


def test_t_interval_by_hand():
    # mean 3, s = sqrt(2.5), t(4, .975) = 2.776445: half = 2.776445 * sqrt(2.5 / 5)
    interval = score_interval([1, 2, 3, 4, 5])
    assert interval.mean == 3
    assert interval.n == 5
    assert half(interval) == pytest.approx(1.963243, abs=1e-6)
    assert interval.low == pytest.approx(3 - 1.963243, abs=1e-6)


def test_one_seed_has_a_mean_and_no_interval():
    interval = score_interval([0.9])
    assert (interval.mean, interval.low, interval.high, interval.n) == (0.9, None, None, 1)


@pytest.mark.parametrize("scores", [[], [0.9, math.nan], [math.inf]])
def test_scores_that_are_no_numbers_are_refused(scores):
    with pytest.raises(ValueError, match="finite"):
        score_interval(scores)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_t_interval_covers_the_truth_as_often_as_it_says(n):
    draws = np.random.default_rng(n).normal(0.9, 0.02, size=(2000, n))
    covered = 0
    for scores in draws:
        interval = score_interval(scores)
        covered += interval.low <= 0.9 <= interval.high
    assert 0.93 <= covered / 2000 <= 0.97


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
    assert paired_difference([0.5, 0.6], [0.5, 0.6]).p_value is None
    with pytest.raises(ValueError, match="2 and 3 seeds"):
        paired_difference([1, 2], [1, 2, 3])


@pytest.mark.parametrize("seeds", [2, 3])
def test_seeds_that_agree_to_the_last_digit_tell_no_spread(seeds):
    first, second = [0.91, 0.93, 0.92][:seeds], [0.90, 0.92, 0.91][:seeds]
    found = paired_difference(first, second)
    assert found.mean == pytest.approx(0.01)
    assert (found.low, found.high, found.p_value) == (None, None, None)
    same = paired_difference(first, first)  # nothing is known of images
    assert (same.mean, same.low, same.high, same.p_value) == (0, None, None, None)
    assert same.one_sided_p() is None and equivalence_p(same, 0.05) is None
    assert set_of_the_best({(0, 1): same}, 2) == (True, True)
    rounding = paired_difference([0.1 + 0.2] * seeds, [0.3] * seeds)
    assert rounding.p_value is None
    assert score_interval(first[:1] * 3).low is None
    assert paired_difference([0.91, 0.93], [0.90, 0.919]).p_value > 0


def test_one_difference_in_all_seeds_and_items_is_not_certain():
    found = crossed_difference(np.ones((3, 5)), np.zeros((3, 5)))
    assert (found.mean, found.high) == (1, 1)
    assert 0 < found.low < 0.5
    same = crossed_difference(np.ones((3, 5)), np.ones((3, 5)))
    assert (same.mean, same.p_value) == (0, 1)
    # seeds agree, images do not: new images are in doubt all the same
    items = np.stack([[1, 1, 0, 0, 0, 0]] * 3)
    assert 0 < crossed_difference(items, np.zeros((3, 6))).p_value < 1


@pytest.mark.parametrize("images", [30, 100, 1000])
def test_arms_that_are_all_right_may_differ_by_about_three_images(images):
    """Bonett and Price's interval for no discordant pair; the rule of three says 3 / I."""
    found = crossed_difference(np.ones((5, images)), np.ones((5, images)))
    expected = stats.t.ppf(0.975, images + 1) * math.sqrt(2) / (images + 2)
    assert (found.low, found.high) == pytest.approx((-expected, expected))
    assert 2 / images < found.high < 3.5 / images


def test_pseudo_items_are_as_large_as_the_changes_that_were_seen():
    first, second = np.ones((4, 50)), np.ones((4, 50))
    second[0, :10] = 0  # ten images on which one seed of four is wrong: a change of 1/4 each
    found = crossed_difference(first, second)
    size = (10 / 16 + 2) / 12
    assert found.item_part == pytest.approx(math.sqrt(2 * size) / 52, rel=1e-6)
    assert found.centre == pytest.approx(found.mean * 50 / 52)
    assert pseudo_items(Parts(0.1, 0.2, 0.0, 3, 8), 0.5) == pytest.approx((0.08, 0.2, 0.1, 3, 10))


def test_no_difference_is_beyond_what_is_possible():
    found = crossed_difference([[1, 1], [0, 1], [1, 1]], [[0, 0], [0, 1], [0, 0]])
    assert -1 <= found.low < found.high <= 1
    wide = paired_difference([0.9, 0.2, 0.8], [0.1, 0.1, 0.1], bounds=(0, 1))
    assert (wide.high, wide.at(0.999).high) == (1, 1)
    assert paired_difference([0.9, 0.2, 0.8], [0.1, 0.1, 0.1]).high > 1


def test_equal_scores_of_known_images_are_not_certain():
    same = paired_difference([0.9, 0.9, 0.9], [0.9, 0.9, 0.9], items=30)
    least = stats.t.ppf(0.975, 91) * math.sqrt(2) / 92
    assert same.high == -same.low and same.p_value == 1
    assert least < same.high < stats.t.ppf(0.975, 2) * math.sqrt(2) / 90 * 1.5
    right = paired_difference([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], items=30)  # no luck is needed
    assert (right.low, right.high) == pytest.approx((-least, least))
    ahead = paired_difference([0.9, 0.9, 0.9], [0.8, 0.8, 0.8], items=30)
    assert ahead.low > 0 > ahead.p_value - 0.05


def test_two_seeds_that_agree_by_luck_are_not_certain():
    found = score_interval([17 / 45, 17 / 45], (0, 1), 45, confidence=0.95)
    assert found.low < 0.3 and found.high > 0.46
    apart = score_interval([17 / 45, 18 / 45], (0, 1), 45, confidence=0.95)
    assert apart.high - apart.low == pytest.approx(found.high - found.low, rel=0.05)
    beyond = paired_difference([17 / 45, 17 / 45], [14 / 45, 14 / 45], bounds=(0, 1), items=45)
    assert beyond.low < 0 < beyond.high and beyond.p_value > 0.05
    no_pairs = unpaired_difference([17 / 45, 17 / 45], [14 / 45] * 2, bounds=(0, 1), items=45)
    assert no_pairs.low < 0 < no_pairs.high and no_pairs.p_value > 0.05


@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_intervals_of_two_seeds_on_few_images_cover(confidence):
    rng = np.random.default_rng(3)
    first, second = rng.binomial(45, 0.4, (2, 300, 2)) / 45
    scores = [score_interval(pair, (0, 1), 45, confidence) for pair in first]
    paired = [
        paired_difference(a, b, confidence, bounds=(0, 1), items=45)
        for a, b in zip(first, second, strict=True)
    ]
    assert sum(found.low <= 0.4 <= found.high for found in scores) >= 300 * confidence - 4
    assert sum(found.low <= 0.0 <= found.high for found in paired) >= 300 * confidence - 4


def test_an_interval_of_another_confidence_and_one_sided_p_values():
    first, second = [0.9, 0.93, 0.91, 0.95], [0.88, 0.9, 0.9, 0.9]
    found, scipys = paired_difference(first, second), stats.ttest_rel(first, second)
    at_90 = scipys.confidence_interval(0.9)
    assert (found.at(0.9).low, found.at(0.9).high) == pytest.approx((at_90.low, at_90.high))
    above = stats.ttest_rel(first, second, alternative="greater").pvalue
    assert found.one_sided_p() == pytest.approx(above)
    shifted = stats.ttest_1samp(np.subtract(first, second), 0.05, alternative="greater").pvalue
    assert found.one_sided_p(0.05) == pytest.approx(shifted)
    assert paired_difference([1], [0]).one_sided_p() is None
    assert paired_difference([1, 2], [1, 2]).one_sided_p() is None


@pytest.mark.parametrize("bounds", [None, (0.0, math.inf), (-1.0, 1.0)])
def test_scores_without_known_images_that_agree_have_no_interval(bounds):
    found = score_interval([0.5, 0.5, 0.5], bounds)
    assert (found.mean, found.low, found.high) == (0.5, None, None)
    assert score_interval([0.5], (0, 1), 30).low is None


def test_a_bounded_score_keeps_its_bounds():
    low_side = score_interval([0.889, 0.5, 1.0], (0, 1), 100)
    assert 0 < low_side.low < low_side.mean < low_side.high < 1
    assert low_side.mean - low_side.low > low_side.high - low_side.mean
    kappa = score_interval([0.9, 0.2, 0.95], (-1, 1))
    assert -1 < kappa.low < kappa.high < 1
    scaled = score_interval([0.95, 0.6, 0.975], (0, 1))
    assert (kappa.low, kappa.high) == pytest.approx((2 * scaled.low - 1, 2 * scaled.high - 1))
    loss = score_interval([0.1, 0.5, 0.9], (0, math.inf))
    assert (loss.low, loss.high) == (0, score_interval([0.1, 0.5, 0.9]).high)


def test_far_from_its_bounds_a_score_has_the_score_interval():
    scores = [0.50, 0.51, 0.505, 0.495]
    found, plain = score_interval(scores, (0, 1), 10_000), score_interval(scores)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=1e-3)


@pytest.mark.parametrize("images", [30, 1000])
def test_all_seeds_right_is_about_the_rule_of_three(images):
    found = score_interval([1.0, 1.0, 1.0], (0, 1), images)
    assert found.high == 1
    assert found.low == pytest.approx(1 - 3.8 / (3 * images), abs=0.3 / images)


def crossed_half(scores, groups=None):
    """Half the width of a mean over seeds and items, from its parts."""
    _, u, v, seeds, items = crossed_parts(scores, groups)
    return float(half_width(0.05, u, seeds - 1, v, items - 1))


def test_crossed_parts_by_hand():
    # row means .75, .25: variance .125; column means 1, .5, .5, 0: variance 1/6; mean .5
    # every residual is +-.25, so E = 8 / 16 / 3 = 1/6
    # u^2 = .125 / 2 = 1/16; v^2 = (1/6) / 4 - (1/6) / 8 = 1/48; t(1) = 12.706205, t(3) = 3.182446
    # u^2 + v^2 = 1/12, of which 3/4 and 1/4: Cochran's t* = .75 t(1) + .25 t(3) = 10.325265;
    # Satterthwaite's df = (1/144) / (1/256 + 1/2304/3) = 1.714286, t(1.714286) = 5.068500
    expected = (10.325265 + 5.0684999) / 2 / math.sqrt(12)
    scores = [[1, 1, 1, 0], [1, 0, 0, 0]]
    assert crossed_parts(scores)[:3] == pytest.approx((0.5, 0.25, 1 / math.sqrt(48)))
    assert crossed_half(scores) == pytest.approx(expected, rel=1e-6)


def test_crossed_parts_of_equal_items_are_the_score_interval():
    scores = np.repeat(np.array([[0.2], [0.5], [0.9]]), 7, axis=1)
    assert crossed_half(scores) == pytest.approx(half(score_interval([0.2, 0.5, 0.9])))


def test_crossed_parts_of_equal_seeds_are_the_item_interval():
    items = np.random.default_rng(1).integers(0, 2, 50).astype(float)
    assert crossed_half(np.stack([items] * 4)) == pytest.approx(half(score_interval(items)))


def test_groups_of_one_change_nothing_and_copies_add_no_evidence():
    rng = np.random.default_rng(2)
    scores = correctness(rng, 3, 20, rng.normal(0, 4, (1, 20))).astype(float)
    alone = crossed_half(scores)
    assert crossed_half(scores, [f"image {i}" for i in range(20)]) == pytest.approx(alone)
    # each image four times: without groups the item part would shrink
    copies, patients = np.repeat(scores, 4, axis=1), np.repeat(np.arange(20), 4).astype(str)
    assert crossed_parts(copies, list(patients)).mean == pytest.approx(scores.mean())
    assert crossed_half(copies, list(patients)) == pytest.approx(alone)
    assert crossed_half(copies) < 0.9 * alone


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
    parts = Parts(0.0, 0.05 * rng.random(), 0.02, seeds, 100)
    edge = half(difference_of_parts(parts, seeds - 1, 0.95)) * 102 / 100
    at = [
        difference_of_parts(parts._replace(mean=x * edge), seeds - 1, 0.95)
        for x in (0.2, 0.9, 0.999, 1.001, 1.2, 3)
    ]
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
