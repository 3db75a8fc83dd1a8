"""Bi-level routing attention against loops over regions and tokens, in float64."""

import math

import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.network.branches.pooled import Pooled
from hybrid_swin.network.branches.routing import Routing
from hybrid_swin.spec.block_words import parse

DIM, HEADS = 6, 2


def build(heads=HEADS, **options):
    torch.manual_seed(0)
    return Routing(DIM, heads, 4, (8, 8), **options).double().eval()


@torch.no_grad()
def reference(module, x, gate, regions, topk):
    """One image at a time; a region is a list of the places of its tokens."""
    height, width = x.shape[1:3]
    sides = math.ceil(height / regions), math.ceil(width / regions)
    places = {}
    for i in range(height):
        for j in range(width):
            places.setdefault((i // sides[0], j // sides[1]), []).append((i, j))
    q, k, v = module.qkv(x).chunk(3, dim=-1)
    v = v * gate[:, None, None]
    out = torch.zeros_like(x)
    for image in range(len(x)):

        def tokens(of, region, image=image):
            return torch.stack([of[image, i, j] for i, j in places[region]])

        for own, here in places.items():
            mean = tokens(q, own).mean(0)
            affinity = {other: float(mean @ tokens(k, other).mean(0)) for other in places}
            chosen = sorted(places, key=affinity.get, reverse=True)[:topk]
            keys = torch.cat([tokens(k, other) for other in chosen])
            values = torch.cat([tokens(v, other) for other in chosen])
            for head in range(module.num_heads):
                part = slice(head * DIM // module.num_heads, (head + 1) * DIM // module.num_heads)
                for i, j in here:
                    weights = (keys[:, part] @ q[image, i, j, part] / math.sqrt(DIM)).softmax(0)
                    out[image, i, j, part] = weights @ values[:, part]
    return module.proj(out + module.dwconv(v.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))


@pytest.mark.parametrize(
    ("size", "regions", "topk"),
    [
        ((6, 6), 3, 2),
        ((7, 5), 3, 2),  # regions are filled up on both axes
        ((4, 9), 7, 4),  # fewer regions than asked for
        ((6, 6), 3, 9),  # all of them: nothing is chosen
        ((5, 7), 2, 99),
        ((1, 1), 7, 4),
    ],
)
def test_regions_attend_to_those_that_suit_them(size, regions, topk):
    module = build(regions=regions, topk=topk)
    x, gate = torch.randn(2, *size, DIM).double(), torch.randn(2, DIM).double()
    expected = reference(module, x, torch.ones_like(gate), regions, topk)
    gated = reference(module, x, gate, regions, topk)
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(module.proj(module.mix(x, gate)), gated, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(8, 8), (5, 9), (1, 3)])
@pytest.mark.parametrize("topk", [49, 1000])
def test_all_regions_make_it_global_attention(size, topk):
    module = build(heads=1, topk=topk, depthwise=False)  # of one head, whose scale is the same
    whole = Pooled(DIM, 1, 4, (8, 8), pool=1).double()
    weights = module.state_dict()
    for kind in ("weight", "bias"):
        q, kv = weights.pop(f"qkv.{kind}").split((DIM, 2 * DIM))
        weights |= {f"q.{kind}": q, f"kv.{kind}": kv}
    whole.load_state_dict(weights)
    x = torch.randn(2, *size, DIM).double()
    torch.testing.assert_close(module(x), whole(x), rtol=0, atol=1e-12)


def test_padding_is_never_attended_to():
    """What would be padding is of no region: a larger bias changes nothing there."""
    module, x = build(regions=3, topk=2), torch.randn(1, 7, 7, DIM).double()
    with torch.no_grad():
        module.qkv.bias.normal_(std=5)
        expected = reference(module, x, torch.ones(1, DIM).double(), 3, 2)
        torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)


def reach(module, x):
    x = x.clone().requires_grad_()
    module.mix(x)[0, 5, 5].sum().backward()
    return {tuple(place) for place in x.grad[0].abs().sum(-1).nonzero().tolist()}


def test_among_equals_the_first_is_taken():
    module = build(regions=3, topk=2, depthwise=False)
    seen = reach(module, torch.ones(1, 6, 6, DIM).double())
    assert seen == {(i, j) for i in range(2) for j in range(4)}


def test_controls_leave_a_half_each():
    x = torch.randn(1, 6, 6, DIM).double()
    conv = build(attention=False)
    assert set(conv.state_dict()) == {
        f"{layer}.{kind}" for layer in ("qkv", "dwconv", "proj") for kind in ("weight", "bias")
    }
    assert conv.qkv.weight.shape == (DIM, DIM)
    values = conv.qkv(x)
    local = conv.dwconv(values.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    torch.testing.assert_close(conv(x), conv.proj(values + local))
    assert reach(conv, x) == {(i, j) for i in (3, 4, 5) for j in (3, 4, 5)}
    both = build(attention=False, depthwise=False)
    torch.testing.assert_close(both(x), both.proj(both.qkv(x)))


def test_what_it_costs():
    tokens, dim = 56**2, 64
    cost = Routing.cost(dim, 2, 7, (56, 56), topk=1)  # BiFormer-T's first stage
    assert cost.parameters == 4 * dim**2 + 4 * dim + 26 * dim
    projections, conv = 4 * tokens * dim**2, 25 * tokens * dim
    assert cost.macs == projections + conv + 49**2 * dim + 2 * tokens * 8**2 * dim
    every = Routing.cost(dim, 2, 7, (56, 56), topk=49)
    assert every.macs == projections + conv + 2 * tokens**2 * dim


@pytest.mark.parametrize("options", [{"regions": 0}, {"topk": 0}])
def test_numbers_that_cannot_be_are_refused(options):
    key, value = next(iter(options.items()))
    with pytest.raises(InputError, match=f"{key}={value} is not possible; give a whole number"):
        parse(f"routing({key}={value})")
