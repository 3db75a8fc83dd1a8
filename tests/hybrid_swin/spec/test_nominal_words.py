"""What does not count on the nominal maps: such networks compute the same, and have one id."""

from pathlib import Path

import pytest
import torch

from hybrid_swin import HybridSwin, Stage, Variant
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.nominal_words import word_on_map

CONFIGS = Path(__file__).parents[3] / "configs" / "variants"


def of(word, size=8, window=4, heads=4, **fields):
    """One stage; a map of as many tokens per side as the image has pixels."""
    stage = Stage(16, 1, heads, (word,), **fields)
    return Variant(size, 1, 3, 1, window, 2, [stage])


def on_map(word, side=4, window=4, heads=4):
    return str(word_on_map(parse(word).canonical(), (side, side), window, heads))


def test_shifting_is_dropped_where_there_is_nothing_to_shift():
    assert on_map("sw_msa+mdta") == "mdta+w_msa:sum"
    assert on_map("sw_msa+mdta", 5) == str(parse("sw_msa+mdta").canonical()) == "mdta+sw_msa:sum"
    assert on_map("sw_msa") == "w_msa"
    assert on_map("sw_msa+pointwise:split(ratio=3-1)") == "pointwise+w_msa:split(ratio=1-3)"


NEITHER = "attention=false"
MASKED = "w_msa(mask_padding=true)"
EQUAL = [
    ("w_msa(mask_padding=true)", "w_msa", {}),
    ("sw_msa(mask_padding=true)", "sw_msa", {}),
    ("grid(mask_padding=true)", "grid", {}),
    ("w_msa(mask_padding=true)", "w_msa", {"window": 9}),  # which shrinks to the map
    ("conv+w_msa:split(ratio=2-2)", "conv+w_msa:split", {}),
    ("conv+w_msa:split(ratio=1-1)", "conv+w_msa:split(ratio=equal)", {}),
    ("conv+w_msa:split(ratio=2-6)", "conv+w_msa:split(ratio=1-3)", {}),
    ("conv+w_msa:split(ratio=1-3)", "conv+w_msa:split(ratio=1-2)", {"heads": 2}),
    ("conv+w_msa+mdta:split(ratio=2-1-1)", "conv+w_msa+mdta:split", {}),
    ("conv+w_msa:cross(padding=both)", "conv+w_msa:cross", {}),
    ("conv+w_msa:cross(padding=both)", "conv+w_msa:cross", {"window": 9}),
    ("conv+mdta:cross(padding=both)", "conv+mdta:cross", {"window": 3}),
    (f"conv+{MASKED}:cross(padding=both)", f"conv+{MASKED}:cross", {"window": 3}),
    ("pooled(pool=8)", "pooled(pool=7)", {"size": 7}),
    ("pooled(pool=4)", "pooled", {"size": 2}),
    ("overlap(overlap=0)", "w_msa", {}),
    ("overlap(mask_padding=true;overlap=0)", MASKED, {"window": 3}),
    ("overlap(overlap=0.25)", "overlap", {}),
    ("deform(offsets=fixed;kernel=7;groups=2;offset_range=4)", "deform(offsets=fixed)", {}),
    ("overlap(overlap=1)", "overlap", {"window": 2}),
    ("overlap(mask_padding=true)", "overlap", {"window": 9}),
    ("agent(agents=9)", "agent(agents=8)", {}),
    ("agent(agents=4)", "agent", {"size": 4}),
    ("agent(agents=9;attention=false)", "agent(attention=false)", {}),
    ("linear(attention=false;rotary=true)", "linear(attention=false)", {}),
    ("linear(rotary=true)", "linear", {"size": 1}),
    ("agent(attention=false)", "linear(attention=false)", {}),
    ("agent(agents=2;attention=false)+mdta", "linear(attention=false)+mdta", {}),
    (f"stripes({NEITHER};positions=false)", f"linear({NEITHER};depthwise=false)", {}),
    (f"routing({NEITHER};depthwise=false)", f"agent({NEITHER};depthwise=false)", {}),
    ("routing(attention=false;topk=2)", "routing(attention=false;regions=2)", {}),
    ("routing(regions=5)", "routing(regions=4)", {}),  # of 2 x 2 tokens
    ("routing(topk=64)", "routing(regions=2)", {}),
    ("routing(topk=9)", "routing", {"size": 2}),
    ("grid", "w_msa", {"window": 1}),
    ("grid(bias=continuous;pretrained_window_size=3)", "w_msa(bias=continuous)", {"window": 1}),
]
DIFFERENT = [
    ("w_msa(mask_padding=true)", "w_msa", {"window": 3}),
    ("w_msa(mask_padding=true)", "w_msa", {"size": (8, 6)}),
    ("conv+w_msa:split(ratio=1-3)", "conv+w_msa:split", {}),
    ("conv+w_msa:split(ratio=1-3)", "conv+w_msa:split(ratio=3-1)", {}),
    ("conv+w_msa:split(ratio=1-3)", "conv+w_msa:split(ratio=1-2)", {"heads": 4}),
    ("conv+w_msa:cross(padding=both)", "conv+w_msa:cross", {"window": 3}),
    ("pooled(pool=8)", "pooled(pool=7)", {"size": (8, 7)}),
    ("agent(agents=8)", "agent", {}),
    ("agent(agents=4)", "agent(agents=3)", {"size": (2, 4)}),
    ("linear(depthwise=false;rotary=true)", "linear(depthwise=false)", {}),
    ("grid", "w_msa", {"window": 2}),
    ("stripes(attention=false)", "linear(attention=false)", {}),
    ("routing(attention=false)", "linear(attention=false)", {}),
    ("routing(regions=4)", "routing(regions=3)", {}),
    ("routing(topk=3)", "routing(topk=2)", {}),
    ("overlap(overlap=1)", "overlap", {}),
    ("overlap(mask_padding=true)", "overlap", {}),
]


@torch.no_grad()
def logits(variant):
    network = HybridSwin(variant).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return network(torch.randn(2, 1, *variant.image_size, generator=generator))


def are_one(first, second):
    """Whether networks with the same weights give the same, by the networks themselves."""
    outs = logits(first), logits(second)
    return torch.allclose(*outs, rtol=1e-4, atol=1e-4 * float(outs[0].abs().max()))


@pytest.mark.parametrize(("one", "other", "fields"), EQUAL)
def test_equal_networks_have_one_id(one, other, fields):
    first, second = of(one, **fields), of(other, **fields)
    assert are_one(first, second) and first.id == second.id


@pytest.mark.parametrize(("one", "other", "fields"), DIFFERENT)
def test_networks_that_differ_have_two(one, other, fields):
    first, second = of(one, **fields), of(other, **fields)
    assert not are_one(first, second) and first.id != second.id


def stages(window, *windows, size=8, word="w_msa", **fields):
    made = [Stage(16, 1, 4, (word,), window_size=own) for own in windows]
    return Variant(size, 1, 3, 1, window, 2, made, **fields)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (of("w_msa", window=9), of("w_msa", window=8)),
        (of("sw_msa", window=(9, 12)), of("grid", window=8)),
        (of("w_msa(small_map=square)", (4, 8), 8), of("w_msa", (4, 8), 4)),
        (of("conv", window=9), of("conv", window=2)),
        (of("conv", window_size=3), of("conv")),
        (stages(8, None, None), stages(8, None, 4)),  # of a map of 4 x 4
        (stages(4, 8, None), stages(8, None, 4)),
        (stages(4, None, 2), stages(2, 4, None)),
        (stages(9, 2, None), stages(2, None, 9)),
        (stages(2, None, None, 1), stages(1, 2, 2, None)),
    ],
)
def test_windows_count_as_they_lie_on_the_map(one, other):
    assert one != other and are_one(one, other) and one.id == other.id


def test_windows_that_do_not_shrink_count():
    padding = "w_msa(small_map=pad)"
    assert of(padding, window=9).id not in (of(padding, window=8).id, of("w_msa", window=9).id)
    assert of(padding, window=8).id == of("w_msa", window=8).id
    distinct = [stages(8, 4, 4), stages(8, 4, 2), stages(8, 8, 2), stages(4, 2, 4), stages(8, 8, 8)]
    assert len({variant.id for variant in distinct}) == 5
    mixed = "w_msa(small_map=square)+w_msa:sum"  # of 4x4 and of 4x8, then of 4x4 and 4x4
    assert of(mixed, (4, 8), 9).id == of(mixed, (4, 8), 8).id != of(mixed, (4, 8), 4).id


PUBLISHED = {
    "swin_t": "e0286c0ccf",
    "s3_t": "d51133e511",  # with windows of three sizes
    "swin_v2_t": "15a1f15ada",
    "hybrid_t": "ae3aa14906",
    "davit_like_t": "c7c14cacc7",
    "mixformer_like_b4": "48cd4f0689",
    "cswin_like_t": "39d209f587",
    "coatnet_like_0": "435c328aa6",
    "cct_like_7": "1d7ba394a5",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_ids_of_published_networks_stay(name):
    assert Variant.from_yaml(CONFIGS / f"{name}.yaml").id == PUBLISHED[name]


def test_of_plugins_nothing_is_dropped(write_plugin):
    registry.add_plugin(write_plugin("average"))
    for word in ("average", "average+w_msa"):
        assert of(word, window=9).id != of(word, window=8).id
        assert of(word, window_size=4).id == of(word).id
    masked = on_map("average+w_msa(mask_padding=true)")
    assert masked == "average+w_msa:sum"  # of the branch beside it


def test_branches_are_sorted_again_where_the_fusion_treats_them_alike():
    assert on_map("grid+mdta:gate") == "mdta+w_msa:gate"
    assert on_map("grid+mdta:split(ratio=1-3)") == "mdta+w_msa:split(ratio=3-1)"
    assert on_map("grid+mdta:cross") == "grid+mdta:cross"
    assert on_map("grid+mdta:cascade") == "w_msa+mdta:cascade"
