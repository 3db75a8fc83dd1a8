import csv
import io
import json
from dataclasses import replace

import pytest

from hybrid_swin.system.files import json_ready
from search.comparison.report.files import json_content
from search.comparison.results.claims import judge_claims
from search.settings.claims import ClaimSettings
from search.settings.comparison import MatchSettings

WHOLE, HALF = "+mdta", "+mdta(attention=false)"
CLAIMS = (
    ClaimSettings("A, Table 1", WHOLE, difference=20.0, metric="ImageNet-1K top-1"),
    ClaimSettings("B, Table 1", WHOLE, difference=3.0),
    ClaimSettings("C, Table 1", WHOLE, against=HALF, order="better"),
)


@pytest.fixture(scope="module")
def made(fake, tmp_path_factory):
    """A finished comparison whose settings name published differences; tests only read it."""
    folder = tmp_path_factory.mktemp("published")
    return fake.Made(folder, fake.settings(published=CLAIMS)).fill()


@pytest.fixture(scope="module")
def read(made):
    return made.read()


def test_each_claim_has_the_difference_that_it_is_about(read):
    whole = next(r for r in read.results if r.arm == WHOLE)
    (control,) = whole.controls
    first, second, third = read.published
    for judged, versus in ((first, whole.versus), (second, whole.versus), (third, control)):
        assert (judged.difference, judged.low, judged.high) == (
            (versus.difference, versus.low, versus.high)
        )
        assert (judged.against, judged.seeds, judged.images) == (versus.against, 5, 200)
    assert [c.verdict for c in read.published] == ["reproduced", "contradicted", "reproduced"]
    assert second.direction == "same, larger"


def test_files_hold_them(read):
    content = json.loads(json.dumps(json_ready(json_content(read))))
    assert content["published"][0]["claim"]["metric"] == "ImageNet-1K top-1"
    assert content["published"][1]["verdict"] == "contradicted"
    assert any("A, Table 1" in sentence for sentence in content["conclusions"])
    rows = list(csv.DictReader(io.StringIO(read.to_csv())))
    texts = [(row["published"], row["published_verdict"]) for row in rows]
    assert texts == [
        ("", ""),
        ("difference +20; difference +3", "reproduced; contradicted"),
        ("better", "reproduced"),
        ("", ""),
    ]


def test_they_change_neither_digest_nor_files_of_others(made, read):
    plain = replace(read, published=())
    assert plain.digest() == read.digest()
    assert "published" not in plain.to_dict()
    assert "published" not in plain.table().columns


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"undertrained": True}, "+mdta was still improving when training ended"),
        ({"undertrained": None}, "+mdta had too few epochs to tell"),
        ({"seeds": 4}, "+mdta has lost a seed"),
        ({"seeds": 4, "keys": ("a",) * 4}, "+mdta has 4 of 5 trainings"),
        ({"macs": 20_000_000}, "costs are not equal: +mdta has +10"),
    ],
)
def test_without_a_verdict_it_is_said_why(made, read, changes, why):
    results = [replace(r, **changes) if r.arm == WHOLE else r for r in read.results]
    for judged in judge_claims(made.settings, results):
        assert judged.verdict == "no verdict"
        assert judged.why.startswith(why)


def test_unmatched_arms_may_differ_in_no_cost(made, read):
    settings = replace(made.settings, match=MatchSettings(by=("none",), tolerance=0.02))
    results = [replace(r, matching="none") for r in read.results]
    first, *_ = judge_claims(settings, results)
    assert "MACs" in first.why


def test_two_that_guess_have_no_verdict(made, read):
    results = [replace(r, at_chance=True) for r in read.results]
    whys = {judged.why for judged in judge_claims(made.settings, results)}
    assert whys == {"neither arm is shown to be better than a guess"}


FACTORS = {"recipe.epochs": [10, 12]}


@pytest.fixture(scope="module")
def factorial(fake, tmp_path_factory):
    """A finished comparison with a factor, and a claim on it; tests only read it."""
    claim = ClaimSettings("D, Table 1", factor="recipe.epochs", level=12, difference=30.0)
    made = fake.settings(factors=FACTORS, published=(claim,))
    return fake.Made(tmp_path_factory.mktemp("factorial"), made).fill()


def test_a_change_of_a_factor_is_judged_by_its_effect(factorial):
    read = factorial.read()
    (judged,) = read.published
    effect = next(e for e in read.effects if e.changes[0].factor == "epochs")
    assert judged.name == effect.name == "epochs=12 instead of epochs=10"
    assert (judged.low, judged.high) == (effect.versus.low, effect.versus.high)
    assert (judged.verdict, judged.direction) == ("contradicted", "none shown")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"improving": True}, "some arms were still improving"),
        ({"macs": 0.5}, "costs are not equal: epochs=12 has +50% MACs"),
    ],
)
def test_a_factor_has_no_verdict_where_arms_are_unlike(factorial, changes, why):
    read = factorial.read()
    effects = [replace(effect, **changes) for effect in read.effects]
    (judged,) = judge_claims(factorial.settings, read.results, effects)
    assert judged.verdict == "no verdict" and judged.why.startswith(why)
