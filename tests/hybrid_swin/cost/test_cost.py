"""Closed forms against counting, for whole networks."""

import itertools

import pytest
import torch

from hybrid_swin.cost import Cost, count_cost, depthwise, layer_norm, linear, mixer_cost
from hybrid_swin.cost.counting import counted_cost
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

WORDS = (
    ("w_msa", "sw_msa"),
    ("w_msa+mdta",),
    ("conv(kernel=5)+w_msa:gate", "identity"),
    ("conv+mdta+sw_msa:split",),
    ("w_msa+mdta(attention=false):concat", "pointwise(ratio=1.3)"),
)


def variants():
    """Sizes that divide and that do not, one to three stages, patches of 1, 2 and 4."""
    words = itertools.cycle(WORDS)
    for patch, size, count in itertools.product(
        (1, 2, 4), ((16, 16), (13, 9), (7, 22), (5, 5)), (1, 2, 3)
    ):
        if -(-max(size) // patch) < 2 ** (count - 1):
            continue
        stages = [Stage(w, 2, h, next(words)) for w, h in ((12, 3), (24, 4), (30, 5))[:count]]
        yield Variant(size, 3, 7, patch, 4, 2.3, stages)


@pytest.mark.parametrize("variant", list(variants()), ids=lambda v: f"{v.grids}/{v.patch_size}")
def test_a_network_costs_what_is_counted(variant):
    counted = counted_cost(HybridSwin(variant), (variant.in_channels, *variant.image_size))
    assert count_cost(variant) == counted


@pytest.mark.parametrize("window", [(2, 5), (6, 3), (8, 4)])
def test_a_network_with_windows_of_two_sides_costs_what_is_counted(window):
    words = ("sw_msa", "grid+mdta:gate", "conv+w_msa:cross(padding=both)", "w_msa+xca:split")
    stages = [Stage(12, 4, 3, words), Stage(24, 4, 4, words, window_size=window[::-1])]
    variant = Variant((13, 18), 3, 7, 1, window, 2.0, stages)
    assert count_cost(variant) == counted_cost(HybridSwin(variant), (3, 13, 18))


@pytest.mark.parametrize("merging_norm", ["pre", "post"])
@pytest.mark.parametrize("merging", ["linear", "conv", "pool"])
def test_merging_costs_what_is_counted(merging_norm, merging):
    stages = [Stage(w, 1, 2, ("conv",)) for w in (8, 12, 30)]
    fields = {"merging_norm": merging_norm, "merging": merging, "layer_scale": 1e-5}
    variant = Variant((13, 9), 3, 7, 2, 4, 2.3, stages, **fields)
    assert count_cost(variant) == counted_cost(HybridSwin(variant), (3, 13, 9))


@pytest.mark.parametrize("patch_size", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(16, 16), (13, 21)])
def test_a_stem_of_convolutions_costs_what_is_counted(patch_size, size):
    stages = [Stage(10, 1, 2, ("conv",))]
    variant = Variant(size, 2, 7, patch_size, 4, 2.3, stages, stem="conv")
    assert count_cost(variant) == counted_cost(HybridSwin(variant), (2, *size))


def test_all_of_these_were_tried():
    found = list(variants())
    assert len(found) > 25
    assert {len(v.stages) for v in found} == {1, 2, 3}
    assert {tuple(s.blocks) for v in found for s in v.stages} == set(WORDS)


def test_a_network_without_a_head_and_one_channel():
    variant = Variant((8, 8), 1, 0, 2, 2, 4, [Stage(8, 1, 2, ("w_msa",))])
    assert count_cost(variant) == counted_cost(HybridSwin(variant), (1, 8, 8))


def test_costs_add():
    assert Cost(1, 2, 3) + Cost(10, 20, 30) == Cost(11, 22, 33)
    assert Cost(1, 2, 3) * 4 == Cost(4, 8, 12)
    assert Cost(10, 20, 30) - Cost(1, 2, 3) == Cost(9, 18, 27)
    assert Cost(3, 1, 5).relative_to(Cost(2, 4, 0)) == {"parameters": 0.5, "macs": -0.75}
    assert Cost(1, 2, 3).to_dict() == {"parameters": 1, "macs": 2, "activations": 3}


def test_layers_cost_what_torch_builds():
    assert linear(6, 3, 5) == counted_cost(torch.nn.Linear(3, 5), (6, 3))
    assert linear(6, 3, 5, bias=False) == counted_cost(torch.nn.Linear(3, 5, bias=False), (6, 3))
    for bias in (True, False):
        conv = torch.nn.Conv2d(4, 4, 5, padding=2, groups=4, bias=bias)
        assert depthwise(30, 4, 5, bias) == counted_cost(conv, (4, 6, 5))
    assert layer_norm(7).parameters == sum(p.numel() for p in torch.nn.LayerNorm(7).parameters())


def test_a_fusion_that_is_not_named_costs_what_the_default_does():
    grid = (8, 8)
    named, unnamed = (mixer_cost(parse(w), 32, 4, 4, grid) for w in ("conv+mdta:sum", "conv+mdta"))
    assert named == unnamed
    parts = [mixer_cost(parse(w), 32, 4, 4, grid) for w in ("conv", "mdta")]
    assert unnamed == parts[0] + parts[1]


def test_a_fusion_sees_its_branches_in_their_order():
    """Branches of different cost must not be mixed up by the makers."""
    narrow, wide = (
        mixer_cost(parse(f"conv+w_msa:split(ratio={ratio})"), 32, 4, 4, (8, 8))
        for ratio in ("1-3", "3-1")
    )
    assert narrow.parameters > wide.parameters  # attention has the more channels, and the more cost


def test_counting_leaves_the_module_as_it_is():
    module = torch.nn.Linear(3, 5).train()
    before = module.weight.clone()
    counted_cost(module, (3,))
    assert module.training
    assert module.weight.device.type == "cpu"
    assert torch.equal(module.weight, before)
