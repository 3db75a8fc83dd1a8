from dataclasses import replace

import pytest

from hybrid_swin.cost import Cost, count_cost
from hybrid_swin.errors import InputError
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from search.settings.study import BudgetSettings
from search.space.budget import excess, limits, matching, over


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        (250_000, 250_000),
        ("250000", 250_000),
        ("2M", 2_000_000),
        ("2m", 2_000_000),
        (" 1.5 G ", 1_500_000_000),
        ("400K", 400_000),
        ("0.5K", 500),
        (1e6, 1_000_000),
        (1, 1),
    ],
)
def test_amounts_are_read(written, amount):
    assert limits(BudgetSettings(parameters=written)) == {"parameters": amount}


@pytest.mark.parametrize(
    "written", [0, -5, "0", "", "2 apples", "2MM", "M", "-2M", "1e6", "two", True, "0.4", "2,5M"]
)
def test_what_is_no_amount_is_refused(written):
    with pytest.raises(InputError, match=r"budget\.macs must be an amount such as 250000, 2M or"):
        limits(BudgetSettings(macs=written))


def test_without_a_budget_there_is_no_limit():
    assert limits(BudgetSettings()) == {}
    assert over(Cost(10**12, 10**12, 1), {}) == ""


def test_what_is_exceeded_is_said():
    limit = {"parameters": 1_000, "macs": 2_000_000}
    assert over(Cost(1_000, 2_000_000), limit) == ""
    assert over(Cost(1_001, 5), limit) == "1,001 parameters of at most 1,000"
    both = over(Cost(1_001, 2_000_001), limit)
    assert both == "1,001 parameters of at most 1,000, 2,000,001 macs of at most 2,000,000"


def test_excess_is_a_share_of_each_limit():
    found = excess(Cost(parameters=1_500, macs=500_000), {"parameters": 1_000, "macs": 2_000_000})
    assert found == {"parameters": pytest.approx(0.5), "macs": pytest.approx(-0.75)}
    assert excess(Cost(1_000), {"parameters": 1_000}) == {"parameters": 0.0}


# Matched costs

SMALL = Variant(
    image_size=8,
    in_channels=1,
    num_classes=10,
    patch_size=2,
    window_size=2,
    mlp_ratio=2.0,
    stages=(Stage(16, 1, 2, ("w_msa",)),),
)


@pytest.mark.parametrize(("name", "amount"), [("macs", 400_000), ("parameters", 20_000)])
def test_widths_are_solved_for_a_cost(name, amount):
    made = matching(BudgetSettings(**{name: amount}, mode="match", tolerance=0.03), [])
    for blocks in (("w_msa",), ("conv",), ("w_msa+mdta",)):
        variant = replace(SMALL, stages=(replace(SMALL.stages[0], blocks=blocks),))
        solved, told = made.apply(variant)
        assert getattr(count_cost(solved), name) == pytest.approx(amount, rel=0.03)
        assert abs(told["residuals"][name]) <= 0.03
        assert "widths" in told["adjuster"] or "MLP" in told["adjuster"]
    assert limits(BudgetSettings(**{name: amount}, mode="match")) == {}


def test_where_costs_are_limited_networks_stay_as_they_are():
    assert matching(BudgetSettings(macs="1M"), ["stages.0.width"]).apply(SMALL) == (SMALL, {})


@pytest.mark.parametrize(
    ("budget", "paths", "message"),
    [
        ({}, [], "parameters or macs; got neither"),
        ({"macs": 1, "parameters": 1}, [], "got parameters and macs"),
        ({"macs": 1}, ["stages.0.width"], r"stages\.0\.width: widths and MLP ratio are solved"),
        ({"macs": 1}, ["mlp_ratio"], "mlp_ratio: widths and MLP ratio are solved"),
    ],
)
def test_what_cannot_be_matched_is_refused(budget, paths, message):
    with pytest.raises(InputError, match=message):
        matching(BudgetSettings(**budget, mode="match"), paths)
