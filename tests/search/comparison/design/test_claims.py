import re

import pytest

from hybrid_swin.errors import InputError
from search.comparison.design.claims import check_claims, holds_at
from search.comparison.design.plan import make_plan
from search.settings.claims import ClaimSettings

FACTORS = {"base": [["w_msa"], ["w_msa", "sw_msa"]], "recipe.epochs": [10, 20]}


@pytest.fixture(scope="module")
def entries(fake):
    return make_plan(fake.settings(factors=FACTORS)).entries


def check(fake, entries, **claim):
    claim = ClaimSettings(**{"arm": "+mdta", "source": "A", "difference": 1.0, **claim})
    check_claims(fake.settings(factors=FACTORS, published=(claim,)), entries)


@pytest.mark.parametrize(
    "claim",
    [
        {},
        {"against": "base"},
        {"against": "+mdta(attention=false)"},
        {"at": {"base": ["w_msa"], "recipe.epochs": 20}},
        {"arm": "", "factor": "recipe.epochs", "level": 20},
    ],
)
def test_differences_that_are_asked_are_taken(fake, entries, claim):
    check(fake, entries, **claim)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (
            {"arm": "+mtda"},
            "unknown arm of published '+mtda'; did you mean '+mdta'? (arms of published: ",
        ),
        ({"arm": "base"}, "arm 'base' is what others are compared with"),
        ({"against": "bas"}, "unknown arm for published.against of '+mdta' 'bas'; did you mean"),
        ({"at": {"bas": 1}}, "did you mean 'base'?"),
        ({"at": {"epochs": 10}}, "not a factor of this comparison; did you mean 'recipe.epochs'?"),
        ({"arm": "", "factor": "recipe.epochs"}, "gives no level; give the one that it is changed"),
        ({"arm": "", "factor": "epochs", "level": 20}, "did you mean 'recipe.epochs'?"),
        (
            {"arm": "", "factor": "recipe.epochs", "level": 10},
            "level of factor 'recipe.epochs' is '10'; a change is from its first level",
        ),
        ({"at": {"recipe.epochs": 30}}, "is '30', which is not one of its levels: '10', '20'"),
    ],
)
def test_others_are_refused(fake, entries, claim, message):
    with pytest.raises(InputError, match=re.escape(message)):
        check(fake, entries, **claim)


def test_a_change_over_different_images_is_refused(fake):
    factors = {"data.split_seed": [0, 1]}
    entries = make_plan(fake.settings(factors=factors)).entries
    claim = ClaimSettings("A", factor="data.split_seed", level=1, difference=1.0)
    with pytest.raises(InputError, match="cells of this comparison have different images"):
        check_claims(fake.settings(factors=factors, published=(claim,)), entries)


def test_levels_are_compared_as_they_are_written():
    claim = ClaimSettings("b", "a", difference=1.0, at={"base": ["w_msa"], "flip": True})
    assert holds_at(claim, {"base": ("w_msa",), "flip": True, "more": 3})
    assert not holds_at(claim, {"base": ("w_msa",), "flip": 1})
