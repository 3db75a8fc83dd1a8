"""Linear attention against loops over pairs of tokens in float64."""

import math

import pytest
import torch
from torch.nn import functional as F

from hybrid_swin.cost import count_cost
from hybrid_swin.network.branches.linear import LinearAttention, rotated
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

DIM, HEADS = 10, 2  # 4 does not divide it
OPTIONS = [
    {},
    {"feature": "focused"},
    {"rotary": True},
    {"feature": "focused", "rotary": True, "depthwise": False},
    {"attention": False},
    {"attention": False, "depthwise": False},
]


def build(dim=DIM, heads=HEADS, **options):
    torch.manual_seed(0)
    module = LinearAttention(dim, heads, 4, (5, 4), **options).double()
    return module.eval()


def turned(vector, row, column):
    """Pairs of channels as complex numbers, turned by the token's place."""
    count = len(vector) // 4
    out = vector.clone()
    for pair in range(2 * count):
        angle = (row if pair < count else column) / 10000 ** (pair % count / count)
        number = complex(*vector[2 * pair : 2 * pair + 2].tolist())
        number *= complex(math.cos(angle), math.sin(angle))
        out[2 * pair : 2 * pair + 2] = out.new_tensor([number.real, number.imag])
    return out


def feature(vector, options):
    if options.get("feature") != "focused":
        return F.elu(vector) + 1
    positive = F.relu(vector) + 1e-6
    return positive.norm() * positive**3 / (positive**3).norm()


def convolved(maps, conv):
    """A 3 x 3 convolution of each channel alone, by loops. (H, W, C)."""
    height, width = maps.shape[:2]
    out = conv.bias.expand(maps.shape).clone()
    for i in range(height):
        for j in range(width):
            for a in (-1, 0, 1):
                for b in (-1, 0, 1):
                    if 0 <= i + a < height and 0 <= j + b < width:
                        out[i, j] += maps[i + a, j + b] * conv.weight[:, 0, a + 1, b + 1]
    return out


def reference(module, image, gate, options):
    """Each query against each key, as attention is written. (H, W, C) -> (H, W, C)."""
    parts = (image @ module.qkv.weight.T + module.qkv.bias).split(DIM, dim=-1)
    values = parts[-1] * gate
    local = values if module.dwconv is None else convolved(values, module.dwconv)
    if not options.get("attention", True):
        mixed = values if module.dwconv is None else values + local
        return mixed @ module.proj.weight.T + module.proj.bias
    places = [(i, j) for i in range(image.shape[0]) for j in range(image.shape[1])]
    q, k = ({at: feature(part[at], options) for at in places} for part in parts[:2])
    mixed = torch.zeros_like(image) if module.dwconv is None else local.clone()
    size = DIM // HEADS
    for one in places:
        for head in range(HEADS):
            own = slice(head * size, (head + 1) * size)
            norm = sum(q[one][own] @ k[other][own] for other in places)
            for other in places:
                query, key = q[one], k[other]
                if options.get("rotary"):
                    query, key = turned(query, *one), turned(key, *other)
                weight = query[own] @ key[own] / (norm + 1e-6 * len(places))
                mixed[one][own] += weight * values[other][own]
    return mixed @ module.proj.weight.T + module.proj.bias


@pytest.mark.parametrize("size", [(2, 3), (1, 1)])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_computes_what_the_papers_say(options, size):
    module = build(**options)
    x, gate = torch.randn(2, *size, DIM).double(), torch.randn(2, DIM).double()
    for found, gates in (
        (module(x), torch.ones_like(gate)),
        (module.proj(module.mix(x, gate)), gate),
    ):
        pairs = zip(x, gates, strict=True)
        expected = torch.stack([reference(module, *pair, options) for pair in pairs])
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_it_is_mila_s_attention_but_for_the_projection_of_values():
    """MILA's ``LinearAttention``, step by step; there v is the input itself."""
    torch.manual_seed(0)
    module, x = build(16, 4, rotary=True), torch.randn(2, 20, 16).double()
    with torch.no_grad():
        module.qkv.weight[32:], module.qkv.bias[32:] = torch.eye(16), 0
    q, k = (F.elu(part) + 1 for part in module.qkv(x)[..., :32].chunk(2, dim=-1))
    angle = 10000 ** -(torch.arange(4) / 4).double()
    places = torch.meshgrid(torch.arange(5), torch.arange(4), indexing="ij")
    angles = torch.cat([place[..., None] * angle for place in places], dim=-1)

    def rope(part):
        numbers = torch.view_as_complex(part.reshape(2, 5, 4, 8, 2))
        turns = torch.polar(torch.ones_like(angles), angles)
        return torch.view_as_real(numbers * turns).reshape(2, 20, 16)

    def heads(part):
        return part.reshape(2, 20, 4, 4).permute(0, 2, 1, 3)

    z = 1 / (heads(q) @ heads(k).mean(dim=-2, keepdim=True).transpose(-2, -1) + 1e-6)
    kv = (heads(rope(k)).transpose(-2, -1) * 20**-0.5) @ (heads(x) * 20**-0.5)
    out = (heads(rope(q)) @ kv * z).transpose(1, 2).reshape(2, 20, 16)
    local = module.dwconv(x.reshape(2, 5, 4, 16).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    expected = out + local.reshape(2, 20, 16)
    found = module.mix(x.reshape(2, 5, 4, 16)).flatten(1, 2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_rotated_products_depend_on_the_offset_alone():
    q, k = torch.randn(2, 12).double()
    q, k = (rotated(vector.expand(1, 6, 7, 12))[0] for vector in (q, k))
    torch.testing.assert_close(q[1, 2] @ k[3, 5], q[2, 3] @ k[4, 6], rtol=0, atol=1e-12)
    assert not torch.isclose(q[1, 2] @ k[3, 5], q[1, 2] @ k[5, 3])
    torch.testing.assert_close(q.norm(dim=-1), q[0, 0].norm().expand(6, 7), rtol=0, atol=1e-12)


def test_without_convolution_and_positions_tokens_change_places_freely():
    x, order = torch.randn(1, 4, 4, DIM).double(), torch.randperm(16)
    swapped = x.flatten(1, 2)[:, order].view_as(x)
    alone = {"depthwise": False}
    for options, equal in ((alone, True), ({}, False), (alone | {"rotary": True}, False)):
        module = build(**options)
        found = module(swapped).flatten(1, 2)
        assert torch.allclose(found, module(x).flatten(1, 2)[:, order]) is equal


@pytest.mark.parametrize("feature", ["elu", "focused"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_survives_large_maps_and_features_of_zero(feature, dtype):
    module = build(feature=feature).to(dtype)
    x = 60 * torch.randn(3, 48, 48, DIM).to(dtype)
    with torch.no_grad():
        module.qkv.bias[:DIM] = -100  # φ(q) of many tokens underflows
        x[0] = 0  # and of all
        out, exact = module(x), module.double()(x.double())
    assert out.dtype == dtype and out.isfinite().all()
    assert (out - exact).abs().max() < 0.2 * exact.abs().max()


def test_what_it_costs():
    tokens = 56**2
    cost = LinearAttention.cost(96, 3, 7, (56, 56))
    assert cost.parameters == 4 * 96**2 + 14 * 96
    assert cost.macs == tokens * (4 * 96**2 + 2 * 96**2 // 3 + 10 * 96)
    # As much for each token on a map of any size.
    assert LinearAttention.cost(96, 3, 7, (112, 112)).macs == 4 * cost.macs
    plain = LinearAttention.cost(96, 3, 7, (56, 56), attention=False)
    assert plain.parameters == 2 * 96**2 + 12 * 96
    assert plain.macs == tokens * (2 * 96**2 + 9 * 96)
    alone = LinearAttention.cost(96, 3, 7, (56, 56), depthwise=False)
    assert (cost - alone).parameters == 10 * 96
    for options in ({"feature": "focused"}, {"rotary": True}):
        assert LinearAttention.cost(96, 3, 7, (56, 56), **options) == cost


def test_flatten_swin_t_costs_what_its_authors_code_does_but_for_what_is_left_out():
    """29M and 4.5G in the paper; by their code 29,192,384 parameters and 4,483,341,312 MACs."""
    blocks = [("linear(feature=focused)",)] * 2 + [("w_msa", "sw_msa")] * 2
    stages = [
        Stage(96 * 2**i, depth, 3 * 2**i, words)
        for i, (depth, words) in enumerate(zip((2, 2, 6, 2), blocks, strict=True))
    ]
    cost = count_cost(Variant(224, stages=stages))
    maps = (56**2, 96), (28**2, 192)  # of two blocks each
    positions = sum(2 * tokens * width + 2 * width for tokens, width in maps)  # and scales
    convolutions = sum(2 * (26 * 32 - 10 * width) for _, width in maps)
    assert cost.parameters + positions + convolutions == 29_192_384
    assert cost.macs + sum(2 * 16 * tokens * width for tokens, width in maps) == 4_483_341_312
