import csv
import io
import json
from dataclasses import replace

import pytest

from hybrid_swin.system.files import json_ready
from search.comparison.report.files import json_content
from search.comparison.results.answer import answer
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
    for judged in judge_claims(made.plan, results):
        assert judged.verdict == "no verdict"
        assert judged.why.startswith(why)


def test_unmatched_arms_may_differ_in_no_cost(made, read):
    settings = replace(made.settings, match=MatchSettings(by=("none",), tolerance=0.02))
    results = [replace(r, matching="none") for r in read.results]
    first, *_ = judge_claims(replace(made.plan, settings=settings), results)
    assert "MACs" in first.why


@pytest.mark.parametrize(
    ("matching", "tolerance", "of_base", "of_half"),
    [("macs", 0.1, 0.1, 0.2), ("macs", 0.01, 0.03, 0.03), ("latency", 0.01, 0.05, 0.05)],
)
def test_an_arm_may_differ_by_a_tolerance_and_two_by_two(
    made, read, matching, tolerance, of_base, of_half
):
    """Each arm is matched to the baseline; small tolerances are those of the width solver."""
    match = MatchSettings(by=(matching,), tolerance=tolerance)
    plan = replace(made.plan, settings=replace(made.settings, match=match))
    for share, equal in ((0.99, True), (1.01, False)):
        for most, claims in ((of_base, slice(0, 2)), (of_half, slice(2, 3))):
            over = 1 + share * most
            results = [
                replace(r, matching=matching, macs=round(1e6 * (over if r.arm == WHOLE else 1)),
                        residuals={"latency": over - 1 if r.arm == WHOLE else 0.0})
                for r in read.results
            ]  # fmt: skip
            whys = [judged.why for judged in judge_claims(plan, results)[claims]]
            assert [why == "" for why in whys] == [equal] * len(whys)


def test_two_that_guess_have_no_verdict(made, read):
    results = [replace(r, at_chance=True) for r in read.results]
    whys = {judged.why for judged in judge_claims(made.plan, results)}
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


def judged_with(factorial, changes):
    """The claim on the factor, with the results of an arm at both levels replaced."""
    read = factorial.read()
    results = [replace(r, **changes) if r.arm == WHOLE else r for r in read.results]
    (judged,) = judge_claims(factorial.plan, results, read.effects)
    return judged


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"undertrained": True}, "+mdta at epochs=12 was still improving"),
        ({"undertrained": None}, "+mdta at epochs=12 had too few epochs"),
        ({"seeds": 4}, "+mdta at epochs=12 has lost a seed"),
        ({"seeds": 4, "keys": ("a",) * 4}, "+mdta at epochs=12 has 4 of 5 trainings"),
        ({"at_chance": True}, "+mdta is at neither level shown to be better than a guess"),
    ],
)
def test_a_change_needs_of_all_its_arms_what_an_arm_needs(factorial, changes, why):
    judged = judged_with(factorial, changes)
    assert judged.verdict == "no verdict" and judged.why.startswith(why)


def test_a_factor_has_no_verdict_where_costs_are_unlike(factorial):
    read = factorial.read()
    effects = [replace(effect, macs=0.5) for effect in read.effects]
    (judged,) = judge_claims(factorial.plan, read.results, effects)
    assert judged.verdict == "no verdict"
    assert judged.why == "costs are not equal: epochs=12 has +50% MACs"


def test_a_claim_on_a_change_without_an_answer_is_counted(fake, factorial, tmp_path):
    claims = (*factorial.settings.published, ClaimSettings("E", WHOLE, difference=1.0))
    made = fake.Made(tmp_path, replace(factorial.settings, published=claims)).fill(skip=(WHOLE,))
    read = made.read()
    change, *others = read.published
    assert change.why == "+mdta at epochs=12 has 0 of 5 trainings"
    assert len(others) == 2 and "Of 3 published differences" in answer(read)
    assert change.name not in [effect.name for effect in read.effects]


def test_conditions_are_those_of_the_cell(fake, factorial):
    claims = (ClaimSettings("E", WHOLE, difference=1.0), *factorial.settings.published)
    settings = replace(factorial.settings, published=claims)
    read = factorial.read()
    judged = judge_claims(replace(factorial.plan, settings=settings), read.results, read.effects)
    assert [one.conditions for one in judged] == [
        "digits, 10 epochs", "digits, 12 epochs", "digits, 10 to 12 epochs"
    ]  # fmt: skip


def test_of_different_images_no_effect_is_judged(fake, tmp_path):
    """At the start such a claim is refused; folders that began before hold it."""
    claim = ClaimSettings("F", factor="data.split_seed", level=1, difference=1.0)
    made = fake.settings(factors={"data.split_seed": [0, 1]}, published=(claim,))
    (judged,) = fake.Made(tmp_path, made).read().published
    assert (judged.verdict, judged.why) == ("no verdict", "cells have different images")
