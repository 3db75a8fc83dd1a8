"""Pooled attention against loops in float64."""

import pytest
import torch

from hybrid_swin.network.branches.pooled import Pooled

DIM, HEADS = 6, 2


def build(pool):
    torch.manual_seed(0)
    return Pooled(DIM, HEADS, 4, (5, 4), pool=pool).double().eval()


def means(image, pool):
    """The mean of each square of tokens, of those that exist. (H, W, C) -> (M, C)."""
    height, width = image.shape[:2]
    return torch.stack(
        [
            image[i : i + pool, j : j + pool].flatten(0, 1).mean(0)
            for i in range(0, height, pool)
            for j in range(0, width, pool)
        ]
    )


def reference(module, x, gate, pool):
    mixed = torch.zeros_like(x)
    size = DIM // HEADS
    for image in range(len(x)):
        coarse = means(x[image], pool) @ module.kv.weight.T + module.kv.bias
        k, v = coarse.split(DIM, dim=-1)
        q = x[image] @ module.q.weight.T + module.q.bias
        for head in range(HEADS):
            own = slice(head * size, (head + 1) * size)
            for i in range(x.shape[1]):
                for j in range(x.shape[2]):
                    weights = (k[:, own] @ q[i, j, own] / size**0.5).softmax(0)
                    mixed[image, i, j, own] = weights @ v[:, own] * gate[image, own]
    return mixed @ module.proj.weight.T + module.proj.bias


@pytest.mark.parametrize("pool", [1, 2, 4, 7, 8])
@pytest.mark.parametrize("size", [(5, 4), (1, 1), (3, 9)])
def test_it_attends_to_means(pool, size):
    module = build(pool)
    x, gate = torch.randn(2, *size, DIM).double(), torch.randn(2, DIM).double()
    found, gated = module(x), module.proj(module.mix(x, gate))
    expected = reference(module, x, torch.ones_like(gate), pool)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(gated, reference(module, x, gate, pool), rtol=0, atol=1e-12)


def test_training_keeps_no_map_of_tokens_by_means():
    module, saved = Pooled(DIM, HEADS, 4, (16, 16), pool=1), []

    def keep(tensor):
        saved.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        module(torch.randn(1, 16, 16, DIM, requires_grad=True))
    assert saved
    assert max(saved) < 256 * 256


def test_pooling_sees_channels_last_memory():
    assert build(2)._pool(torch.randn(2, 5, 4, DIM)).is_contiguous()


def test_what_it_costs():
    tokens, coarse = 56**2, 28**2
    cost = Pooled.cost(96, 3, 7, (56, 56))
    assert cost.parameters == 4 * 96**2 + 4 * 96
    assert cost.macs == 2 * (tokens + coarse) * 96**2 + 2 * tokens * coarse * 96
    assert cost == Pooled.cost(96, 3, 7, (56, 56), pool=2)
    everything = Pooled.cost(96, 3, 7, (56, 56), pool=1)
    assert everything.macs == 4 * tokens * 96**2 + 2 * tokens**2 * 96
    # 5 x 4 tokens in squares of 4: 2 x 1 means.
    assert Pooled.cost(6, 2, 7, (5, 4), pool=4).macs == 2 * (20 + 2) * 36 + 2 * 20 * 2 * 6
