from dataclasses import replace

import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.filling.mixers import MixerSource, plan_mixer
from hybrid_swin.network.block import build_mixer
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.resizing import resize_table
from hybrid_swin.spec.block_words import parse

DIM, HEADS, WINDOW, GRID = 24, 3, 4, (8, 8)


def mixer(word, *, heads=HEADS, window=WINDOW, grid=GRID, normed=False, seed=0):
    torch.manual_seed(seed)
    word = parse(word).canonical()
    return build_mixer(word, DIM, heads, window, grid, normed), word


def source(word, kind="", certain=True, **sizes):
    weights = mixer(word, seed=1, **sizes)[0].state_dict()
    return MixerSource(weights, kind or str(parse(word).canonical()), certain)


def plan(word, given, **sizes):
    module, parsed = mixer(word, **sizes)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    made = plan_mixer(module, parsed, given)
    assert all(torch.equal(t, before[n]) for n, t in module.state_dict().items())  # not touched
    assert set(made.values) <= set(before)
    assert all(made.values[n].shape == before[n].shape for n in made.values)
    return made


# Attention without position bias


@pytest.mark.parametrize(
    ("word", "theirs"),
    [
        ("w_msa(bias=none)", "sw_msa"),
        ("conv+w_msa(bias=none)", "w_msa"),
        ("conv+w_msa(bias=none):gate", "conv+w_msa:gate"),
    ],
)
def test_a_table_has_no_place_where_there_is_no_bias(word, theirs):
    given = source(theirs)
    made = plan(word, given)
    assert made.how == ("taken" if "+" not in word or "+" in theirs else "identity start")
    left = [name for name in given.weights if not made.takes(name)]
    assert [name.rpartition(".")[2] for name in left] == ["relative_position_bias_table"]


def test_other_branches_do_not_take_an_attention_for_lack_of_a_table():
    """Their weights have the names and shapes of an attention's without its table."""
    for word in ("channel_group", "linear(depthwise=false)"):
        assert mixer(word)[0].state_dict().keys() < source("w_msa").weights.keys()
        assert plan(word, MixerSource(source("w_msa").weights)).how == "fresh"


def test_what_never_had_a_table_is_not_damaged():
    assert plan("w_msa", source("w_msa(bias=none)")).how == "fresh"
    with pytest.raises(InputError, match="the attention has no relative_position_bias_table"):
        plan("w_msa", source("w_msa(bias=none)", kind="w_msa"))


# The same mixer


@pytest.mark.parametrize("word", ["w_msa", "mdta", "conv+w_msa:gate", "w_msa+mdta:split"])
@pytest.mark.parametrize("certain", [True, False])
def test_the_same_mixer_is_taken_whole(word, certain):
    given = source(word, certain=certain)
    made = plan(word, given)
    assert (made.how, made.base, made.resized) == ("taken", None, ())
    assert all(torch.equal(made.values[n], t) for n, t in given.weights.items())
    assert len(made.values) == len(given.weights)


def test_shifted_and_unshifted_attention_have_the_same_weights():
    assert plan("w_msa", source("sw_msa")).how == "taken"
    assert plan("sw_msa", source("w_msa")).how == "taken"


def test_equal_names_are_not_enough_where_the_kind_is_known():
    """Two fusions without parameters of their own have the same names and shapes."""
    given = source("conv+w_msa:sum")
    assert set(given.weights) == set(mixer("conv+w_msa:cascade")[0].state_dict())
    made = plan("conv+w_msa:cascade", given)
    assert (made.how, made.why) == ("fresh", "other branches or another fusion in the source")
    unknown = MixerSource(given.weights)
    assert plan("conv+w_msa:cascade", unknown).how == "taken"


@pytest.mark.parametrize(
    ("word", "theirs"),
    [
        ("w_msa+mdta", "w_msa(small_map=pad)+mdta"),
        ("sw_msa+conv:gate", "conv+sw_msa(roll=bare;shift=fixed):gate"),
        ("w_msa(mask_padding=true)+mdta", "w_msa+mdta"),
        ("w_msa+mdta", "sw_msa+mdta"),
        ("conv+w_msa:gate", "conv+w_msa:gate(per=channel)"),
        ("w_msa+pooled", "w_msa+pooled(pool=4)"),
    ],
)
def test_options_without_weights_make_no_other_mixer(word, theirs):
    given = source(theirs)
    made = plan(word, given)
    assert made.how == "taken" and made.values.keys() == given.weights.keys()


def test_tables_of_several_branches_are_resized_from_the_window_of_each():
    word = "mdta+w_msa+w_msa(small_map=pad)"
    weights = source(word, window=4, grid=(3, 8)).weights
    given = MixerSource(weights, word, True, (3, 4), ((3, 4), (3, 4), (4, 4)))
    made = plan(word, given, window=6)
    assert [r.before[0] for r in made.resized] == [35, 49]
    assert [r.after[0] for r in made.resized] == [121, 121]


def test_an_attention_in_parts_is_refused_whatever_its_options():
    weights = dict(source("w_msa").weights)
    del weights["qkv.bias"]
    with pytest.raises(InputError, match=r"the attention has no qkv.bias in the source"):
        plan("w_msa", MixerSource(weights, "w_msa(small_map=pad)", True))


def test_branches_of_another_fusion_are_not_taken():
    assert plan("conv+w_msa:gate", source("conv+w_msa:sum")).how == "fresh"
    assert plan("w_msa", source("conv+w_msa:sum")).how == "fresh"


# One branch of several


@pytest.mark.parametrize(
    ("word", "kind", "base"),
    [
        ("w_msa+mdta", "w_msa", 1),
        ("conv+w_msa", "w_msa", 1),
        ("sw_msa+w_msa", "w_msa", 1),
        ("sw_msa+w_msa", "sw_msa", 0),
        ("conv+w_msa", "sw_msa", 1),
        ("w_msa+mdta:cascade", "w_msa", 0),
        ("conv+mdta+w_msa", "w_msa", 2),
    ],
)
@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize("normed", [False, True])
def test_an_attention_goes_into_the_branch_like_it(word, kind, base, certain, normed):
    given = source("w_msa", kind, certain)
    made = plan(word, given, normed=normed)
    assert (made.how, made.base) == ("identity start", base)
    prefix = f"branches.{base}.{'branch.' if normed else ''}"
    assert set(made.values) == {prefix + n for n in given.weights}


def test_other_branches_start_hybrids_too_where_they_are_known():
    made = plan("w_msa+mdta:gate", source("mdta"))
    assert (made.how, made.base) == ("identity start", 0)
    assert plan("conv+w_msa", source("conv")).base == 0
    unknown = MixerSource(source("mdta").weights)
    assert plan("w_msa+mdta:gate", unknown).how == "fresh"
    assert plan("mdta", unknown).how == "taken"


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("conv", "no window attention to take the source's"),
        ("conv+mdta", "no window attention to take the source's"),
        ("w_msa+mdta:split", "its window attention has another width or other parameters than"),
        ("mdta+w_msa(bias=none):split", "its window attention has another width or other"),
        ("w_msa+mdta:cross", "its window attention has another width or other parameters than"),
    ],
)
def test_what_cannot_take_an_attention_is_fresh_and_says_why(word, why):
    made = plan(word, source("w_msa"), heads=2)
    assert (made.how, made.values, made.base) == ("fresh", {}, None)
    assert made.why.startswith(why)


def test_what_is_no_attention_is_not_taken_for_one():
    made = plan("w_msa", source("conv"))
    assert (made.how, made.why) == ("fresh", "no branch that is the source's conv")


# Windows


@pytest.mark.parametrize("word", ["w_msa", "conv+w_msa:gate"])
def test_tables_are_resized_for_the_models_window(word):
    given = source("w_msa", window=6)
    made = plan(word, given)
    (resized,) = made.resized
    assert resized.name.endswith("relative_position_bias_table")
    assert (resized.before, resized.after) == ((121, 3), (49, 3))
    assert made.values[resized.name].shape == (49, 3)
    assert str(resized) == f"{resized.name} (121, 3) -> (49, 3)"


def test_windows_shrink_to_the_map_axis_by_axis():
    made = plan("w_msa", source("w_msa"), grid=(3, 8))
    assert made.resized[0].after == (5 * 7, 3)
    back = plan("w_msa", MixerSource(source("w_msa", grid=(3, 8)).weights, "w_msa", True, (3, 4)))
    assert (back.resized[0].before, back.resized[0].after) == ((35, 3), (49, 3))


def test_equal_lengths_of_other_windows_are_told_apart_where_the_window_is_known():
    """A window of 2 x 14 has as many offsets as one of 5 x 5."""
    weights = source("w_msa", window=5).weights
    sizes = {"window": 14, "grid": (2, 14)}
    assert plan("w_msa", MixerSource(weights, "w_msa"), **sizes).resized == ()
    assert len(plan("w_msa", MixerSource(weights, "w_msa", True, (5, 5)), **sizes).resized) == 1


def test_windows_of_two_sides_are_resized_where_they_are_known():
    weights = source("w_msa", window=(3, 4)).weights
    for window, told, resized in (
        ((3, 4), None, 0),
        ((3, 4), (4, 3), 1),
        ((4, 3), (3, 4), 1),
        ((5, 2), (3, 4), 1),
    ):
        made = plan("w_msa", MixerSource(weights, "w_msa", True, told), window=window)
        assert len(made.resized) == resized
    turned = plan("w_msa", MixerSource(weights, "w_msa", True, (3, 4)), window=(4, 3))
    table = weights["relative_position_bias_table"]
    expected = resize_table(table, (3, 4), (4, 3))
    assert torch.equal(turned.values["relative_position_bias_table"], expected)


def test_a_table_whose_window_is_not_known_is_refused():
    given = source("w_msa", grid=(3, 8))
    with pytest.raises(
        InputError,
        match="35 offsets is that of windows of 3x4 or 4x3, and the source does not say which; "
        "make the model with the source's window_size, load, then call set_input_size",
    ):
        plan("w_msa", given, window=6)
    given.weights["relative_position_bias_table"] = torch.zeros(34, HEADS)
    with pytest.raises(InputError, match="a bias table of 34 offsets is that of no window"):
        plan("w_msa", given, window=6)


@pytest.mark.parametrize("word", ["w_msa", "conv+w_msa:gate"])
def test_an_attention_in_parts_is_refused(word):
    weights = dict(source("w_msa").weights)
    del weights["qkv.bias"], weights["proj.weight"]
    with pytest.raises(InputError, match=r"the attention has no proj.weight, qkv.bias in the sour"):
        plan(word, MixerSource(weights, "w_msa"))
    assert plan("conv", MixerSource(weights, "w_msa", True)).how == "fresh"


@pytest.mark.parametrize("word", ["w_msa", "conv+w_msa:gate", "w_msa(bias=none)"])
def test_other_heads_are_refused(word):
    with pytest.raises(InputError, match="has 4 heads in the source, 3 in the model"):
        plan(word, source("w_msa", heads=4))


# Another map


@pytest.mark.parametrize("word", ["deform", "spectral", "conv+spectral:gate"])
@pytest.mark.parametrize("grid", [(8, 9), (5, 4)])  # of which 8 x 9 has as many frequencies
def test_another_map_is_taken_as_by_resizing(word, grid):
    given = source(word)
    given = replace(given, windows=(GRID,) * len(parse(word).branches))
    resized, _ = mixer(word, seed=1)
    for module in resized.modules():
        if isinstance(module, Branch):
            module.resize(WINDOW, grid)
    made = plan(word, given, grid=grid)
    assert (made.how, len(made.resized)) == ("taken", 1)
    torch.testing.assert_close(dict(made.values), dict(resized.state_dict()), rtol=0, atol=0)


def test_a_filter_of_an_unknown_map_is_taken_only_if_it_fits():
    assert plan("spectral", source("spectral")).how == "taken"
    assert plan("spectral", source("spectral"), grid=(5, 4)).how == "fresh"
