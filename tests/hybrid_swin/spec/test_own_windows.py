"""Windows that block words name themselves."""

import pytest
import torch

from hybrid_swin.cost import count_cost
from hybrid_swin.cost.counting import counted_cost
from hybrid_swin.errors import InputError
from hybrid_swin.interop.surgery import replace_blocks
from hybrid_swin.interop.weights.load_save import load_weights, save_weights
from hybrid_swin.network.block import build_mixer
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.variant import Variant


def variant(*words, window=4, image=12):
    stage = {"width": 8, "depth": len(words), "num_heads": 2, "blocks": list(words)}
    fields = {"image_size": image, "num_classes": 3, "patch_size": 1, "window_size": window}
    return Variant.from_dict(fields | {"stages": [stage]})


def network(*words, **fields):
    torch.manual_seed(0)
    return HybridSwin(variant(*words, **fields)).eval()


def windows(model):
    return [block.attn.window for _, block in model.blocks()]


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("w_msa(window_size=7x9)", "w_msa(window_size=7x9)"),
        ("w_msa(window_size=7x7)", "w_msa(window_size=7)"),
        ("grid( window_size = 4 )", "grid(window_size=4)"),
    ],
)
def test_a_window_is_one_number_or_two(text, spelt):
    assert str(parse(text)) == spelt and parse(spelt) == parse(text)


@pytest.mark.parametrize(
    "size", ["0", "-1", "7x", "x7", "7x9x2", "7.5", "true", "07", "7x0", "4X4"]
)
def test_what_is_no_window_is_refused(size):
    with pytest.raises(
        InputError, match=r"window_size=\S+ is not possible; give a whole number of"
    ):
        parse(f"w_msa(window_size={size})")


def test_a_branch_without_windows_has_none_to_name():
    with pytest.raises(InputError, match="unknown option of conv 'window_size'"):
        parse("conv(window_size=4)")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (variant("w_msa(window_size=4)"), variant("w_msa")),
        (
            variant("w_msa(window_size=2)", "sw_msa(window_size=2)"),
            variant("w_msa", "sw_msa", window=2),
        ),
        (
            variant("w_msa(window_size=2)", "w_msa"),
            variant("w_msa", "w_msa(window_size=4)", window=2),
        ),
        (
            variant("w_msa(window_size=2)", "w_msa(window_size=3)"),
            variant("w_msa(window_size=2)", "w_msa", window=3),
        ),
        (variant("w_msa(window_size=50)", "w_msa"), variant("w_msa(window_size=12)", "w_msa")),
        (
            variant("w_msa(window_size=50)", "w_msa"),
            variant("w_msa", "w_msa(window_size=4)", window=99),
        ),
        (variant("sw_msa(window_size=12)", "w_msa"), variant("w_msa(window_size=12)", "w_msa")),
        (variant("w_msa(window_size=2x12)", "w_msa"), variant("w_msa(window_size=2x40)", "w_msa")),
        (
            variant("conv+w_msa(window_size=2)", "w_msa"),
            variant("w_msa+conv", "w_msa(window_size=4)", window=2),
        ),
        (
            variant("conv+w_msa(window_size=2):cross", "w_msa"),
            variant("conv+w_msa:cross", "w_msa(window_size=4)", window=2),
        ),
        (
            variant("w_msa(small_map=pad)", "w_msa(window_size=50)", window=14),
            variant("w_msa(small_map=pad)", "w_msa", window=14),
        ),
        (
            variant("overlap(window_size=3)", "w_msa"),
            variant("overlap", "w_msa(window_size=4)", window=3),
        ),
    ],
)
def test_equal_networks_have_equal_ids_however_their_windows_are_said(one, other):
    assert one.id == other.id
    assert count_cost(one) == count_cost(other)


def test_other_windows_are_other_networks():
    all_of = [
        variant("w_msa", "w_msa"),
        variant("w_msa(window_size=2)", "w_msa"),
        variant("w_msa", "w_msa(window_size=2)"),
        variant("w_msa(window_size=2)", "w_msa", window=3),
        variant("w_msa(window_size=2x4)", "w_msa"),
        variant("w_msa(window_size=4x2)", "w_msa"),
        variant("conv+w_msa(window_size=2)", "w_msa"),
    ]
    assert len({v.id for v in all_of}) == len(all_of)


def test_it_is_built_counted_and_survives_other_sizes():
    model = network("w_msa(window_size=2x3)", "sw_msa", "conv+grid(window_size=6)", image=(10, 12))
    first, second, third = (block.attn for _, block in model.blocks())
    assert (first.window, second.window, third.branches[1].window) == ((2, 3), (4, 4), (6, 6))
    counted = counted_cost(model, (3, 10, 12))
    assert counted == count_cost(model.variant)
    model.set_input_size(20, window_size=5)
    assert (first.window, second.window, third.branches[1].window) == ((2, 3), (5, 5), (6, 6))
    assert count_cost(model.variant).parameters == sum(p.numel() for p in model.parameters())


def test_a_window_that_has_shrunk_stays_as_small_on_a_larger_map():
    model = network("w_msa(window_size=9)", "w_msa", image=6)
    images = torch.randn(1, 3, 6, 6)
    before = model(images)
    model.set_input_size(24)
    assert windows(model) == [(6, 6), (4, 4)]
    assert model.variant.stages[0].blocks == ("w_msa(window_size=6)", "w_msa")
    torch.testing.assert_close(model(images), before)


def test_weights_of_other_windows_are_interpolated(tmp_path):
    source, model = network("w_msa", "w_msa"), network("w_msa(window_size=2)", "w_msa")
    save_weights(source, tmp_path / "w.safetensors")
    first, second = load_weights(model, tmp_path / "w.safetensors").blocks
    assert (first.how, second.how) == ("changed", "taken")
    assert "other windows than in the source" in first.why
    same = network("w_msa(window_size=4)", "w_msa", window=4)
    assert {b.how for b in load_weights(same, tmp_path / "w.safetensors").blocks} == {"taken"}


def test_surgery_takes_the_words_window():
    model = network("w_msa", "w_msa")
    report = replace_blocks(model, "w_msa(window_size=2)+conv", stage=0, blocks=[0])
    assert report.blocks[0].how == "changed"
    assert model.layers[0].blocks[0].attn.branches[1].window == (2, 2)
    images = torch.randn(1, 3, 12, 12)
    model(images)
    report = replace_blocks(network("w_msa(window_size=2)"), "w_msa+conv", stage=0)
    assert report.blocks[0].how == "identity start"  # `w_msa` is the block's own


def test_a_plugin_that_has_windows_takes_one_too(tmp_path):
    file = tmp_path / "porthole.py"
    file.write_text(
        "from torch import nn\n"
        "from hybrid_swin import Branch\n"
        "from hybrid_swin.cost import Window\n"
        "class Porthole(Branch):\n"
        "    has_windows = True\n"
        "    def __init__(self, dim, num_heads, window_size, grid_size, stride: Window = 2):\n"
        "        super().__init__()\n"
        "        self.made_for = window_size, stride\n"
        "        self.proj = nn.Linear(dim, dim)\n"
        "    def mix(self, x, value_gate=None):\n"
        "        return x\n"
    )
    registry.add_plugin(file)
    try:
        made = build_mixer(parse("porthole(window_size=2x3;stride=4)"), 8, 2, 7, (8, 8))
        assert made.made_for == ((2, 3), (4, 4))
        assert parse("porthole(stride=2)").canonical() == parse("porthole").canonical()
    finally:
        registry.forget_plugin(file)
