"""The answer of a comparison, over results made by hand."""

import dataclasses

import pytest

from search.comparison.results.answer import answer
from search.comparison.results.conclusions import conclusions

WHOLE, HALF, CONV, SIZE = "+mdta", "+mdta(attention=false)", "+conv", "+pointwise"
GIVEN = " (5 seeds, matched by MACs)."


@pytest.fixture
def said(fake):
    """The answer about a baseline and these arms."""

    def say(*arms, **changes):
        base = changes.pop("base", fake.arm("base"))
        return answer(fake.comparison(base, *arms, **changes))

    return say


def test_one_ahead(fake, said):
    assert said(fake.arm(WHOLE, fake.versus(0.05))) == (
        "On test, +mdta is 5.0 points [4.0, 6.0] ahead of base; what the gain of +mdta is due to "
        f"was not tested by a control{GIVEN}"
    )


def test_several_ahead_and_one_behind(fake, said):
    found = said(
        fake.arm(WHOLE, fake.versus(0.05)),
        fake.arm(CONV, fake.versus(0.04)),
        fake.arm(SIZE, fake.versus(-0.03)),
    )
    assert found.startswith(
        "On test, +mdta (5.0 points [4.0, 6.0]) and +conv (4.0 points [3.0, 5.0]) are ahead of "
        "base; +pointwise is 3.0 points [2.0, 4.0] behind base; "
    )


def test_more_arms_than_are_named(fake, said):
    found = said(*(fake.arm(f"+a{number}", fake.versus(0.05)) for number in range(5)))
    assert "+a2 (5.0 points [4.0, 6.0]) and 2 more are ahead of base" in found


def credited(fake, said, attention, size):
    holm_p = {"better": 0.001, "worse": 0.001, "tie": 0.4}
    sign = {"better": 0.03, "worse": -0.03, "tie": 0.004}
    controls = [
        fake.versus(sign[verdict], holm_p=holm_p[verdict], against=against, cause=cause)
        for verdict, against, cause in (
            (attention, HALF, "channel attention"),
            (size, SIZE, "size"),
        )
    ]
    return said(
        fake.arm(WHOLE, fake.versus(0.05), controls),
        fake.arm(HALF, fake.versus(0.0, holm_p=0.9)),
        fake.arm(SIZE, fake.versus(0.0, holm_p=0.9)),
    )


@pytest.mark.parametrize(
    ("attention", "words"),
    [
        ("better", "its channel attention is shown to help"),
        ("tie", "its channel attention gets no credit"),
        ("worse", "its channel attention is shown to hurt"),
    ],
)
def test_a_control_bears_a_cause_out_or_not(fake, said, attention, words):
    found = credited(fake, said, attention, "better")
    assert f"; of the gain of +mdta, {words}, size alone does not explain it" in found
    assert "not tested" not in found


def test_a_control_of_its_size_may_explain_a_gain(fake, said):
    words = "size alone may explain it (it is not shown ahead of +pointwise)"
    assert words in credited(fake, said, "better", "tie")
    assert words not in credited(fake, said, "better", "better")


def test_nothing_differs(fake, said):
    tie = fake.versus(0.002, holm_p=0.6)
    assert said(fake.arm(WHOLE, tie)) == (
        "Nothing is shown to differ from base on test: 5 seeds would have found a true difference "
        f"of 1.8 points, four times in five{GIVEN}"
    )
    assert "5 seeds and 359 test images would" in said(fake.arm(WHOLE, tie, test_images=359))
    hopeless = fake.versus(0.002, holm_p=0.6, detectable=1.0)
    assert "could not have found any difference" in said(fake.arm(WHOLE, hopeless))


def test_images_with_groups_are_counted_by_groups(fake, said):
    photographs = {"test_images": 984, "test_groups": 255}
    tie = said(fake.arm(WHOLE, fake.versus(0.002, holm_p=0.6), **photographs))
    assert "5 seeds and 255 groups of 984 test images would have found" in tie
    assert tie.endswith("(5 seeds, 255 groups of 984 test images, matched by MACs).")


def test_what_could_have_been_found_is_what_the_conclusions_say(fake):
    tie = {"holm_p": 0.6}
    detectable = (0.086, 0.102, 0.2, 1.0)
    arms = [fake.arm(f"+a{d}", fake.versus(0.0, detectable=d, **tie)) for d in detectable]
    controls = [fake.versus(0.0, detectable=0.4, against="+a1.0", cause="size", **tie)]
    arms[0] = dataclasses.replace(arms[0], controls=tuple(controls))
    made = fake.comparison(fake.arm("base"), *arms)
    size = "a true difference of 8.6 to 20.0 points (half of 4 up to 10.2; in 1 of 4 none, "
    size += "however large)"
    assert f"5 seeds would have found {size}, four times in five" in answer(made)
    (sentence,) = [s for s in conclusions(made) if "four times in five" in s]
    assert f"{size} would be found four times in five" in sentence


def test_a_control_whose_interval_is_wide_tells_nothing(fake, said):
    wide = fake.versus(0.004, half=0.99, holm_p=0.9, against=HALF, cause="channel attention")
    arms = (
        fake.arm(WHOLE, fake.versus(0.05), [wide]),
        fake.arm(HALF, fake.versus(0.0, holm_p=0.9)),
    )
    assert "of the gain of +mdta, what its channel attention adds is not known" in said(*arms)
    text = " ".join(conclusions(fake.comparison(fake.arm("base"), *arms)))
    assert "What channel attention adds in +mdta is not known: it is not shown different" in text
    assert "credit" not in text + said(*arms)


def test_equal_within_the_margin(fake, said):
    equal = fake.versus(0.001, holm_p=0.6, equal_p=0.01, margin=0.01)
    found = said(fake.arm(WHOLE, equal), equivalence=0.01)
    assert found == f"On test, +mdta is shown equal to base within 1 points{GIVEN}"


def test_a_part_that_is_shown_not_to_matter(fake, said):
    control = fake.versus(
        0.001, holm_p=0.6, equal_p=0.01, margin=0.01, against=HALF, cause="channel attention"
    )
    found = said(
        fake.arm(WHOLE, fake.versus(0.05), [control]),
        fake.arm(HALF, fake.versus(0.0, holm_p=1.0)),
        equivalence=0.01,
    )
    assert "of the gain of +mdta, its channel attention is shown not to matter" in found


@pytest.mark.parametrize(
    ("versus", "words"),
    [
        ({"difference": 0.05}, "The primary question: +mdta is 5.0 points [4.0, 6.0] ahead of"),
        ({"difference": -0.05}, "The primary question: +mdta is 5.0 points [4.0, 6.0] behind base"),
        (
            {"difference": 0.002, "holm_p": 0.3},
            "The primary question: +mdta is not shown to differ from base (0.2 points [-0.8, 1.2])",
        ),
        ({"holm_p": None}, "The primary question: +mdta could not be compared with base"),
    ],
)
def test_the_primary_question_comes_first(fake, said, versus, words):
    primary = fake.arm(WHOLE, fake.versus(primary=True, **versus))
    other = fake.arm(CONV, fake.versus(0.04))
    found = said(primary, other, primary=(WHOLE, "base"))
    assert found.startswith(words)
    assert "; on test, +conv is 4.0 points [3.0, 5.0] ahead of base" in found
    alone = said(primary, primary=(WHOLE, "base"))
    assert alone.startswith(words) and "nothing can be concluded" not in alone


def test_a_primary_question_that_is_left_out_is_said_to_be(fake, said):
    young = fake.arm(WHOLE, fake.versus(0.05, primary=True), undertrained=True)
    found = said(young, fake.arm(CONV, fake.versus(0.04)), primary=(WHOLE, "base"))
    assert found.startswith("The primary question: +mdta against base has no answer")
    assert "5.0 points" not in found


@pytest.mark.parametrize("change", [{"undertrained": True}, {"seeds": 4}, {"undertrained": None}])
def test_arms_that_may_not_be_judged(fake, said, change):
    found = said(fake.arm(WHOLE, fake.versus(0.05), **change))
    assert found.startswith("Nothing can be concluded: every arm, or what it is compared with")
    other = said(fake.arm(WHOLE, fake.versus(0.05), **change), fake.arm(CONV, fake.versus(0.04)))
    assert "+mdta" not in other and "+conv is 4.0 points" in other
    assert said(fake.arm(WHOLE, fake.versus(0.05)), base=fake.arm("base", **change)).startswith(
        "Nothing can be concluded"
    )


def test_one_seed(fake, said):
    found = said(fake.arm(WHOLE, seeds=1), base=fake.arm("base", seeds=1))
    assert found.startswith("Nothing is concluded: no arm has two completed trainings over seeds")


def test_less_is_better(fake, said):
    lower = fake.versus(-0.05, sign=-1)
    found = said(fake.arm(WHOLE, lower), monitor="val/loss", mode="min")
    assert found.startswith("On test, +mdta is 0.050 [0.040, 0.060] ahead of base")


def test_several_cells(fake, said):
    cells = [
        result
        for number, verdict in enumerate(("better", "better", "tie"))
        for result in (
            fake.arm("base", cell=f"reach {number}"),
            fake.arm(
                WHOLE,
                fake.versus(0.03 + 0.01 * number, holm_p=0.001 if verdict == "better" else 0.5),
                cell=f"reach {number}",
            ),
        )
    ]
    found = said(*cells[1:], base=cells[0])
    assert (
        "On test, +mdta is ahead of base in 2 of 3 cells (reach 0 and reach 1: 3.0 to 4.0 points)"
        in found
    )


def test_what_it_is_conditional_on(fake, said):
    found = said(
        fake.arm(WHOLE, fake.versus(0.05), test_images=200),
        choose_rate="once",
        level=0.0177,
        matchings=("macs",),
        training="5 epochs",
    )
    assert found.endswith(
        "(5 seeds, 200 test images, 5 epochs, matched by MACs, given these learning rates, tests "
        "at 1.77%)."
    )
