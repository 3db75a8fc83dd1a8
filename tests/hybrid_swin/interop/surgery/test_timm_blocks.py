"""What is particular to timm's blocks, on a double."""

import pytest
import torch
from torch import nn

import hybrid_swin as hs
from hybrid_swin.errors import InputError


@torch.no_grad()
def run(model, x):
    return model(x)


def hows(replacement):
    return [block.how for block in replacement.blocks]


def is_same(replacement):
    return set(hows(replacement)) <= {"taken", "identity start"}


def test_windows_that_do_not_divide_are_rolled_before_they_are_padded_as_in_timm(make):
    model, x = make("timm", grid=(15, 16))
    x = x[:, :, :15]
    before = run(model, x)
    replacement = hs.replace_blocks(model, "w_msa", stage=0)
    assert hows(replacement) == ["taken", "taken"]
    assert replacement.blocks[1].word == "sw_msa(roll=bare;shift=fixed;small_map=fixed)"
    assert torch.allclose(run(model, x), before, atol=1e-5)
    replacement.undo()
    replacement = hs.replace_blocks(model, "sw_msa", stage=0, blocks=[1], shift="word")
    assert hows(replacement) == ["changed"]
    assert "sw_msa where the block had sw_msa(roll=bare" in str(replacement)
    assert not torch.allclose(run(model, x), before, atol=1e-4)


@pytest.mark.parametrize("size", [(2, 6), (10, 6), (13, 22)])
@pytest.mark.parametrize("grid", [(16, 16), (4, 8)])
def test_on_other_sizes_windows_stay_those_of_timms_own_size(grid, size, make):
    model, x = make("timm", grid=grid)
    x = torch.randn(2, x.shape[1], *size)
    before = run(model, x)
    for stage in (0, 1):
        assert is_same(hs.replace_blocks(model, "w_msa+conv", stage=stage))
    assert torch.allclose(run(model, x), before, atol=1e-5)


def test_a_timm_block_that_always_partitions_is_kept(make):
    model, x = make("timm", window=(8, 8), always_partition=True)
    before = run(model, x)
    replacement = hs.replace_blocks(model, "w_msa", stage=1)
    assert hows(replacement) == ["taken", "taken", "taken"]
    assert torch.allclose(run(model, x), before, atol=1e-5)


def test_a_shift_that_no_rule_gives_is_said_to_change(make):
    model, x = make("timm")
    block = model.layers[0].blocks[1]
    block.shift_size = (1, 2)
    before = run(model, x)
    replacement = hs.replace_blocks(model, "w_msa", stage=0)
    assert hows(replacement) == ["taken", "changed"]
    assert "its windows of 4x4 are shifted by 1x2" in str(replacement)
    assert not torch.allclose(run(model, x), before, atol=1e-4)


def test_another_scale_of_the_queries_is_said_to_change(make):
    model, _ = make("timm")
    model.layers[0].blocks[0].attn.scale = 0.5
    model.layers[0].blocks[1].attn.scale = 8**-0.5
    replacement = hs.replace_blocks(model, "w_msa", stage=0)
    assert hows(replacement) == ["changed", "taken"]
    assert "its queries are scaled by 0.5, ours by 0.353553" in str(replacement)


def test_timm_windows_cut_by_an_oblong_map_are_kept(make):
    model, x = make("timm", grid=(4, 16), window=(8, 8))
    x = x[:, :, :4]
    before = run(model, x)
    assert is_same(hs.replace_blocks(model, stage=0))
    assert torch.allclose(run(model, x), before, atol=1e-5)


@pytest.mark.parametrize("always_partition", [False, True])
def test_timm_windows_of_two_sides_are_kept(make, always_partition):
    model, x = make("timm", grid=(15, 12), window=(8, 3), always_partition=always_partition)
    x = x[:, :, :15, :12]
    before = run(model, x)
    for stage in range(2):
        assert is_same(hs.replace_blocks(model, stage=stage))
    assert torch.allclose(run(model, x), before, atol=1e-5)
    mixer = model.layers[0].blocks[1].attn.branches[1]
    assert mixer.window == (8, 3) and mixer.lay((15, 12)).shift == (4, 1)


def test_an_attention_without_query_bias_is_taken(make):
    model, x = make("timm", qkv_bias=False)
    before = run(model, x)
    hs.replace_blocks(model, stage=1)
    assert torch.allclose(run(model, x), before, atol=1e-5)


def test_what_features_only_makes_of_a_timm_swin(make):
    model, x = make("timm")
    flat = nn.Sequential()
    flat.patch_embed = model.patch_embed
    for index, layer in enumerate(model.layers):
        flat.add_module(f"layers_{index}", layer)
    before = run(model, x)
    replacement = hs.replace_blocks(flat, stage=1)
    assert replacement.blocks[0].name == "layers_1.blocks.0"
    assert torch.allclose(run(model, x), before, atol=1e-5)


def test_dropout_beside_the_attention_stays_and_what_is_left_out_is_said(make):
    model, _ = make("timm")
    block = model.layers[0].blocks[0]
    block.attn.attn_drop.p, drop = 0.1, block.attn.proj_drop
    replacement = hs.replace_blocks(model, stage=0)
    assert model.layers[0].blocks[0].proj_drop is drop
    assert model.layers[0].blocks[0].drop_path1 is block.drop_path1
    assert "dropout of attention weights (0.1) is left out" in replacement.blocks[0].why
    assert not replacement.blocks[1].why


def test_other_windows_in_a_replaced_timm_block_are_refused(make):
    model, _ = make("timm")
    hs.replace_blocks(model, stage=0)
    with pytest.raises(InputError, match=r"call undo\(\)"):
        model.layers[0].blocks[0].set_input_size((8, 8), (2, 2))


def test_what_was_put_around_a_linear_is_refused(make):
    model, _ = make("timm")
    block = model.layers[0].blocks[1]
    block.attn.qkv = nn.Sequential(block.attn.qkv)
    with pytest.raises(InputError, match="has a Sequential where Swin has a Linear"):
        hs.replace_blocks(model, stage=0)


def test_heads_of_another_width_are_refused(make):
    model, _ = make("timm")
    model.layers[0].blocks[0].attn.qkv = nn.Linear(16, 6 * 16)
    with pytest.raises(InputError, match="heads together have 32 channels where the block has 16"):
        hs.replace_blocks(model, stage=0)
