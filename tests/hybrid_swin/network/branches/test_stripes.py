"""Cross-shaped windows against loops in float64."""

import pytest
import torch

from hybrid_swin.network.branches.stripes import Stripes
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.nominal_words import word_on_map

DIM = 12


def build(heads=2, **options):
    torch.manual_seed(0)
    return Stripes(DIM, heads, 4, (8, 8), **options).double().eval()


def reference(module, x, heads, width, attention=True, positions=True, gate=None):
    """One image, one head and one token at a time; a stripe is a list of places."""
    height, breadth = x.shape[1:3]
    size, rows = DIM // heads, heads - heads // 2
    *qk, v = (x @ module.qkv.weight.T + module.qkv.bias).split(DIM, dim=-1)
    if gate is not None:
        v = v * gate[:, None, None]
    mixed = torch.zeros_like(x)
    places = [(i, j) for i in range(height) for j in range(breadth)]
    for b in range(len(x)):
        for head in range(heads):
            half, axis = (0, 0) if head < rows else (1, 1)
            for at in places:
                stripe = [p for p in places if p[axis] // width == at[axis] // width]
                for c in range(head * size, (head + 1) * size):
                    value = v[b, *at, c]
                    if attention:
                        channels = slice(head * size, (head + 1) * size)
                        q = qk[0][b, *at, channels]
                        logits = [q @ qk[1][b, *p, channels] / size**0.5 for p in stripe]
                        weights = torch.stack(logits).softmax(0)
                        value = sum(w * v[b, *p, c] for w, p in zip(weights, stripe, strict=True))
                    if positions:
                        conv = module.halves[half].dwconv
                        own = c - half * rows * size
                        value = value + conv.bias[own]
                        for i, j in stripe:
                            di, dj = i - at[0] + 1, j - at[1] + 1
                            if 0 <= di <= 2 and 0 <= dj <= 2:
                                value = value + conv.weight[own, 0, di, dj] * v[b, i, j, c]
                    mixed[b, *at, c] = value
    return mixed @ module.proj.weight.T + module.proj.bias


CASES = [
    ((4, 6), 2, {}),
    ((5, 3), 2, {"width": 2}),
    ((3, 4), 3, {"width": 1}),
    ((3, 5), 4, {"width": 4}),
    ((2, 3), 1, {"width": 2}),
    ((1, 1), 2, {"width": 7}),
    ((4, 5), 2, {"positions": False}),
    ((4, 5), 3, {"attention": False}),
    ((4, 5), 2, {"attention": False, "positions": False}),
]


@pytest.mark.parametrize(("size", "heads", "options"), CASES, ids=str)
def test_it_computes_what_the_paper_says(size, heads, options):
    module = build(heads, **options)
    x, gate = torch.randn(2, *size, DIM).double(), torch.randn(2, DIM).double()
    options = {"width": 2} | options
    with torch.no_grad():
        expected = reference(module, x, heads, **options)
        torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)
        expected = reference(module, x, heads, gate=gate, **options)
        found = module.proj(module.mix(x, gate))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def reached(heads, size, **options):
    """The tokens that a change of the middle one reaches."""
    module, x = build(heads, **options), torch.randn(1, *size, DIM).double()
    other = x.clone()
    other[0, size[0] // 2, size[1] // 2] += 1
    return (module(other) != module(x)).any(-1)[0]


def test_a_token_sees_a_cross_and_a_single_head_no_columns():
    expected = torch.zeros(7, 8, dtype=torch.bool)
    expected[2:4] = True
    assert torch.equal(reached(1, (7, 8)), expected)
    expected[:, 4:6] = True
    assert torch.equal(reached(2, (7, 8)), expected)
    near = reached(2, (7, 8), attention=False)
    assert near.sum() == 8 and near[2:5, 3:6].sum() == 8  # 2 x 3 of its rows, 3 x 2 of its columns


def test_a_stripe_that_covers_the_map_is_plain_attention():
    """As in the last stage of CSWin; then the width counts no more."""
    narrow, wide = build(width=7), build(width=12)
    x = torch.randn(2, 7, 5, DIM).double()
    assert torch.equal(narrow(x), wide(x))

    def identity(options):
        return str(word_on_map(parse(f"stripes({options})").canonical(), (7, 5), 4, 2))

    assert {identity(f"width={s}") for s in (7, 8, 12)} == {"stripes(width=7)"}
    assert [identity(f"width={s}") for s in (2, 4)] == ["stripes", "stripes(width=4)"]
    nothing = "attention=false;positions=false"
    assert identity(f"{nothing};width=4") == "linear(attention=false;depthwise=false)"


def test_what_it_costs():
    tokens = 56**2
    cost = Stripes.cost(64, 2, 7, (56, 56), width=1)
    assert cost.parameters == 4 * 64**2 + 14 * 64
    assert cost.macs == 4 * tokens * 64**2 + 9 * tokens * 64 + tokens * 64 * (56 + 56)
    assert Stripes.cost(64, 2, 7, (56, 56), positions=False).parameters == 4 * 64**2 + 4 * 64
    plain = Stripes.cost(64, 2, 7, (56, 56), attention=False)
    assert plain.parameters == 2 * 64**2 + 12 * 64
    assert plain.macs == 2 * tokens * 64**2 + 9 * tokens * 64
