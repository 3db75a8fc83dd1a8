import pytest

from hybrid_swin.cost import count_cost
from hybrid_swin.errors import InputError
from hybrid_swin.spec.variant import Variant
from search.comparison.design.matching import MatchedNetwork, match_arm, with_pointwise
from search.settings.comparison import MatchSettings


def variant(word, width=48, **fields):
    stage = {"width": width, "depth": 2, "num_heads": width // 8, "blocks": [word]}
    given = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 1}
    return Variant.from_dict({**given, "window_size": 4, "stages": [stage], **fields})


@pytest.mark.parametrize("by", ["macs", "parameters"])
def test_widths_meet_the_baselines_cost(by):
    target = variant("w_msa")
    found = match_arm(variant("w_msa+mdta"), target, by, MatchSettings(tolerance=0.02), None)
    cost = count_cost(found.variant)
    assert abs(getattr(cost, by) / getattr(count_cost(target), by) - 1) <= 0.02
    assert found.residuals == cost.relative_to(count_cost(target))
    assert found.adjuster
    assert found.variant.stages[0].blocks == ("w_msa+mdta",)


def test_without_matching_the_residuals_are_told():
    found = match_arm(variant("w_msa+mdta"), variant("w_msa"), "none", MatchSettings(), None)
    assert found.variant == variant("w_msa+mdta")
    assert found.residuals["macs"] > 0.2
    assert found.adjuster == ""


def test_latency_is_met_by_the_clock_that_is_given():
    quick = MatchedNetwork(variant("w_msa+mdta", 32), {"latency": 0.01}, "widths 48 to 32")
    settings = MatchSettings()
    found = match_arm(
        variant("w_msa+mdta"), variant("w_msa"), "latency", settings, lambda v, t: quick
    )
    assert found is quick


def test_the_counterpart_costs_what_the_arm_costs_and_mixes_nothing():
    plain, arm = variant("w_msa"), variant("w_msa+mdta")
    found = with_pointwise(plain, arm, 0.01)
    assert abs(count_cost(found.variant).macs / count_cost(arm).macs - 1) < 0.01
    assert found.variant.stages[0].width == plain.stages[0].width
    assert all("w_msa+pointwise(ratio=" in word for word in found.variant.stages[0].blocks)


def test_the_counterpart_leaves_blocks_alone_that_do_not_differ():
    stages = [{"width": 48, "depth": 2, "num_heads": 6, "blocks": ["w_msa", "w_msa+conv"]}]
    found = with_pointwise(variant("w_msa"), variant("w_msa", stages=stages), 0.02)
    first, second = found.variant.stages[0].blocks
    assert first == "w_msa"
    assert second.startswith("w_msa+pointwise")


def test_an_arm_that_costs_no_more_has_no_counterpart():
    with pytest.raises(InputError, match="match by macs instead"):
        with_pointwise(variant("w_msa"), variant("identity"), 0.02)
