"""Published networks against published numbers and against timm itself."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hybrid_swin.cost import count_cost
from hybrid_swin.cost.counting import counted_cost
from hybrid_swin.cost.width_solver import match_cost
from hybrid_swin.errors import InputError
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.published import names, published, source_of
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

GOLDEN = Path(__file__).parents[2] / "golden" / "timm.safetensors"

# 1,000 classes, 224 x 224: counted on timm's models, matrix products only
TIMM = {
    "swin_t": (28_288_354, 4.491),
    "swin_s": (49_606_258, 8.741),
    "swin_b": (87_768_224, 15.431),
    "swin_l": (196_532_476, 34.476),
}
# 256 x 256, by (name, window): of timm 1.0.31's swinv2_tiny_window8_256 and its like
TIMM_V2 = {
    ("swin_v2_t", 8): (28_347_154, 5.940),
    ("swin_v2_t", 16): (28_347_154, 6.661),
    ("swin_v2_s", 8): (49_728_418, 11.546),
    ("swin_v2_b", 8): (87_918_816, 20.325),
    ("swin_v2_l", 16): (196_739_932, 47.740),
}
# Millions of parameters and GMACs by the papers, and how far ours may be from them: what `like`
# leaves out is in the docstring of published.py.
PAPERS = {
    "s3_t": (28.3, 4.6, 0.01),
    "davit_like_t": (28.3, 4.5, 0.01),
    "mixformer_like_b4": (35, 3.6, 0.12),
    "cswin_like_t": (23, 4.3, 0.03),
    "coatnet_like_0": (25, 4.2, 0.03),
    "cct_like_7": (3.76, 0.947 + 0.235, 0.01),  # the products of attention are not in the first
}
SERIES = [name for name in names() if name.startswith("hybrid_")]


def test_every_published_network_is_checked():
    assert names() == sorted([*TIMM, *{name for name, _ in TIMM_V2}, *PAPERS, *SERIES])
    assert len(SERIES) == 10


@pytest.mark.parametrize("name", sorted(TIMM))
def test_parameters_and_macs_are_those_of_timm(name):
    cost = count_cost(published(name))
    assert (cost.parameters, round(cost.macs / 1e9, 3)) == TIMM[name]


@pytest.mark.parametrize(("name", "window"), TIMM_V2)
def test_parameters_and_macs_of_version_2_are_those_of_timm(name, window):
    variant = replace(published(name), window_size=window)
    assert variant.image_size == (256, 256) and published(name).window_size == 8
    cost = count_cost(variant)
    assert (cost.parameters, round(cost.macs / 1e9, 3)) == TIMM_V2[name, window]


@pytest.mark.parametrize("name", PAPERS)
def test_parameters_and_macs_are_near_those_of_the_papers(name):
    cost, (parameters, macs, near) = count_cost(published(name)), PAPERS[name]
    assert cost.parameters / 1e6 == pytest.approx(parameters, rel=near)
    assert cost.macs / 1e9 == pytest.approx(macs, rel=near)


def test_a_cswin_is_the_authors_but_for_the_stem():
    ours = count_cost(published("cswin_like_t")).parameters
    stem = count_cost(replace(published("cswin_like_t"), stem="patch")).parameters
    by_formula = stem - 64 * 3 * 4**2 + 64 * 3 * 7**2  # their stem: 7 x 7 of stride 4
    assert (by_formula, ours - by_formula) == (22_320_552, 9_984)


def test_a_searched_swin_has_larger_windows_in_its_third_stage():
    searched, swin = published("s3_t"), published("swin_t")
    assert searched.window_sizes == (7, 7, 14, 7)
    plain = [replace(stage, window_size=None) for stage in searched.stages]
    assert replace(searched, stages=plain) == swin
    # Parameters by the formula: six bias tables of 27 x 27 offsets instead of 13 x 13.
    more = 6 * 12 * (27**2 - 13**2)
    assert count_cost(searched).parameters == count_cost(swin).parameters + more == 28_328_674


@pytest.mark.parametrize("name", SERIES)
def test_our_series_is_what_the_solver_finds_for_the_macs_of_swin(name):
    """Where this fails because a branch costs something else, put what it finds into the table."""
    ours, swin = published(name), published("swin_t")
    as_wide = [
        replace(mine, width=its.width, num_heads=its.num_heads)
        for mine, its in zip(ours.stages, swin.stages, strict=True)
    ]
    found = match_cost(replace(ours, stages=as_wide), swin, "macs", tolerance=0.005)
    assert found.variant == ours
    assert abs(found.residuals["macs"]) <= 0.005


@pytest.mark.parametrize("name", [name for name in SERIES if name != "hybrid_t"])
def test_a_dual_network_is_swin_with_one_branch_added(name):
    branch = name.removeprefix("hybrid_").removesuffix("_t")
    for mine, its in zip(published(name).stages, published("swin_t").stages, strict=True):
        assert mine.blocks == (f"w_msa+{branch}", f"sw_msa+{branch}")
        assert (mine.depth, mine.norm, mine.window_size) == (its.depth, its.norm, its.window_size)


@pytest.mark.parametrize(
    "name",
    [
        *("swin_t", "swin_l", "swin_v2_t", "s3_t", "mixformer_like_b4", "hybrid_t"),
        *("cswin_like_t", "coatnet_like_0", "cct_like_7"),
    ],
)
def test_what_is_built_is_what_is_told(name):
    variant = published(name)
    with torch.device("meta"):
        model = HybridSwin(variant)
    assert counted_cost(model, (3, *variant.image_size)) == count_cost(variant)


def test_an_unknown_name_is_refused():
    for ask in (published, source_of):
        with pytest.raises(InputError, match="unknown variant 'swin_x'; did you mean 'swin_"):
            ask("swin_x")


def test_sources_are_cited():
    for name in names():
        assert "https://arxiv.org/abs/" in source_of(name) or source_of(name).startswith("our own")


SMALL = Variant(
    image_size=56,
    num_classes=10,
    stages=[Stage(24, 2, 2, ("w_msa", "sw_msa")), Stage(48, 2, 4, ("w_msa", "sw_msa"))],
)


def test_timms_weights_load_strictly_and_give_timms_logits():
    weights = load_file(GOLDEN)
    images, logits = weights.pop("__input__"), weights.pop("__logits__")
    model = HybridSwin(SMALL).eval()
    model.load_state_dict(weights, strict=True)
    with torch.no_grad():
        torch.testing.assert_close(model(images), logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(model(images).detach(), logits, rtol=0, atol=1e-5)


def test_parameter_names_and_shapes_are_those_of_timm():
    weights = load_file(GOLDEN)
    expected = {name: w.shape for name, w in weights.items() if not name.startswith("__")}
    assert {name: p.shape for name, p in HybridSwin(SMALL).state_dict().items()} == expected
