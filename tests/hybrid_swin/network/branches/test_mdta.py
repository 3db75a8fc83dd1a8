"""MDTA against loops in float64."""

import pytest
import torch

from hybrid_swin.network.branches.mdta import MDTA

DIM, HEADS = 6, 2


def build(**options):
    torch.manual_seed(0)
    module = MDTA(DIM, HEADS, 4, (5, 4), **options).double()
    if module.temperature is not None:
        with torch.no_grad():
            module.temperature.copy_(torch.tensor([[[2.0]], [[-3.0]]]))
    return module.eval()


def convolved(maps, kernels):
    """A 3 x 3 convolution of each channel alone, by loops. (B, H, W, C)."""
    height, width = maps.shape[1:3]
    out = torch.zeros_like(maps)
    for i in range(height):
        for j in range(width):
            for a in (-1, 0, 1):
                for b in (-1, 0, 1):
                    if 0 <= i + a < height and 0 <= j + b < width:
                        out[:, i, j] += maps[:, i + a, j + b] * kernels[:, 0, a + 1, b + 1]
    return out


def reference(module, x, gate=None):
    maps = x @ module.qkv.weight.T
    if module.dwconv is not None:
        maps = convolved(maps, module.dwconv.weight)
    if module.temperature is None:
        mixed = maps if gate is None else maps * gate[:, None, None]
        return mixed @ module.proj.weight.T
    mixed = torch.zeros_like(x)
    size = DIM // HEADS
    for image in range(len(x)):
        q, k, v = maps[image].flatten(0, 1).T.split(DIM)  # each (C, N)
        for head in range(HEADS):
            channels = range(head * size, (head + 1) * size)
            for c in channels:
                logits = [
                    module.temperature[head, 0, 0] * (q[c] @ k[d]) / (q[c].norm() * k[d].norm())
                    for d in channels
                ]
                weights = torch.stack(logits).softmax(0)
                total = torch.zeros_like(v[0])
                for weight, d in zip(weights, channels, strict=True):
                    total += weight * v[d] * (1 if gate is None else gate[image, d])
                mixed[image, ..., c] = total.view(x.shape[1:3])
    return mixed @ module.proj.weight.T


OPTIONS = [
    {},
    {"depthwise": False},
    {"attention": False},
    {"depthwise": False, "attention": False},
]


@pytest.mark.parametrize("size", [(5, 4), (1, 1), (3, 7)])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_computes_what_the_paper_says(options, size):
    module = build(**options)
    x = torch.randn(2, *size, DIM, dtype=torch.float64)
    torch.testing.assert_close(module(x), reference(module, x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_gate_multiplies_the_values(options):
    module = build(**options)
    x, gate = torch.randn(2, 5, 4, DIM).double(), torch.randn(2, DIM).double()
    found = module.proj(module.mix(x, gate))
    torch.testing.assert_close(found, reference(module, x, gate), rtol=0, atol=1e-12)
    assert not torch.allclose(found, module(x))


def test_the_temperature_starts_at_one_and_sharpens():
    module = MDTA(DIM, HEADS, 4, (5, 4))
    assert torch.equal(module.temperature, torch.ones(HEADS, 1, 1))
    assert module.no_weight_decay() == {"temperature"}
    module = build()
    with torch.no_grad():
        module.temperature.zero_()  # every channel weighs the same
    x = torch.randn(1, 5, 4, DIM).double()
    mixed = module.mix(x)[0].view(-1, HEADS, DIM // HEADS)
    assert torch.allclose(mixed, mixed.mean(-1, keepdim=True).expand_as(mixed))


def test_the_switches_remove_their_halves():
    assert build(depthwise=False).dwconv is None
    plain = build(attention=False)
    assert plain.temperature is None
    assert plain.no_weight_decay() == set()
    assert plain.qkv.weight.shape == (DIM, DIM)
    # Without its convolution it mixes nothing but channels: tokens change places freely.
    x = torch.randn(1, 4, 4, DIM).double()
    order = torch.randperm(16)
    turned = x.flatten(1, 2)[:, order].view_as(x)
    for options, equal in (({"depthwise": False}, True), ({}, False)):
        module = build(**options)
        found = module(turned).flatten(1, 2)
        assert torch.allclose(found, module(x).flatten(1, 2)[:, order]) is equal


def test_half_precision_survives_maps_of_zeros():
    module = MDTA(DIM, HEADS, 4, (5, 4), depthwise=False).half().eval()
    x = torch.randn(2, 5, 4, DIM).half()
    x[0] = 0  # an empty image
    with torch.no_grad():
        module.qkv.weight[1] = 0  # a channel that is zero everywhere
        out = module(x)
    assert out.dtype == torch.float16
    assert out.isfinite().all()
    assert not out[0].any()


def test_zeros_have_finite_gradients():
    module = MDTA(DIM, HEADS, 4, (5, 4))
    x = torch.zeros(1, 5, 4, DIM, requires_grad=True)
    module(x).sum().backward()
    assert all(t.grad.isfinite().all() for t in (x, *module.parameters()))


def test_what_it_costs_is_what_the_paper_says():
    cost = MDTA.cost(96, 3, 7, (56, 56))
    tokens = 56**2
    assert cost.parameters == 4 * 96**2 + 27 * 96 + 3 == 39_459
    assert cost.macs == 4 * tokens * 96**2 + 27 * tokens * 96 + 2 * tokens * 96**2 // 3
    assert round(cost.macs / 1e6, 1) == 143.0
    assert MDTA.cost(96, 3, 7, (56, 56), depthwise=False).parameters == 4 * 96**2 + 3
    plain = MDTA.cost(96, 3, 7, (56, 56), attention=False)
    assert plain.parameters == 2 * 96**2 + 9 * 96
    assert plain.macs == 2 * tokens * 96**2 + 9 * tokens * 96
