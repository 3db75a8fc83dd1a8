"""Distances with known answers, and of shifted windows against an obvious reference."""

import dataclasses
import json
import math

import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.attention import (
    attention_taps,
    attention_weights,
    layout_of,
)
from hybrid_swin.inspection.measures.sampling import subset
from hybrid_swin.inspection.methods import attention_distance
from hybrid_swin.inspection.methods.attention_distance import (
    AttentionDistance,
    even_distance,
    mean_distance,
    padding_share,
    pair_distances,
)

BRANCHES = ["w_msa", "sw_msa", "grid", "sw_msa(mask_padding=true)", "w_msa(attention=cosine)"]
BRANCHES += ["sw_msa(roll=bare)", "sw_msa(shift=always;small_map=pad)", "w_msa(small_map=square)"]


def branch_of(model):
    return model.layers[0].blocks[0].attn


def one_window(network, side, stride=1):
    layout = layout_of(branch_of(network("w_msa", size=side, window=side)), (side, side))
    return layout, pair_distances(layout, stride)


def seen_attention(model, images):
    """The attention of the first block in one pass."""
    seen = []
    with attention_taps({branch_of(model): seen.append}), torch.no_grad():
        model(images)
    return seen[0]


@pytest.mark.parametrize(
    ("side", "mean"), [(4, 2.008015), (7, 3.609465), (8, 4.136483), (14, 7.280764)]
)
@pytest.mark.parametrize("stride", [1, 4])
def test_even_attention_has_the_known_distances(side, mean, stride, network):
    layout, far = one_window(network, side, stride)
    assert even_distance(layout, far) == pytest.approx(mean * stride, abs=1e-6 * stride)
    root = float((far**2).mean().sqrt())
    assert root == pytest.approx(math.sqrt((side**2 - 1) / 3) * stride, rel=1e-12)


def test_attention_to_oneself_has_no_distance(network):
    layout, far = one_window(network, 4)
    identity = torch.eye(16).expand(2, 1, 3, 16, 16)
    assert (mean_distance(identity, layout, far) == 0).all()


def test_no_attention_is_farther_than_the_window_allows(network):
    layout, far = one_window(network, 5, 4)
    attention = torch.zeros(1, 1, 1, 25, 25)
    attention[..., 0] = 1
    attention[..., 0, :] = torch.eye(25)[24]
    assert far.max() == pytest.approx(math.sqrt(2) * 4 * 4)
    assert mean_distance(attention, layout, far).max() <= math.sqrt(2) * 4 * 4


@pytest.mark.parametrize("word", BRANCHES)
@pytest.mark.parametrize(
    ("size", "window"), [(8, 4), ((9, 14), 4), ((3, 10), 4), ((9, 14), (2, 5))], ids=str
)
def test_distances_are_those_of_the_map_as_it_came(word, size, window, network):
    """Which token is which is read off a map that holds its own coordinates."""
    model = network(word, size=size, window=window)
    branch = branch_of(model)
    height, width = model.variant.image_size
    images = torch.randn(2, 1, height, width)
    attention = seen_attention(model, images).double()
    layout = layout_of(branch, (height, width))

    at = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1)
    windows = []
    branch._attend = lambda x, bias, gate: windows.append((x, bias)) or x
    branch.mix(torch.nn.functional.pad(at[None] + 1.0, (0, 14)))
    del branch._attend
    ((coordinates, bias),) = windows
    coordinates = coordinates[0, :, :, :2] - 1  # padding: -1
    allowed = (bias > -50).any(dim=1)
    total, queries = torch.zeros(2, branch.num_heads, dtype=torch.float64), 0
    for g, window in enumerate(coordinates):
        for q, here in enumerate(window):
            if here[0] < 0:
                continue
            queries += 1
            weights, distances = 0, 0
            for k, there in enumerate(window):
                if there[0] < 0 or not allowed[g % len(allowed), q, k % allowed.shape[2]]:
                    continue
                weights = weights + attention[:, g, :, q, k]
                distances = distances + attention[:, g, :, q, k] * math.dist(here, there)
            total += distances / weights
    assert queries == height * width
    found = mean_distance(attention, layout, pair_distances(layout, 1))
    assert torch.allclose(found, total / queries, atol=1e-9)


@pytest.mark.parametrize(
    "word", [*BRANCHES, "w_msa(attention=cosine;bias=continuous)", "w_msa(bias=none)"]
)
def test_the_attention_that_is_shown_is_the_one_that_is_used(word, network):
    branch = branch_of(network(word, size=8))
    x_BGNC, bias = torch.randn(2, 3, 16, 16), torch.randn(1, 2, 16, 16)
    bias = None if branch.position_bias == "none" else bias
    values = branch._project(x_BGNC).unflatten(-1, (3, 2, -1))[:, :, :, 2].transpose(2, 3)
    wanted = (attention_weights(branch, x_BGNC, bias) @ values).transpose(2, 3).flatten(3)
    assert torch.allclose(branch._attend(x_BGNC, bias, None), wanted, atol=1e-5)


def test_the_network_gives_the_same_while_it_is_watched_and_after(network):
    model = network("w_msa+conv:cross")
    images = torch.randn(2, 1, 16, 16)
    attention = model.layers[0].blocks[0].attn.branches[1]
    seen = []
    with torch.no_grad():
        before = model(images)
        with attention_taps({attention: seen.append}):
            during = model(images)
        after = model(images)
    assert torch.equal(before, during)
    assert torch.equal(before, after)
    assert [tuple(a.shape) for a in seen] == [(2, 16, 2, 16, 16)]
    assert torch.allclose(seen[0].sum(dim=-1), torch.ones(()))
    assert "_attend" not in vars(attention)


def test_the_network_is_let_go_when_a_pass_fails(network):
    model = network("w_msa")
    with pytest.raises(InputError), attention_taps({branch_of(model): print}):
        model(torch.randn(1, 2, 16, 16))
    assert "_attend" not in vars(branch_of(model))


def test_rows_hold_every_head_in_pixels(looked_at):
    numbers = AttentionDistance().measure(looked_at("w_msa", "sw_msa", patch_size=2, size=32))
    assert [(r["block"], r["head"]) for r in numbers["rows"]] == [
        (f"layers.0.blocks.{block}", head) for block in (0, 1) for head in (0, 1)
    ]
    for row in numbers["rows"]:
        assert row["distance_low"] <= row["distance"] <= row["distance_high"]
        assert 0 < row["distance"] <= math.sqrt(2) * 3 * 2
        assert row["ratio"] == pytest.approx(row["distance"] / row["uniform"])
        assert row["padding_share"] == 0
    assert numbers["rows"][0]["uniform"] == pytest.approx(2 * 2.008015, abs=1e-5)
    assert numbers["rows"][2]["uniform"] < numbers["rows"][0]["uniform"]
    assert numbers["undefined"] == []


def test_padding_takes_its_share_and_does_not_count(looked_at):
    subject = looked_at("w_msa", size=(4, 5))
    subject.model.requires_grad_(False)
    branch = branch_of(subject.model)
    for parameter in branch.parameters():
        parameter.zero_()
    row = AttentionDistance().measure(subject)["rows"][0]
    # 4 columns without, and one of four columns in a window of padding: even attention everywhere
    assert row["padding_share"] == pytest.approx(4 / 20 * 12 / 16)
    assert row["ratio"] == pytest.approx(1, abs=1e-6)


def test_queries_that_attend_to_padding_alone_do_not_count(network):
    branch = branch_of(network("w_msa", size=(4, 5)))
    layout = layout_of(branch, (4, 5))
    far = pair_distances(layout, 1)
    attention = torch.full((1, 2, 2, 16, 16), 1 / 16)
    usual = mean_distance(attention, layout, far)
    padding = (~layout.real[1]).nonzero()[0]
    attention[0, 1, 0, 0] = torch.eye(16)[padding]  # head 0, one real query
    assert layout.real[1, 0]
    found = mean_distance(attention, layout, far)
    lost = float(far[1, 0, layout.real[1]].mean())
    assert float(found[0, 0]) == pytest.approx((20 * float(usual[0, 0]) - lost) / 19)
    assert found[0, 1] == usual[0, 1]
    share = padding_share(attention, layout)[0]
    assert share.tolist() == pytest.approx([(3 * 0.75 + 1) / 20, 4 * 0.75 / 20])


def test_an_image_whose_every_query_attends_to_padding_has_no_distance(network):
    layout = layout_of(branch_of(network("w_msa", size=(4, 5))), (4, 5))
    layout = layout._replace(real=layout.real[1:], allowed=layout.allowed[1:])
    attention = torch.full((2, 1, 2, 16, 16), 1 / 16)
    attention[0, :, 0] = ~layout.real[0] / 12
    found = mean_distance(attention, layout, torch.ones(1, 16, 16))
    assert found.isnan().tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize("lost", ["one", "all"])
def test_a_head_without_any_distance_is_undefined(lost, looked_at, monkeypatch):
    def without(attention, layout, far):
        found = mean_distance(attention, layout, far)
        found[: 1 if lost == "one" else None, 0] = torch.nan
        return found

    monkeypatch.setattr(attention_distance, "mean_distance", without)
    numbers = AttentionDistance().measure(looked_at("w_msa", count=3))
    json.dumps(numbers, allow_nan=False)
    heads = [row["head"] for row in numbers["rows"]]
    reasons = [u["reason"] for u in numbers["undefined"]]
    if lost == "one":
        assert (heads, reasons) == ([0, 1], [])
    else:
        assert heads == [1]
        assert reasons == ["puts all weight of head 0 on padding, in every image"]


def test_the_padding_share_is_of_a_head_whatever_the_batch_size(looked_at):
    subject = looked_at("w_msa", size=(4, 5), count=7)
    branch_of(subject.model).qkv.weight.mul_(20)
    shares = []
    for batch_size in (1, 3, 7):
        asked = dataclasses.replace(subject, batch_size=batch_size)
        rows = AttentionDistance().measure(asked)["rows"]
        shares.append([row["padding_share"] for row in rows])
    assert shares[0] == pytest.approx(shares[1], rel=1e-5)
    assert shares[0] == pytest.approx(shares[2], rel=1e-5)
    assert abs(shares[0][0] - shares[0][1]) > 1e-4


def test_what_has_no_distance_is_undefined_and_said_why(looked_at):
    words = ("mdta", "conv", "pooled", "w_msa+xca")
    numbers = AttentionDistance().measure(looked_at(*words))
    assert {row["block"] for row in numbers["rows"]} == {"layers.0.blocks.3"}
    reasons = {u["branch"]: u["reason"] for u in numbers["undefined"]}
    assert set(reasons) == {"mdta", "conv", "pooled", "xca"}
    assert "between channels" in reasons["mdta"]
    assert "between channels" in reasons["xca"]
    assert "only branches derived from WindowAttention" in reasons["conv"]
    assert "means over regions" in reasons["pooled"]


def test_a_window_of_one_token_has_no_ratio(looked_at):
    row = AttentionDistance().measure(looked_at("w_msa", window=1))["rows"][0]
    assert (row["distance"], row["ratio"]) == (0, None)


def test_only_so_many_images_are_read(looked_at):
    subject = looked_at("w_msa", count=7)
    numbers = AttentionDistance(images=5).measure(subject)
    one = AttentionDistance(images=5).measure(looked_at("w_msa", count=7))
    assert numbers["images"] == 5
    assert numbers == one
    drawn = AttentionDistance().measure(subset(subject, 5))
    assert numbers["rows"] == drawn["rows"]
    assert "5 of 7 images were used, drawn by the seed" in numbers["notes"][0]
    fewer = AttentionDistance(images=4).measure(subject)
    assert fewer["rows"][0]["distance"] != numbers["rows"][0]["distance"]


def test_no_images_are_refused():
    with pytest.raises(InputError, match="at least 1"):
        AttentionDistance(images=0)
