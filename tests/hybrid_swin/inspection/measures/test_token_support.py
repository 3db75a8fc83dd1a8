"""Exact supports against what each block can see by its construction."""

import numpy as np
import pytest
import torch

from hybrid_swin.inspection.measures.token_support import (
    Supports,
    pixel_box,
    pixel_support,
    token_support,
)
from hybrid_swin.network.stems import make_stem
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant


def box(found):
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    full = found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    return (rows[0], rows[-1]), (columns[0], columns[-1]), bool(full)


@pytest.mark.parametrize(
    ("words", "first", "last"),
    [
        (["w_msa"], 4, 7),
        (["w_msa"] * 4, 4, 7),
        (["sw_msa"], 2, 5),
        (["w_msa", "sw_msa"], 0, 7),
        (["w_msa", "sw_msa", "w_msa"], 0, 11),
        (["sw_msa(attention=cosine;bias=continuous)"], 2, 5),
        (["conv"], 4, 6),
        (["conv(kernel=5)", "conv"], 2, 8),
        (["identity"], 5, 5),
        (["pointwise"], 5, 5),
        (["mdta"], 0, 15),
        (["mdta(depthwise=false)"], 0, 15),
        (["mdta(attention=false)"], 4, 6),
        (["w_msa+conv"], 4, 7),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_token_sees_what_its_blocks_let_through(words, first, last, network):
    found = Supports(network(*words), seed=3).of(0, (5, 5))
    assert box(found) == ((first, last), (first, last), True)


def test_grid_attention_sees_evenly_spread_tokens(network):
    found = Supports(network("grid")).of(0, (5, 5))
    wanted = np.zeros((16, 16), dtype=bool)
    wanted[1::4, 1::4] = True
    assert (found == wanted).all()


def test_rolled_tokens_do_not_see_over_the_border(network):
    found = Supports(network("sw_msa", "sw_msa")).of(0, (0, 0))
    assert box(found) == ((0, 1), (0, 1), True)


def test_the_weights_do_not_matter(network):
    model = network("w_msa", "mdta")
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    assert Supports(model).of(0, (5, 5)).all()
    assert all(not p.any() for p in model.parameters())


def test_all_tokens_are_those_of_each_token(network):
    model = network("w_msa", "sw_msa")
    found, one = token_support(model, (9, 10)), Supports(model, (9, 10))
    assert found.shape == (90, 90)
    for row, column in ((0, 0), (4, 5), (8, 9)):
        alone = one.of(0, (row, column))
        assert (found[row * 10 + column].reshape(9, 10) == alone).all()


def test_merging_sees_four_tokens_and_padding_none(small_swin):
    model = small_swin("w_msa", "w_msa", image_size=28, window_size=1, depths=(1, 1))
    found = Supports(model, (7, 7))
    assert box(found.of(0, (3, 3))) == ((3, 3), (3, 3), True)
    assert box(found.of(1, (1, 2))) == ((2, 3), (4, 5), True)
    assert box(found.of(1, (3, 3))) == ((6, 6), (6, 6), True)
    assert token_support(model, (7, 7)).sum() == 49


@pytest.mark.parametrize(("merging", "first"), [("pool", 4), ("conv", 3)])
def test_other_mergings_see_what_they_halve(small_swin, merging, first):
    fields = {"image_size": 28, "window_size": 1, "depths": (1, 1), "merging": merging}
    model = small_swin("w_msa", "w_msa", width=4, **fields)
    found = Supports(model, (7, 7)).of(1, (2, 2))
    assert box(found) == ((first, 5), (first, 5), True)
    assert box(Supports(model, (7, 7)).of(1, (3, 3))) == ((first + 2, 6), (first + 2, 6), True)


def test_a_block_within_a_stage(network):
    found = Supports(network("conv", "conv", "conv"))
    assert [box(found.of(0, (8, 8), index))[0] for index in range(3)] == [(7, 9), (6, 10), (5, 11)]


def test_pixels_of_tokens():
    support = np.zeros((3, 3), dtype=bool)
    support[1:, 2] = True
    patches = Variant(stages=[Stage(8, 1, 1, ("conv",))])
    found = pixel_box(support, patches, (10, 12))
    assert found == {"rows": [4, 9], "columns": [8, 11], "share": 24 / 120}
    assert pixel_box(support & False, patches, (12, 12)) == {
        "rows": [],
        "columns": [],
        "share": 0.0,
    }


@pytest.mark.parametrize(("patch_size", "size"), [(1, (5, 7)), (2, (9, 6)), (4, (21, 13))])
def test_pixels_of_a_stem_of_convolutions(patch_size, size):
    variant = Variant(size, patch_size=patch_size, stem="conv", stages=[Stage(8, 1, 1, ("conv",))])
    stem = make_stem(variant).double()
    images = torch.randn(1, 3, *size, dtype=torch.float64, requires_grad=True)
    out = stem(images)
    for row, column in ((0, 0), (out.shape[1] - 1, out.shape[2] - 1), (1, 2)):
        value = out[0, row, column] @ torch.randn(8, dtype=torch.float64)
        (gradient,) = torch.autograd.grad(value, images, retain_graph=True)
        support = np.zeros(out.shape[1:3], dtype=bool)
        support[row, column] = True
        found = pixel_support(support, variant)[: size[0], : size[1]]
        assert (found == (gradient[0].abs().sum(0).numpy() > 0)).all()


def test_the_random_state_is_left_alone(network):
    model = network("w_msa")
    before = torch.random.get_rng_state()
    token_support(model, (4, 4))
    assert torch.equal(before, torch.random.get_rng_state())
