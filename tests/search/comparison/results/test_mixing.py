"""Arms that mix no places, told by their blocks: over results made by hand."""

from dataclasses import replace

import pytest

from search.comparison.results.claims import JudgedClaim
from search.comparison.results.doubts import top_cautions
from search.comparison.results.mixing import not_about_mixing
from search.settings.claims import ClaimSettings

STILL = ("pointwise identity", "pointwise(ratio=1.5)")
CLAIM = JudgedClaim(ClaimSettings("A", "no shift", difference=-1.1), "", "", "macs", "base")


@pytest.fixture
def said(fake):
    def say(control, *arms, words=STILL, **changes):
        still = fake.arm("no attention", control, words=words)
        return list(not_about_mixing(fake.comparison(fake.arm("base"), still, *arms, **changes)))

    return say


def test_a_baseline_that_is_not_ahead_of_no_mixing(fake, said):
    tie = fake.versus(-0.002, holm_p=0.6)
    assert said(tie) == [
        "base is not shown ahead of no attention, whose blocks mix no places: differences between "
        "arms may not be about mixing."
    ]
    assert said(fake.versus(0.03)) == said(tie)  # behind it, that is
    assert said(fake.versus(-0.03)) == []
    assert said(tie, words=("pointwise w_msa",)) == []  # whatever it is called
    assert said(tie, words=("a_plugin_that_is_gone",)) == []


def test_an_arm_of_a_published_claim_that_is_not_ahead_either(fake, said):
    behind = fake.versus(-0.03)
    control = fake.versus(0.002, holm_p=0.6, against="no attention", cause="attention")
    arm = fake.arm("no shift", fake.versus(0.0, holm_p=1.0), [control])
    assert said(behind, arm) == []
    (sentence,) = said(behind, arm, published=(CLAIM,))
    assert sentence.startswith("no shift is not shown ahead of no attention, whose")
    ahead = replace(arm, controls=(replace(control, difference=0.03, holm_p=0.001),))
    assert said(behind, ahead, published=(CLAIM,)) == []


def test_what_is_kept_out_is_not_shown(fake, said):
    young = fake.arm("no attention", fake.versus(-0.03), words=STILL, undertrained=True)
    made = fake.comparison(fake.arm("base"), young)
    assert top_cautions(made)[0].startswith("base is not shown ahead of no attention")
    assert said(replace(fake.versus(), difference=None, holm_p=None)) == []


def test_the_cell_is_named(fake):
    tie, ahead = fake.versus(-0.002, holm_p=0.6), fake.versus(-0.03)
    arms = []
    for cell, versus in (("stem=patch", tie), ("stem=conv", ahead)):
        arms += [fake.arm("base", cell=cell)]
        arms += [fake.arm("no attention", versus, words=STILL, cell=cell)]
    (sentence,) = not_about_mixing(fake.comparison(*arms))
    assert sentence.startswith("base at stem=patch is not shown ahead of no attention")
