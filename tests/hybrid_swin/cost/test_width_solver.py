"""The width solver against trying everything, and what it promises."""

import itertools
import math
from dataclasses import replace

import pytest

from hybrid_swin.cost import Cost, count_cost
from hybrid_swin.cost.stage_shapes import shapes_near
from hybrid_swin.cost.width_solver import changes, match_cost, reshaped
from hybrid_swin.errors import InputError
from hybrid_swin.spec.published import published
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

DIGITS = Variant(
    (8, 8), 1, 10, 2, 2, 4.0, (Stage(32, 2, 4, ("w_msa+mdta",)), Stage(64, 2, 8, ("conv+w_msa",)))
)
COSTS = ("parameters", "macs", "activations")


def with_blocks(variant, *blocks):
    return replace(variant, stages=tuple(replace(s, blocks=blocks) for s in variant.stages))


def strain(new, old):
    """The docstring's formula, said again."""
    widths = [math.log(a.width / b.width) for a, b in zip(new.stages, old.stages, strict=True)]
    dims = [
        math.log((a.width / a.num_heads) / (b.width / b.num_heads))
        for a, b in zip(new.stages, old.stages, strict=True)
    ]
    spread = [w - sum(widths) / len(widths) for w in widths]
    return math.hypot(*spread) / len(spread) ** 0.5 + math.hypot(*dims) / len(dims) ** 0.5 / 10


@pytest.mark.parametrize("by", COSTS)
def test_no_other_widths_are_better(by):
    target = 300_000 if by == "parameters" else 4_000_000 if by == "macs" else 60_000
    found = match_cost(DIGITS, target, by, tolerance=0.05, fields=["width"])
    scores = []
    for shapes in itertools.product(*(shapes_near(DIGITS, i, 1.0, 24) for i in range(2))):
        other = reshaped(DIGITS, shapes, DIGITS.mlp_ratio)
        residual = abs(getattr(count_cost(other), by) / target - 1)
        if residual <= 0.05:
            scores.append(residual + strain(other, DIGITS))
    assert len(scores) > 3
    mine = abs(found.residuals[by]) + strain(found.variant, DIGITS)
    assert mine == pytest.approx(min(scores))


@pytest.mark.parametrize("word", ["mdta", "conv", "pointwise", "mdta:split", "conv:cross"])
@pytest.mark.parametrize("by", COSTS)
def test_a_dual_swin_costs_what_swin_costs(word, by):
    swin = published("swin_t")
    dual = with_blocks(swin, f"w_msa+{word}", f"sw_msa+{word}")
    found = match_cost(dual, swin, by)
    assert found.cost == count_cost(found.variant)
    assert abs(found.residuals[by]) <= 0.01
    for name in COSTS:
        share = getattr(found.cost, name) / getattr(count_cost(swin), name) - 1
        assert found.residuals[name] == pytest.approx(share)
    assert found.variant.mlp_ratio == 4
    for stage in found.variant.stages:
        assert stage.width // stage.num_heads in (24, 32, 40, 48)
    widths = [stage.width for stage in found.variant.stages]
    assert all(1.4 < b / a < 2.8 for a, b in itertools.pairwise(widths))
    assert [s.blocks for s in found.variant.stages] == [s.blocks for s in dual.stages]


def test_what_costs_that_already_stays():
    swin = published("swin_s")
    found = match_cost(swin, swin)
    assert (found.variant, found.adjuster) == (swin, "nothing")
    assert set(found.residuals.values()) == {0.0}


def test_a_target_is_a_variant_a_cost_or_a_number():
    swin, small = published("swin_t"), DIGITS
    cost = count_cost(small)
    half = match_cost(swin, 14_000_000, "parameters")
    assert set(half.residuals) == {"parameters"}
    assert half.cost.parameters == pytest.approx(14e6, rel=0.01)
    wide = replace(DIGITS, stages=(Stage(48, 2, 4, ("w_msa",)), Stage(96, 2, 8, ("w_msa",))))
    assert match_cost(wide, small).variant == match_cost(wide, cost).variant
    assert set(match_cost(wide, Cost(macs=cost.macs)).residuals) == {"macs"}


def test_the_mlp_ratio_meets_what_widths_cannot():
    narrow = Variant((8, 8), 1, 10, 2, 2, 4.0, (Stage(16, 2, 2, ("w_msa",)),))
    target = round(count_cost(narrow).macs * 1.15)
    with pytest.raises(InputError, match="or let mlp_ratio move"):
        match_cost(narrow, target, fields=["width"])
    found = match_cost(narrow, target)
    assert found.variant.stages == narrow.stages
    assert found.adjuster == f"MLP ratio 4 to {found.variant.mlp_ratio:g}"
    assert abs(found.residuals["macs"]) <= 0.01


def test_only_what_may_move_moves():
    found = match_cost(DIGITS, 165_000, "parameters", fields=["mlp_ratio"])
    assert found.variant.stages == DIGITS.stages
    assert found.variant.mlp_ratio > 4
    with pytest.raises(InputError, match="changing nothing reaches from"):
        match_cost(DIGITS, 150_000, "parameters", fields=[])


def test_the_adjuster_names_what_moved():
    before, after = published("swin_t"), published("hybrid_mdta_t")
    said = changes(before, replace(after, mlp_ratio=3.5))
    assert said == (
        "widths 96-192-384-768 to "
        + "-".join(str(s.width) for s in after.stages)
        + ", heads 3-6-12-24 to "
        + "-".join(str(s.num_heads) for s in after.stages)
        + ", MLP ratio 4 to 3.5"
    )


def test_odd_heads_are_mended_where_widths_move():
    odd = Variant((32, 32), stages=(Stage(36, 2, 3, ("w_msa",)), Stage(60, 2, 3, ("w_msa",))))
    found = match_cost(odd, 500_000, "parameters")
    assert all(s.width // s.num_heads % 8 == 0 for s in found.variant.stages)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_reachable_is_reached(seed):
    """Targets far apart, on networks of one to four stages."""
    stages = [Stage(w, 2, h, (word,)) for w, h, word in (
        (32, 2, "w_msa"), (48, 2, "conv+w_msa"), (96, 4, "w_msa+mdta:gate"), (160, 5, "mdta"),
    )]  # fmt: skip
    variant = Variant((32, 32), 3, 10, 1, 4, 3.0, stages[: seed % 4 + 1])
    for by in COSTS:
        for factor in (0.6, 0.97, 2.5, 10):
            target = getattr(count_cost(variant), by) * factor * 1.01**seed
            found = match_cost(variant, target, by)
            assert abs(found.residuals[by]) <= 0.01
            assert found == match_cost(variant, target, by)


def test_what_lies_between_the_steps_is_refused_with_the_nearest():
    tiny = Variant((8, 8), 1, 10, 1, 4, 3.0, (Stage(16, 2, 2, ("w_msa",)),))
    with pytest.raises(InputError, match=r"nearest has .* allow a larger tolerance$") as caught:
        match_cost(tiny, 3_300, "parameters")
    nearest = int(str(caught.value).split("nearest has ")[1].split(" ")[0].replace(",", ""))
    found = match_cost(tiny, nearest, "parameters")
    assert found.cost.parameters == nearest
    assert 1.5 <= found.variant.mlp_ratio <= 6


@pytest.mark.parametrize("target", [1, 10**15])
def test_a_target_out_of_reach_is_refused_with_the_ends(target):
    with pytest.raises(InputError) as caught:
        match_cost(DIGITS, target, "parameters")
    message = str(caught.value)
    assert "widths and the MLP ratio reaches from" in message
    least, most = (
        int(word.replace(",", "").rstrip(";"))
        for word in message.split("reaches from ")[1].split("; ")[0].split(" to ")
    )
    for reachable in (least, most):
        assert match_cost(DIGITS, reachable, "parameters").cost.parameters == reachable
    assert not least <= target <= most


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "mac"}, "unknown cost 'mac'; did you mean 'macs'"),
        ({"fields": ["widths"]}, "unknown field to match by 'widths'; did you mean 'width'"),
        ({"to": 0}, "must be a number above 0; got 0"),
        ({"to": math.nan}, "must be a number above 0; got nan"),
        (
            {"tolerance": -0.1},
            "as in 0.01, must be a number of at least 0 and at most 10; got -0.1",
        ),
        ({"to": "2M"}, "must be a number above 0; got '2M'"),
        ({"to": Cost(5, 0, 5)}, "the macs to match must be a number above 0; got 0"),
    ],
)
def test_what_cannot_be_matched_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        match_cost(DIGITS, **{"to": 10**6, **arguments})


def test_windows_of_two_sides_are_kept():
    oblong = replace(DIGITS, window_size=(1, 4))
    found = match_cost(oblong, count_cost(DIGITS).macs * 2, "macs", tolerance=0.05)
    assert found.variant.window_size == (1, 4) and found.cost == count_cost(found.variant)


def test_an_mlp_ratio_at_its_limit_is_taken_where_it_is_near_enough():
    stage = {"width": 32, "depth": 1, "num_heads": 4, "blocks": ["w_msa"]}
    plain = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2}
    plain |= {"window_size": 2, "mlp_ratio": 2.0}
    target = Variant.from_dict({**plain, "stages": [stage]})
    words = {**stage, "blocks": ["w_msa+mdta(attention=false)"]}
    found = match_cost(Variant.from_dict({**plain, "stages": [words]}), target, tolerance=0.01)
    assert found.variant.mlp_ratio in (1.0, 4.0)
    assert -0.01 <= found.residuals["macs"] < 0  # the limit leaves a rest
