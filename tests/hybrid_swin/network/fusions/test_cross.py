"""MixFormer's block, written out."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from hybrid_swin.cost import mixer_cost
from hybrid_swin.errors import InputError
from hybrid_swin.network.block import build_mixer
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

GRID, DIM, HEADS = (5, 4), 24, 3


def build(word):
    torch.manual_seed(0)
    mixer = build_mixer(parse(word).canonical(), DIM, HEADS, 3, GRID).double().eval()
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.normal_(std=0.3)
    return mixer


def normalised(x, norm):
    """A layer norm, or a batch norm, by its definition."""
    if isinstance(norm, torch.nn.LayerNorm):
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    elif norm.training:
        flat = x.flatten(0, -2)
        mean, variance = flat.mean(0), flat.var(0, unbiased=False)
    else:
        mean, variance = norm.running_mean, norm.running_var
    return (x - mean) / (variance + 1e-5).sqrt() * norm.weight + norm.bias


def windows_attention(mixer, x, gate):
    """Attention in 3 x 3 windows of the padded map, values gated, by loops."""
    branch = mixer.branches[mixer.attention]
    half, (height, width) = DIM // 2, x.shape[1:3]
    size = half // HEADS
    maps = torch.zeros(len(x), 6, 6, half).double()
    maps[:, :height, :width] = x
    out = torch.zeros_like(maps)
    for image, top, left in itertools.product(range(len(x)), (0, 3), (0, 3)):
        tokens = [(top + i, left + j) for i in range(3) for j in range(3)]
        qkv = [branch.qkv.weight @ maps[image][t] + branch.qkv.bias for t in tokens]
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            for a, (ya, xa) in enumerate(tokens):
                logits = []
                for b, (yb, xb) in enumerate(tokens):
                    q, k = qkv[a][:half][part], qkv[b][half : 2 * half][part]
                    row = (ya - yb + 2) * 5 + xa - xb + 2
                    bias = branch.relative_position_bias_table[row, head]
                    logits.append(q @ k / size**0.5 + bias)
                weights = torch.stack(logits).softmax(0)
                values = [v[2 * half :][part] * gate[image][part] for v in qkv]
                pairs = zip(weights, values, strict=True)
                out[image, ya, xa, part] = sum(w * v for w, v in pairs)
    return out[:, :height, :width]


def block(mixer, x):
    """MixFormer's block by its formula, on a map as it comes."""
    local = normalised(mixer.local_in[0](x), mixer.local_in[1])
    kernel = mixer.branches[0].dwconv
    local = F.conv2d(
        local.permute(0, 3, 1, 2), kernel.weight, kernel.bias, padding=1, groups=DIM
    ).permute(0, 2, 3, 1)
    local = F.gelu(normalised(local, mixer.local_out[0]))
    first, channel_norm, _, last = mixer.channel_gate
    gate = last(F.gelu(normalised(first(local.mean((1, 2))), channel_norm))).sigmoid()
    attended = normalised(mixer.attention_in[0](x), mixer.attention_in[1])
    attended = windows_attention(mixer, attended, gate)
    first, spatial_norm, _, last = mixer.spatial_gate
    place = last(F.gelu(normalised(first(attended), spatial_norm))).sigmoid()
    local = normalised(place * mixer.local_proj(local), mixer.local_norm)
    attended = normalised(attended, mixer.attention_norm)
    return mixer.join(torch.cat([attended, local], -1))


@pytest.mark.parametrize("norm", ["layer", "batch"])
@pytest.mark.parametrize("padding", ["attention", "both"])
def test_it_is_the_block_of_the_paper_on_maps_that_windows_divide(norm, padding):
    mixer = build(f"conv+w_msa:cross(norm={norm};padding={padding})")
    x = torch.randn(2, 6, 6, DIM).double()
    with torch.no_grad():
        torch.testing.assert_close(mixer(x), block(mixer, x), rtol=0, atol=1e-10)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_it_pads_other_maps_in_front_of_both_branches_as_the_authors_code_does(norm, training):
    mixer = build(f"conv+w_msa:cross(norm={norm};padding=both)").train(training)
    x = torch.randn(2, *GRID, DIM).double()
    padded = torch.zeros(2, 6, 6, DIM).double()  # zeros behind the block's norm
    padded[:, : GRID[0], : GRID[1]] = x
    with torch.no_grad():
        expected = block(mixer, padded)[:, : GRID[0], : GRID[1]]
        torch.testing.assert_close(mixer(x), expected, rtol=0, atol=1e-10)
        other = build(f"conv+w_msa:cross(norm={norm})").train(training)
        assert (other(x) - expected).abs().max() > 1e-2


@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_by_default_only_the_attention_sees_padding(norm):
    mixer = build(f"conv+w_msa:cross(norm={norm})")
    x = torch.randn(1, *GRID, DIM).double()
    with torch.no_grad():
        torch.testing.assert_close(mixer(x), block(mixer, x), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "words",
    [
        ("conv+mdta:cross", "conv+mdta:cross(padding=both)"),
        (
            "conv+w_msa(mask_padding=true):cross",
            "conv+w_msa(mask_padding=true):cross(padding=both)",
        ),
    ],
)
def test_there_is_nothing_to_pad_without_windows_or_where_they_mask_it(words):
    x = torch.randn(1, *GRID, DIM).double()
    with torch.no_grad():
        one, other = (build(word)(x) for word in words)
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_what_the_convolution_does_with_padding_is_counted():
    """Of 24 channels on a map of 5 x 4, padded to 6 x 6."""
    alone, both = (
        mixer_cost(parse(f"conv+w_msa:cross(padding={padding})"), DIM, HEADS, 3, GRID)
        for padding in ("attention", "both")
    )
    # two layers in front, one of the local branch, its kernel, and both layers of the spatial gate
    each = 24 * 12 + 24 * 24 + 24 * 12 + 24 * 9 + 12 * 4 + 4
    assert both.parameters == alone.parameters
    assert both.macs - alone.macs == (36 - 20) * each


def test_it_costs_what_the_papers_block_costs():
    cost = mixer_cost(parse("conv+w_msa:cross"), 96, 3, 7, (56, 56))
    assert cost.parameters == 39_256
    assert round(cost.macs / 1e6, 1) == 126.8
    assert cost.macs < mixer_cost(parse("w_msa"), 96, 3, 7, (56, 56)).macs


@pytest.mark.parametrize(
    ("word", "attention"),
    [("w_msa+conv:cross", "WMSA"), ("mdta+conv:cross", "MDTA"), ("w_msa+mdta:cross", "WMSA")],
)
def test_the_attention_is_the_branch_whose_values_can_be_gated(word, attention):
    mixer = build(word)
    assert type(mixer.branches[mixer.attention]).__name__ == attention
    assert mixer.attention_in[0].out_features == DIM // 2
    assert not mixer.identity_start(0) and not mixer.identity_start(1)


def test_each_branch_acts_on_the_other():
    mixer = build("conv+w_msa:cross")
    x = torch.randn(1, *GRID, DIM).double()
    before = mixer(x)
    for gate in (mixer.channel_gate, mixer.spatial_gate):
        with torch.no_grad():
            gate[-1].bias += 3
        after = mixer(x)
        assert not torch.allclose(after, before)
        before = after


def test_heads_that_cannot_be_halved_are_refused():
    with pytest.raises(InputError, match=r"stages.0: .*width 15 with num_heads 3 has 5 a head"):
        Variant(image_size=8, patch_size=1, stages=[Stage(15, 1, 3, ("conv+w_msa:cross",))])
