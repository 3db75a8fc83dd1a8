from dataclasses import replace

import pytest

from search.comparison.results.conclusions import conclusions

WHOLE, HALF, SIZE = "+mdta", "+mdta(attention=false)", "+pointwise"
CAUSE = "channel attention"


@pytest.fixture
def said(fake):
    """The sentences of a baseline and these arms, as one text."""

    def say(*arms, **changes):
        base = changes.pop("base", fake.arm("base"))
        return "\n".join(conclusions(fake.comparison(base, *arms, **changes)))

    return say


def attention(fake, verdict, control=None, **changes):
    """+mdta better than the baseline, with a verdict against its control."""
    holm_p = {"better": 0.001, "worse": 0.001, "tie": 0.4}[verdict]
    difference = {"better": 0.03, "worse": -0.03, "tie": 0.004}[verdict]
    against = fake.versus(difference, holm_p=holm_p, against=HALF, cause=CAUSE)
    whole = fake.arm(WHOLE, fake.versus(0.05), [against], **changes)
    return whole, control or fake.arm(HALF, fake.versus(0.03))


def test_better_worse_and_tied_arms(fake, said):
    text = said(
        fake.arm(WHOLE, fake.versus(0.05, half=0.012)),
        fake.arm("+conv", fake.versus(-0.03)),
        fake.arm(SIZE, fake.versus(0.002, half=0.013, holm_p=0.6)),
    )
    assert "Shown better than base: +mdta (+5.0 points [+3.8, +6.2])" in text
    assert "shown worse than base: +conv (-3.0 points [-4.0, -2.0])" in text
    assert (
        "not shown different from base: +pointwise (+0.2 points; a difference of up to 1.5 points "
        "cannot be excluded)" in text
    )


def test_a_tie_is_never_called_equal(fake, said):
    text = said(fake.arm(WHOLE, fake.versus(0.0, holm_p=1.0)))
    for word in ("equal", "same as", "no difference", "identical"):
        assert word not in text


def test_an_interval_that_excludes_0_before_holm_only_is_a_tie(fake, said):
    against = fake.versus(0.02, half=0.015, holm_p=0.08, against=HALF, cause=CAUSE)
    text = said(
        fake.arm(WHOLE, fake.versus(0.02, half=0.015, holm_p=0.07), [against]),
        fake.arm(HALF, fake.versus(0.0, holm_p=1.0)),
    )
    assert "better" not in text
    assert "helps" not in text
    assert "Not shown different from base: +mdta (+2.0 points; a difference of up to 3.5" in text
    assert "alone it would count, among 4 differences it does not" in text
    assert f"{CAUSE[0].upper()}{CAUSE[1:]} gets no credit" in text


def test_a_cause_is_credited_only_through_its_control(fake, said):
    text = said(*attention(fake, "better"))
    assert (
        "Channel attention helps: +mdta is shown better than +mdta(attention=false), which has all "
        "but that (+3.0 points [+2.0, +4.0])" in text
    )


def test_a_gain_over_the_baseline_alone_credits_nothing(fake, said):
    text = said(*attention(fake, "tie"))
    assert "Shown better than base: +mdta (+5.0" in text
    assert "Channel attention gets no credit: +mdta is not shown different from" in text
    assert "up to 1.4 points cannot be excluded" in text
    assert "helps" not in text


def test_a_cause_may_hurt(fake, said):
    text = said(*attention(fake, "worse"))
    assert "Channel attention hurts: +mdta is shown worse than" in text
    assert "helps" not in text


def test_without_a_control_the_cause_is_not_known(fake, said):
    text = said(fake.arm("+conv", fake.versus(0.05)))
    assert "What the gain of +conv is due to was not tested: there is no control for it." in text
    assert "What the gain" not in said(fake.arm("+conv", fake.versus(0.0, holm_p=0.9)))


@pytest.mark.parametrize(
    ("difference", "holm_p", "words"),
    [
        (0.03, 0.001, "+mdta is shown better than +pointwise, so size alone does not explain it"),
        (
            0.01,
            0.2,
            "Size alone may explain the gain of +mdta: it is not shown different from +pointwise",
        ),
        (-0.03, 0.001, "+mdta is shown worse than +pointwise, its control for size"),
    ],
)
def test_size_as_a_cause(fake, said, difference, holm_p, words):
    against = fake.versus(difference, holm_p=holm_p, against=SIZE, cause="size")
    text = said(
        fake.arm(WHOLE, fake.versus(0.05), [against]), fake.arm(SIZE, fake.versus(0.0, holm_p=1))
    )
    assert words in text
    assert ("size alone does not" in text) == (difference > 0 and holm_p < 0.05)


def test_size_explains_no_gain_where_none_is_shown(fake, said):
    for holm_p in (0.001, 0.4):
        against = fake.versus(0.03, holm_p=holm_p, against=SIZE, cause="size")
        worse = fake.arm(WHOLE, fake.versus(-0.05), [against])
        text = said(worse, fake.arm(SIZE, fake.versus(-0.08)))
        assert "+pointwise, its control for size (" in text
        assert "explain" not in text


def test_a_control_of_another_cost_is_told_with_it(fake, said):
    against = fake.versus(0.03, against=HALF, cause="channel attention")
    kept = {"matching": "control"}
    text = said(
        fake.arm(WHOLE, fake.versus(0.05), [against], macs=1_500_000, **kept),
        fake.arm(HALF, fake.versus(0.02), **kept),
        base=fake.arm("base", **kept),
        matchings=("control",),
    )
    assert "Channel attention helps" in text
    assert "; at +24% MACs)" in text


def test_a_control_is_followed_through_both_ways_of_matching(fake, said):
    arms = []
    for matching, holm_p in (("macs", 0.001), ("parameters", 0.4)):
        against = fake.versus(0.03, holm_p=holm_p, against=HALF, cause="channel attention")
        arms += [
            fake.arm("base", matching=matching),
            fake.arm(WHOLE, fake.versus(0.05), [against], matching=matching),
            fake.arm(HALF, fake.versus(0.02), matching=matching),
        ]
    text = said(*arms[1:], matchings=("macs", "parameters"))
    assert "one of the two ways of matching only: channel attention in +mdta (by MACs)." in text


def test_an_undertrained_arm_is_named_and_kept_out(fake, said):
    text = said(*attention(fake, "better", undertrained=True))
    assert "Still improving when training ended, so left out: +mdta." in text
    assert "Shown better than base: +mdta(attention=false) (" in text
    assert "+mdta (" not in text
    assert "helps" not in text


def test_an_arm_that_may_still_have_improved_is_kept_out(fake, said):
    text = said(*attention(fake, "better", undertrained=None))
    assert "Fewer than 5 epochs do not tell whether training had ended, so left out: +mdta." in text
    assert "+mdta (" not in text
    assert "helps" not in text


def test_two_arms_that_guess_are_neither_alike_nor_different(fake, said):
    guesses = {"at_chance": True, "chance": 0.125, "chance_of": "accuracy"}
    tie = fake.versus(0.0, holm_p=1.0)
    alike = fake.arm("+conv", tie, **guesses)
    text = said(alike, fake.arm(WHOLE, fake.versus(0.05)), base=fake.arm("base", **guesses))
    assert "a guess without looking (accuracy 12.5%): base, +conv." in text
    assert "different from base" not in text
    assert "Shown better than base: +mdta (" in text  # one of the two has learnt
    alone = said(alike, base=fake.arm("base", **guesses))
    assert "So nothing can be concluded." in alone
    assert "not shown different from base: +conv" in said(alike).lower()


def test_an_undertrained_control_credits_nothing(fake, said):
    control = fake.arm(HALF, fake.versus(-0.02), undertrained=True)
    text = said(*attention(fake, "better", control))
    assert "helps" not in text
    assert "shown worse" not in text
    assert (
        "Not known, since a control is kept out, or guesses as the arm does: "
        "channel attention in +mdta (control: "
        "+mdta(attention=false))." in text
    )


def test_an_undertrained_baseline_leaves_nothing_to_conclude(fake, said):
    text = said(fake.arm(WHOLE, fake.versus(0.05)), base=fake.arm("base", undertrained=True))
    assert "so left out: base." in text
    assert "So nothing can be concluded." in text
    assert "shown better" not in text.lower()


def test_a_lost_seed_is_named_and_its_arm_kept_out(fake, said):
    lost = {"state": "failed", "seeds": 4, "keys": tuple("abcde")}
    text = said(fake.arm(WHOLE, fake.versus(0.05), **lost))
    assert "a mean of survivors flatters, so left out: +mdta (4 of 5, failed)." in text
    begun = said(fake.arm(WHOLE, fake.versus(0.05), seeds=4))
    assert "Still training, so left out: +mdta (4 of 5)." in begun
    assert "survivors" not in begun
    assert "better" not in text


def test_single_seeds_conclude_nothing(fake, said):
    alone = fake.versus(0.2, low=None, high=None, p_value=None, holm_p=None, seeds=1)
    text = said(fake.arm(WHOLE, alone, seeds=1), base=fake.arm("base", seeds=1), pending=8)
    assert text.splitlines() == [
        "8 trainings have not ended: this is not a final result.",
        "No arm has two completed trainings over seeds: a single one gives no interval, so nothing "
        "is concluded.",
    ]


def test_few_seeds_are_said_to_be_few(fake, said):
    few = fake.versus(0.05, seeds=3)
    text = said(
        fake.arm(WHOLE, few, seeds=3, seeds_asked=3),
        base=fake.arm("base", seeds=3, seeds_asked=3),
        seeds=3,
    )
    assert "3 seeds give wide intervals; 5 are the least for a claim." in text
    assert "least for a claim" not in said(fake.arm(WHOLE, fake.versus(0.05)))


def test_the_smallest_detectable_difference(fake, said):
    text = said(fake.arm(WHOLE, fake.versus(0.05, detectable=0.0234)))
    assert (
        "With 5 seeds and the spread seen here, between an arm and what it stands against, a true "
        "difference of 2.3 points would be found four times in five (4 differences, Holm at 5%)."
        in text
    )
    arms = [fake.arm(f"arm {d}", fake.versus(0.05, detectable=d)) for d in (0.01, 0.02, 0.06)]
    young = fake.arm("young", fake.versus(0.05, detectable=0.3), undertrained=True)
    assert "of 1.0 to 6.0 points (half of 3 up to 2.0) would" in said(*arms, young)


def test_one_way_of_matching_says_that_the_other_is_not_known(fake, said):
    text = said(fake.arm(WHOLE, fake.versus(0.05)))
    assert "Matched by MACs; against the baseline: MACs +0.3%, parameters -12.0%." in text
    assert (
        "Only matching by MACs was tried; whether signs survive matching by parameters is not "
        "known." in text
    )


def test_without_matching_size_may_explain_everything(fake, said):
    arm = fake.arm(WHOLE, fake.versus(0.05), matching="none")
    base = fake.arm("base", matching="none")
    text = said(arm, base=base, matchings=("none",))
    assert "Costs were not matched, so size may explain any difference" in text


@pytest.mark.parametrize(
    ("second", "holm_p", "words"),
    [
        (0.04, 0.001, "Shown with the same sign under matching by parameters and by MACs: +mdta."),
        (-0.04, 0.001, "The sign turns around between matching by parameters and by MACs: +mdta."),
        (0.01, 0.3, "Shown under one of the two ways of matching only: +mdta (by MACs)."),
    ],
)
def test_whether_a_sign_survives(fake, said, second, holm_p, words):
    arms = (
        fake.arm(WHOLE, fake.versus(0.05)),
        fake.arm("base", matching="parameters"),
        fake.arm(WHOLE, fake.versus(second, holm_p=holm_p), matching="parameters"),
    )
    text = said(*arms, matchings=("macs", "parameters"))
    assert words in text
    assert "Matched by parameters: " in text
    assert "was tried" not in text
    young = replace(arms[2], undertrained=True)
    assert "by parameters and by MACs" not in said(
        *arms[:2], young, matchings=("macs", "parameters")
    )


def test_a_learning_rate_at_the_edge_is_noted(fake, said):
    text = said(fake.arm(WHOLE, fake.versus(0.05), chosen_rates=(0.01,) * 5))
    assert "at the edge of those tried" in text
    assert "+mdta (0.01)." in text
    assert "base (" not in text
    assert "edge" not in said(fake.arm(WHOLE, fake.versus(0.05)))
    many = [fake.arm(f"arm {i}", fake.versus(0.05), chosen_rates=(0.01,) * 5) for i in range(9)]
    assert "the result: 9 of 10 lines of the table, marked there." in said(*many)


def test_cells_are_told_apart(fake, said):
    arms = []
    for reach, holm_p in ((2, 0.5), (4, 0.001)):
        where = {"cell": f"reach={reach}", "levels": {"reach": reach}}
        against = fake.versus(0.03, holm_p=holm_p, against=HALF, cause=CAUSE)
        arms += [
            fake.arm("base", **where),
            fake.arm(WHOLE, fake.versus(0.05, holm_p=holm_p), [against], **where),
            fake.arm(HALF, fake.versus(0.0, holm_p=1), **where),
        ]
    text = said(*arms[1:], base=arms[0])
    assert "At reach=2: not shown different from base: +mdta" in text
    assert "At reach=4: shown better than base: +mdta" in text
    assert "has all but that (reach=4: +3.0 points [+2.0, +4.0]); channel attention gets no" in text


def test_less_is_better(fake, said):
    text = said(fake.arm(WHOLE, fake.versus(-0.05, sign=-1)), monitor="val/loss", mode="min")
    assert "Shown better than base: +mdta (-0.050 [-0.060, -0.040])" in text


def test_what_to_be_careful_of(fake, said):
    seeds_only = fake.versus(0.05, covers="seeds", measured_on="validation")
    text = said(fake.arm(WHOLE, seeds_only), mixed=("code", "images"))
    assert "Intervals over seeds speak of new seeds on these images, not of new images." in text
    assert "differences are on validation" in text
    assert "Arms differ in their code, images, not in their blocks alone." in text


def test_nothing_has_ended(fake, said):
    waiting = {"state": "waiting", "seeds": 0, "test_mean": None}
    text = said(base=fake.arm("base", **waiting), pending=12)
    assert "12 trainings have not ended" in text
    assert "nothing is concluded" in text


def test_learning_rates_that_nobody_chose_are_not_said_to_be_chosen(fake):
    arms = fake.arm("base"), fake.arm("+mdta", fake.versus(measured_on="validation"))
    for choice, chosen in (("one", False), ("per_seed", True)):
        text = " ".join(conclusions(fake.comparison(*arms, choose_rate=choice)))
        assert "Where test was not read, differences are on validation" in text
        assert ("which also chose the learning rates" in text) == chosen


def test_skewed_luck_near_the_ceiling_is_told(fake):
    wide, even = (0.99, 0.98, 0.93, 0.99, 0.985), (0.97, 0.96, 0.965, 0.97, 0.96)
    for scores, told in ((wide, True), (even, False)):
        arm = fake.arm("+mdta", fake.versus(), test_scores=scores, test_images=1000)
        text = " ".join(conclusions(fake.comparison(fake.arm("base"), arm)))
        assert ("Of +mdta, near the ceiling, errors differ between seeds" in text) == told
