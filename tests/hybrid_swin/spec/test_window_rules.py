"""Rules by which windows lie on a map, and the blocks that follow them."""

import pytest
import torch
from transformers import SwinConfig
from transformers.models.swin.modeling_swin import SwinLayer

from hybrid_swin.cost import mixer_cost
from hybrid_swin.inspection.measures.attention import layout_of
from hybrid_swin.network.branches.sw_msa import SWMSA
from hybrid_swin.network.branches.w_msa import WMSA
from hybrid_swin.spec.block_words import parse, window_layout
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import lay_windows


def test_a_window_is_never_larger_than_the_map():
    assert lay_windows((14, 14), (7, 7)).window == (7, 7)
    assert lay_windows((3, 14), (7, 7)).window == (3, 7)
    assert lay_windows((1, 1), (4, 2)).window == (1, 1)


@pytest.mark.parametrize(
    ("small_map", "size", "window", "padded"),
    [
        ("square", (3, 14), (3, 3), (3, 15)),
        ("square", (8, 14), (7, 7), (14, 14)),
        ("pad", (3, 14), (7, 7), (7, 14)),
        ("pad", (3, 4), (7, 7), (7, 7)),
        ("shrink", (3, 8), (3, 7), (3, 14)),
    ],
)
def test_a_small_map_has_three_rules(small_map, size, window, padded):
    laid = lay_windows(size, (7, 7), small_map)
    assert (laid.window, laid.padded) == (window, padded)


@pytest.mark.parametrize(
    ("small_map", "size", "window"),
    [
        ("square", (9, 9), (7, 9)),  # it is not smaller
        ("square", (7, 8), (7, 7)),
        ("square", (5, 20), (5, 5)),
        ("shrink", (5, 20), (5, 9)),
        ("pad", (5, 20), (7, 9)),
    ],
)
def test_the_rules_for_windows_of_two_sides(small_map, size, window):
    assert lay_windows(size, (7, 9), small_map).window == window


@pytest.mark.parametrize(
    ("size", "axis", "whole", "always"),
    [
        ((8, 8), (2, 2), (2, 2), (2, 2)),
        ((4, 5), (0, 2), (0, 0), (2, 2)),
        ((4, 4), (0, 0), (0, 0), (2, 2)),
        ((3, 9), (0, 2), (0, 0), (1, 2)),
    ],
)
def test_shifts_have_three_rules(size, axis, whole, always):
    for rule, shift in (("axis", axis), ("map", whole), ("always", always), ("none", (0, 0))):
        assert lay_windows(size, (4, 4), shift=rule).shift == shift
    assert lay_windows((5, 5), (1, 1), shift="axis").shift == (0, 0)


@pytest.mark.parametrize(
    ("nominal", "size", "window", "shift", "padded"),
    [
        ((8, 8), (3, 9), (4, 4), (2, 2), (4, 12)),  # shifted where one window covers the map
        ((4, 8), (9, 9), (4, 4), (0, 2), (12, 12)),  # and not where several do
        ((3, 8), (9, 2), (3, 4), (0, 2), (9, 4)),
        ((2, 2), (8, 8), (2, 2), (0, 0), (8, 8)),
    ],
)
def test_the_nominal_map_may_fix_windows_and_shifts(nominal, size, window, shift, padded):
    """timm works both out when a network is made, whatever images come later."""
    laid = lay_windows(size, (4, 4), "fixed", "fixed", "bare", nominal)
    assert (laid.window, laid.shift, laid.padded) == (window, shift, padded)
    part = parse("sw_msa(small_map=fixed;shift=fixed;roll=bare)").branches[0]
    module = SWMSA(6, 2, 4, nominal, **part.kwargs)
    assert module.lay(size) == window_layout(part, nominal, 4, size) == laid
    assert module.lay(nominal) == SWMSA(6, 2, 4, nominal, roll="bare").lay(nominal)
    module.resize(4, (8, 8))
    assert module.lay((8, 8)).shift == (2, 2)


def test_sizes_are_rounded_up_to_whole_windows():
    assert lay_windows((8, 8), (4, 4)).padded == (8, 8)
    assert lay_windows((9, 1), (4, 3)).padded == (12, 1)
    assert lay_windows((7, 13), (7, 7)).padded == (7, 14)


def test_the_order_of_padding_and_rolling_counts_where_an_axis_has_both():
    for size, same in (
        ((8, 8), True),
        ((9, 9), False),
        ((4, 8), True),
        ((4, 9), False),
        ((6, 8), True),
    ):
        first, last = (lay_windows(size, (4, 4), shift="axis", roll=r) for r in ("padded", "bare"))
        assert (first == last) is same and first.pads_first
    assert lay_windows((9, 9), (4, 4), roll="bare").pads_first  # nothing is rolled


@pytest.mark.parametrize("size", [(6, 6), (6, 8), (10, 4), (7, 6), (9, 6)])
def test_the_order_counts_only_where_it_is_said_to(size):
    torch.manual_seed(0)
    first, last = SWMSA(6, 2, 4, size), SWMSA(6, 2, 4, size, roll="bare")
    last.load_state_dict(first.state_dict())
    x = torch.randn(1, *size, 6)
    with torch.no_grad():
        assert torch.allclose(first(x), last(x), atol=1e-6) is last.lay(size).pads_first


# Blocks


@pytest.mark.parametrize("size", [(4, 8), (8, 8), (4, 4), (5, 9), (9, 4), (5, 4)])
@pytest.mark.parametrize("always", [False, True])
def test_a_shifted_attention_is_that_of_transformers(size, always):
    torch.manual_seed(0)
    theirs = SwinLayer(SwinConfig(window_size=4), 12, size, 3, shift_size=2).eval().double()
    rules = {"shift": "always", "small_map": "pad"} if always else {"shift": "map"}
    ours = SWMSA(12, 3, 4, size, **rules).eval().double()
    inner = theirs.attention
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_()
        parts = [inner.q_proj, inner.k_proj, inner.v_proj]
        ours.qkv.weight.copy_(torch.cat([p.weight for p in parts]))
        ours.qkv.bias.copy_(torch.cat([p.bias for p in parts]))
        ours.proj.load_state_dict(inner.o_proj.state_dict())
        table = inner.relative_position_bias.relative_position_bias_table
        ours.relative_position_bias_table.copy_(table)
        x = torch.randn(2, *size, 12, dtype=torch.double)
        whole = theirs(x.flatten(1, 2), size, always_partition=always)[0].view_as(x)
        mixed = x + ours(theirs.layernorm_before(x))
        expected = mixed + theirs.mlp(theirs.layernorm_after(mixed))
    # Their softmax is in single precision.
    torch.testing.assert_close(whole, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [(9, 9), (4, 9), (8, 8), (10, 6)])
def test_the_bare_map_is_rolled_and_then_padded(size):
    """By hand: the map that is rolled by the caller, in windows that are not, but masked."""
    torch.manual_seed(0)
    bare, plain = SWMSA(6, 2, 4, size, roll="bare"), WMSA(6, 2, 4, size)
    plain.load_state_dict(bare.state_dict())
    x = torch.randn(1, *size, 6)
    shift = bare.lay(size).shift
    rolled = x.roll((-shift[0], -shift[1]), (1, 2))
    with torch.no_grad():
        out = bare(x).roll((-shift[0], -shift[1]), (1, 2))
        # All windows but the last along each axis hold one region, so they attend as they are.
        height, width = (
            whole - 4 if s > 4 else s for whole, s in zip(bare.lay(size).padded, size, strict=True)
        )
        torch.testing.assert_close(out[:, :height, :width], plain(rolled)[:, :height, :width])
    layout = layout_of(bare, size)
    assert int(layout.real.sum()) == size[0] * size[1]


def test_padding_is_masked_where_it_lies():
    torch.manual_seed(0)
    x = torch.randn(1, 5, 6, 6)
    with torch.no_grad():
        for options in ({"roll": "bare"}, {"small_map": "pad"}, {"shift": "always"}):
            module = SWMSA(6, 2, 4, (5, 6), mask_padding=True, **options)
            module.qkv.bias.copy_(torch.randn(18))
            before = module(x)
            # What padding would say: a bias of keys and values, which only padding consists of.
            hot = SWMSA(6, 2, 4, (5, 6), **options)
            hot.load_state_dict(module.state_dict())
            assert not torch.allclose(hot(x), before)
            real = layout_of(module, (5, 6)).real
            assert int(real.sum()) == 30 and not bool(real.all())


def test_options_that_change_nothing_on_the_map_are_no_other_network():
    def variant(word, size):
        return Variant(size, 1, 2, 1, 4, 1, [Stage(6, 1, 2, (word,))])

    def same(one, other, size):
        return variant(one, size).id == variant(other, size).id

    assert same("sw_msa(shift=map)", "sw_msa", (8, 8))
    assert same("sw_msa(shift=map)", "w_msa", (4, 8)) and not same("sw_msa", "w_msa", (4, 8))
    assert same("sw_msa(shift=always)", "sw_msa", (8, 9))
    assert not same("sw_msa(shift=always)", "w_msa", (4, 4))
    assert same("sw_msa(roll=bare)", "sw_msa", (8, 8))
    assert not same("sw_msa(roll=bare)", "sw_msa", (9, 8))
    assert same("w_msa(small_map=pad)", "w_msa", (4, 9))
    assert not same("w_msa(small_map=pad)", "w_msa", (3, 9))
    assert same("w_msa(small_map=square)", "w_msa", (3, 3))
    assert not same("w_msa(small_map=square)", "w_msa", (3, 4))
    assert same("sw_msa(small_map=pad;shift=map;roll=bare)", "w_msa(small_map=pad)", (3, 9))
    assert same("sw_msa(roll=bare)+conv", "w_msa+conv", (4, 4))
    assert same("sw_msa(small_map=fixed;shift=fixed)", "sw_msa", (3, 9))
    assert same("grid(small_map=pad)", "w_msa(small_map=pad)", (3, 4))


def test_padding_to_the_window_costs_what_it_computes():
    pad, shrink = (
        mixer_cost(parse(word), 6, 2, 7, (4, 4)) for word in ("w_msa(small_map=pad)", "w_msa")
    )
    assert pad.parameters - shrink.parameters == (169 - 49) * 2
    assert pad.macs > 2 * shrink.macs
    assert mixer_cost(parse("sw_msa(shift=always;roll=bare)"), 6, 2, 4, (9, 9)) == mixer_cost(
        parse("sw_msa"), 6, 2, 4, (9, 9)
    )
