"""Channel group attention against loops in float64 and against Florence-2's."""

import pytest
import torch

from hybrid_swin.network.branches.channel_group import ChannelGroup

DIM, HEADS = 6, 2


def build(scale):
    torch.manual_seed(0)
    return ChannelGroup(DIM, HEADS, 4, (5, 4), scale=scale).double().eval()


def reference(module, x, gate, scale):
    mixed = torch.zeros_like(x)
    size = DIM // HEADS
    for image in range(len(x)):
        tokens = x[image].flatten(0, 1)
        q, k, v = (tokens @ module.qkv.weight.T + module.qkv.bias).T.split(DIM)  # each (C, N)
        # DaViT: keys ask values, and queries are mixed. Florence-2: queries ask keys, for values.
        asks, answers, taken = (k, v, q) if scale == "head" else (q, k, v)
        root = (size if scale == "head" else len(tokens)) ** 0.5
        for head in range(HEADS):
            channels = range(head * size, (head + 1) * size)
            for c in channels:
                logits = [(asks[c] @ answers[d]) / root for d in channels]
                weights = torch.stack(logits).softmax(0)
                total = sum(
                    w * taken[d] * gate[image, d] for w, d in zip(weights, channels, strict=True)
                )
                mixed[image, ..., c] = total.view(x.shape[1:3])
    return mixed @ module.proj.weight.T + module.proj.bias


@pytest.mark.parametrize("scale", ["head", "tokens"])
@pytest.mark.parametrize("size", [(5, 4), (1, 1), (3, 7)])
def test_it_computes_what_the_code_says(scale, size):
    module = build(scale)
    x, gate = torch.randn(2, *size, DIM).double(), torch.randn(2, DIM).double()
    found, gated = module(x), module.proj(module.mix(x, gate))
    expected = reference(module, x, torch.ones_like(gate), scale)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    expected = reference(module, x, gate, scale)
    torch.testing.assert_close(gated, expected, rtol=0, atol=1e-12)


def test_scaled_by_tokens_it_is_florences():
    from transformers.models.florence2.configuration_florence2 import Florence2VisionConfig
    from transformers.models.florence2.modeling_florence2 import Florence2VisionChannelAttention

    config = Florence2VisionConfig(
        embed_dim=[DIM], num_groups=[HEADS], num_heads=[HEADS], depths=[1], qkv_bias=True
    )
    config._attn_implementation = "eager"
    theirs = Florence2VisionChannelAttention(config, 0).double().eval()
    ours = build("tokens")
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 5, 4, DIM).double()
    found = ours(x).flatten(1, 2)
    torch.testing.assert_close(found, theirs(x.flatten(1, 2)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", ["head", "tokens"])
def test_tokens_change_places_freely(scale):
    """DaViT's convolutions, which tell where a token lies, are not a part of it."""
    module, x = build(scale), torch.randn(1, 4, 4, DIM).double()
    order = torch.randperm(16)
    turned = x.flatten(1, 2)[:, order].view_as(x)
    found = module(turned).flatten(1, 2)
    torch.testing.assert_close(found, module(x).flatten(1, 2)[:, order], rtol=0, atol=1e-12)


def test_the_scale_is_another_function():
    x = torch.randn(2, 5, 4, DIM).double()
    assert not torch.allclose(build("head")(x), build("tokens")(x))


def test_half_precision_survives_large_maps():
    module = build("head").half()
    x = 40 * torch.randn(1, 48, 48, DIM).half()  # products over space beyond 65,504
    with torch.no_grad():
        assert module.mix(x).isfinite().all()


@pytest.mark.parametrize("scale", ["head", "tokens"])
def test_what_it_costs(scale):
    cost, tokens = ChannelGroup.cost(96, 3, 7, (56, 56), scale=scale), 56**2
    assert cost.parameters == 4 * 96**2 + 4 * 96
    assert cost.macs == 4 * tokens * 96**2 + 2 * tokens * 96**2 // 3
