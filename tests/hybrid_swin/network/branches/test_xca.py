"""XCA against loops in float64."""

import pytest
import torch

from hybrid_swin.network.branches.mdta import MDTA
from hybrid_swin.network.branches.xca import XCA

DIM, HEADS = 6, 2


def build(**options):
    torch.manual_seed(0)
    module = XCA(DIM, HEADS, 4, (5, 4), **options).double()
    with torch.no_grad():
        module.temperature.copy_(torch.tensor([[[2.0]], [[-3.0]]]))
    return module.eval()


def reference(module, x, gate):
    mixed = torch.zeros_like(x)
    size = DIM // HEADS
    for image in range(len(x)):
        maps = x[image] @ module.qkv.weight.T
        if module.qkv.bias is not None:
            maps = maps + module.qkv.bias
        q, k, v = maps.flatten(0, 1).T.split(DIM)  # each (C, N)
        for head in range(HEADS):
            channels = range(head * size, (head + 1) * size)
            for c in channels:
                logits = [
                    module.temperature[head, 0, 0] * (q[c] @ k[d]) / (q[c].norm() * k[d].norm())
                    for d in channels
                ]
                weights = torch.stack(logits).softmax(0)
                total = sum(
                    w * v[d] * gate[image, d] for w, d in zip(weights, channels, strict=True)
                )
                mixed[image, ..., c] = total.view(x.shape[1:3])
    return mixed @ module.proj.weight.T + module.proj.bias


@pytest.mark.parametrize("qkv_bias", [False, True])
@pytest.mark.parametrize("size", [(5, 4), (1, 1), (3, 7)])
def test_it_computes_what_the_paper_says(size, qkv_bias):
    module = build(qkv_bias=qkv_bias)
    assert (module.qkv.bias is not None) == qkv_bias
    x, gate = torch.randn(2, *size, DIM).double(), torch.randn(2, DIM).double()
    found, gated = module(x), module.proj(module.mix(x, gate))
    torch.testing.assert_close(
        found, reference(module, x, torch.ones_like(gate)), rtol=0, atol=1e-12
    )
    torch.testing.assert_close(gated, reference(module, x, gate), rtol=0, atol=1e-12)


def test_it_is_mdta_without_its_convolution_and_with_a_bias():
    module, other = build(), MDTA(DIM, HEADS, 4, (5, 4), depthwise=False).double()
    state = module.state_dict()
    bias = state.pop("proj.bias")
    other.load_state_dict(state)
    x = torch.randn(2, 5, 4, DIM).double()
    torch.testing.assert_close(module(x), other(x) + bias, rtol=0, atol=1e-12)


def test_with_biases_it_is_the_module_of_the_published_networks():
    """XCiT's ``XCA`` with ``qkv_bias=True``, as all its networks have it, step by step."""
    module, x = build(qkv_bias=True), torch.randn(2, 5, 4, DIM).double()
    tokens = x.flatten(1, 2)
    qkv = module.qkv(tokens).reshape(2, 20, 3, HEADS, DIM // HEADS).permute(2, 0, 3, 1, 4)
    q, k, v = (part.transpose(-2, -1) for part in qkv)
    q, k = (torch.nn.functional.normalize(part, dim=-1) for part in (q, k))
    attention = ((q @ k.transpose(-2, -1)) * module.temperature).softmax(dim=-1)
    expected = module.proj((attention @ v).permute(0, 3, 1, 2).reshape(2, 20, DIM))
    torch.testing.assert_close(module(x).flatten(1, 2), expected, rtol=0, atol=1e-12)


def test_tokens_change_places_freely():
    module = build()
    x = torch.randn(1, 4, 4, DIM).double()
    order = torch.randperm(16)
    turned = x.flatten(1, 2)[:, order].view_as(x)
    assert torch.allclose(module(turned).flatten(1, 2), module(x).flatten(1, 2)[:, order])


def test_the_temperature_starts_at_one_and_does_not_decay():
    module = XCA(DIM, HEADS, 4, (5, 4))
    assert torch.equal(module.temperature, torch.ones(HEADS, 1, 1))
    assert module.no_weight_decay() == {"temperature"}


def test_half_precision_survives_maps_of_zeros_and_large_ones():
    module = XCA(DIM, HEADS, 4, (5, 4)).half().eval()
    x = 40 * torch.randn(2, 48, 48, DIM).half()  # products over space beyond 65,504
    x[0] = 0
    with torch.no_grad():
        module.qkv.weight[1] = 0  # a channel that is zero everywhere
        mixed = module.mix(x)
    assert mixed.dtype == torch.float16
    assert mixed.isfinite().all()
    assert not mixed[0].any()


def test_what_it_costs_is_what_was_measured():
    cost, tokens = XCA.cost(96, 3, 7, (56, 56)), 56**2
    assert cost.parameters == 4 * 96**2 + 96 + 3 == 36_963
    assert cost.macs == 4 * tokens * 96**2 + 2 * tokens * 96**2 // 3
    biased = XCA.cost(96, 3, 7, (56, 56), qkv_bias=True)
    assert (biased - cost).to_dict() == {"parameters": 3 * 96, "macs": 0, "activations": 0}
