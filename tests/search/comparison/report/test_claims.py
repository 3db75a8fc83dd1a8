import io
from dataclasses import replace

import pytest

from hybrid_swin.system.console import Console
from search.comparison.report.claims import claim_sentences, summary
from search.comparison.report.end_page import print_end
from search.comparison.report.tables import to_markdown
from search.comparison.results.claims import JudgedClaim
from search.settings.claims import ClaimSettings

SIZE = ClaimSettings("A, Table 1", "+a", difference=1.1, metric="ImageNet-1K top-1", n=3, sd=0.2)
EQUAL = ClaimSettings("B, Table 2", "+a", difference=0, margin=0.5)
ORDER = ClaimSettings("C, Figure 1", "+a", order="better")
OWN = {
    "difference": 0.008,
    "low": -0.002,
    "high": 0.018,
    "seeds": 5,
    "images": 360,
    "conditions": "digits, 30 epochs",
}
NEEDED = {"seeds_needed": 12, "seeds_needed_low": 6, "seeds_needed_high": 60}


def judged(claim=SIZE, **values):
    return JudgedClaim(claim, "+a against base", "", "macs", "base", **{**OWN, **values})


@pytest.fixture
def comparison(fake, tmp_path):
    made = fake.Made(tmp_path / "made", fake.settings(name="made")).fill()
    return lambda *claims: replace(made.read(), published=claims)


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (
            judged(verdict="reproduced", low=0.002),
            "A, Table 1 (+a against base: +1.1 points on ImageNet-1K top-1 [sd 0.2, 3 runs]): "
            "reproduced: here +0.8 points [+0.2, +1.8] (digits, 30 epochs, 5 seeds, 360 test "
            "images, matched by MACs).",
        ),
        (
            judged(verdict="contradicted", direction="same, smaller"),
            "the direction is the same, the size smaller",
        ),
        (judged(verdict="contradicted", direction="other"), "the direction is the other one"),
        (
            judged(verdict="underpowered", **NEEDED),
            "the interval holds 0 and the published difference; roughly 12 [6, 60] seeds would "
            "show it four times in five",
        ),
        (
            judged(verdict="underpowered", **{**NEEDED, "seeds_needed_high": None}),
            "; roughly 12 [6, more than 1,000] seeds would show it",
        ),
        (
            judged(verdict="underpowered", seeds=2),
            "the published difference; 2 seeds do not tell how many would show it (",
        ),
        (
            judged(verdict="underpowered", **{**NEEDED, "seeds_needed": 4}),
            "roughly 4 [6, 60] seeds would show it four times in five, and there are 5: this may",
        ),
        (
            judged(verdict="underpowered", images_needed=1400),
            "no number of seeds would do: it takes about 1,400 test images, and there are 360",
        ),
        (
            judged(verdict="underpowered", images_needed=2_376_485_388_870_320),
            "it takes more than a million test images, and there are 360",
        ),
        (judged(ORDER, verdict="contradicted", direction="equal"), "the arms are shown equal"),
        (
            judged(verdict="underpowered", images_needed=1400, unit="groups of images"),
            "about 1,400 groups of test images, and there are 360 (digits, 30 epochs, 5 seeds, 360 "
            "groups of test images, matched",
        ),
        (
            judged(EQUAL, verdict="underpowered", **NEEDED),
            "the interval reaches over the margin of 0.5 points; roughly 12 [6, 60] seeds",
        ),
        (judged(ORDER, verdict="underpowered"), "no size was published"),
        (judged(why="+a has lost a seed"), "): no verdict, since +a has lost a seed."),
    ],
)
def test_a_verdict_says_what_it_rests_on(comparison, claim, said):
    (sentence,) = claim_sentences(comparison(claim))
    assert said in sentence


def test_the_summary_comes_first(comparison, tmp_path):
    none = comparison()
    assert summary(none) == ""
    one = comparison(judged(verdict="reproduced"))
    assert summary(one) == "The published difference is reproduced (+a [A, Table 1])."
    other = replace(
        judged(verdict="reproduced"), name="+a against +b", against="+b", cell="stem=conv"
    )
    assert "(+a against +b (stem=conv) [A, Table 1])" in summary(comparison(other))
    both = comparison(
        judged(verdict="reproduced"),
        judged(EQUAL, verdict="contradicted", direction="too large"),
    )
    assert summary(both) == (
        "Of 2 published differences 1 is reproduced (+a [A, Table 1]); 1 is contradicted "
        "(+a [B, Table 2]: beyond the margin)."
    )
    text = io.StringIO()
    print_end(both, tmp_path, Console(file=text, width=120, force_terminal=False))
    page = text.getvalue()
    assert page.startswith("Of 2 published differences")
    assert "equal within 0.5" in page and "B, Table 2" in page
    assert len(page.splitlines()) <= 25
    assert "| +a against base | equal within 0.5 | +0.8 [-0.2, +1.8] |" in to_markdown(both)
