import json
import math

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from hybrid_swin.inspection.methods.spectrum import Spectrum, tiling_lines
from hybrid_swin.inspection.subject import make_subject


def measured(model, pixels, **options):
    numbers = Spectrum(**options).measure(make_subject(model, pixels, batch_size=2))
    json.dumps(numbers, allow_nan=False)
    figure = Figure()
    if numbers["rows"]:
        Spectrum().draw(numbers, figure)
        figure.canvas.draw()
    return numbers, figure


@pytest.fixture
def mean_filters(small_swin):
    """One stage of 3 x 3 circular mean filters, as branches of a real network."""
    model = small_swin("conv", depths=(1,), heads=(2,), image_size=32, patch_size=2)
    branch = model.layers[0].blocks[0].attn

    def mix(x, value_gate=None):
        x = nn.functional.pad(x.permute(0, 3, 1, 2), (1, 1, 1, 1), mode="circular")
        return nn.functional.avg_pool2d(x, 3, 1).permute(0, 2, 3, 1)

    branch.mix, branch.proj = mix, nn.Identity()
    return model


def test_a_mean_filter_has_its_exact_transfer(mean_filters):
    numbers, _ = measured(mean_filters, torch.randn(4, 3, 32, 32))
    (row,) = numbers["rows"]
    assert row["grid"] == [16, 16]
    # of 8 cycles: the last ring holds (8, 8), (8, 7) and (7, 8), the corner once, the others twice
    nearly = math.log(1 / 3) + math.log((2 * math.cos(math.pi / 8) - 1) / 3)
    expected = (2 * math.log(1 / 3) + 4 * nearly) / 5
    assert row["transfer"][-1] == pytest.approx(expected, abs=1e-3)
    assert row["transfer"][0] == pytest.approx(0, abs=1e-4)
    assert row["high_share_out"] < 0.5 * row["high_share_in"]
    assert row["period"] is None
    assert row["tiling_excess"] is None


def test_rows_and_what_is_too_small(small_swin):
    model = small_swin("conv+w_msa", depths=(1, 1))  # 14 x 14, then 7 x 7 tokens
    numbers, figure = measured(model, torch.randn(5, 3, 56, 56), images=3)
    assert [(row["stage"], row["branch"]) for row in numbers["rows"]] == [(0, "conv"), (0, "w_msa")]
    assert numbers["images"] == 3
    assert "3 of 5 images" in numbers["notes"][0]
    small = numbers["undefined"]
    assert [u["block"] for u in small] == ["layers.1.blocks.0"] * 2
    assert all("7 x 7 tokens is smaller than 8 x 8" in u["reason"] for u in small)
    assert numbers["rows"][1]["period"] == [7, 7]
    assert isinstance(numbers["rows"][1]["tiling_excess"], float)
    assert any("tiling" in note for note in numbers["notes"])
    assert len(figure.axes) == 2  # one stage and the shares


def test_where_no_map_is_large_enough_all_is_undefined(small_swin):
    model = small_swin("w_msa", depths=(1, 1))
    numbers, _ = measured(model, torch.randn(2, 3, 28, 28))
    assert not numbers["rows"]
    assert len(numbers["undefined"]) == 2


def test_a_branch_without_any_output_is_undefined(small_swin):
    model = small_swin("conv+w_msa", depths=(1,), heads=(2,))
    for parameter in model.layers[0].blocks[0].attn.branches[0].parameters():
        nn.init.zeros_(parameter)
    numbers, _ = measured(model, torch.randn(2, 3, 56, 56))
    assert [row["branch"] for row in numbers["rows"]] == ["w_msa"]
    assert [u["branch"] for u in numbers["undefined"]] == ["conv"]


def test_windows_that_do_not_mix_show_their_tiling(small_swin):
    model = small_swin("w_msa", depths=(1,), heads=(2,))
    attention = model.layers[0].blocks[0].attn
    with torch.no_grad():
        attention.qkv.weight.mul_(5)
        attention.relative_position_bias_table.normal_(std=3)
    wide = torch.randn(4, 3, 112, 112)
    (row,) = measured(model, wide)[0]["rows"]
    assert row["period"] == [7, 7]
    assert abs(row["tiling_excess"]) > 0.02


def test_strided_windows_show_the_period_of_their_cells(small_swin):
    """On 28 x 28 tokens, `grid` of 7 x 7 repeats every 4, where windows would repeat every 7."""
    model = small_swin("grid", depths=(1,), heads=(2,))
    attention = model.layers[0].blocks[0].attn
    with torch.no_grad():
        attention.qkv.weight.mul_(5)
        attention.relative_position_bias_table.normal_(std=3)
    numbers, figure = measured(model, torch.randn(4, 3, 112, 112))
    (row,) = numbers["rows"]
    assert row["period"] == [4, 4]
    assert abs(row["tiling_excess"]) > 0.02
    dotted = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert dotted == [0.5, 1]


def test_an_axis_that_one_window_covers_does_not_count(small_swin):
    model = small_swin("w_msa", depths=(1,), heads=(2,), window_size=8, image_size=(64, 32))
    numbers, figure = measured(model, torch.randn(2, 3, 64, 32))  # 16 x 8 tokens
    (row,) = numbers["rows"]
    assert row["period"] == [8, 8]
    assert isinstance(row["tiling_excess"], float)
    numbers, figure = measured(model, torch.randn(2, 3, 32, 32))
    assert numbers["rows"][0]["tiling_excess"] is None
    assert numbers["notes"] == []
    assert not [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]


def test_lines_are_of_tiled_axes_only():
    rows = [{"grid": [16, 8], "period": [4, 8]}, {"grid": [15, 9], "period": [4, 3]}]
    assert tiling_lines([*rows, {"grid": [8, 8], "period": None}]) == [0.5, 2 / 3, 1]
