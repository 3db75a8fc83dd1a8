"""Grid attention against loops: a token sees those that lie whole strides away."""

import math

import pytest
import torch

from hybrid_swin.network.branches.grid import GridAttention
from hybrid_swin.network.branches.w_msa import WMSA

DIM, HEADS = 6, 2


def build(window, grid):
    torch.manual_seed(0)
    module = GridAttention(DIM, HEADS, window, grid).double().eval()
    with torch.no_grad():
        module.relative_position_bias_table.normal_()
        module.qkv.bias.normal_()
    return module


def reference(module, x, window):
    """Attend from each token to those a whole number of strides away, padding included."""
    (wh, ww), (height, width) = window, x.shape[1:3]
    strides = math.ceil(height / wh), math.ceil(width / ww)
    padded = torch.zeros(len(x), wh * strides[0], ww * strides[1], DIM, dtype=x.dtype)
    padded[:, :height, :width] = x
    q, k, v = module.qkv(padded).unflatten(-1, (3, HEADS, -1)).unbind(3)
    out = torch.zeros(len(x), height, width, HEADS, DIM // HEADS, dtype=x.dtype)
    for image in range(len(x)):
        for i in range(height):
            for j in range(width):
                keys = [
                    (a, b)
                    for a in range(i % strides[0], padded.shape[1], strides[0])
                    for b in range(j % strides[1], padded.shape[2], strides[1])
                ]
                for head in range(HEADS):
                    logits = []
                    for a, b in keys:
                        steps = (i - a) // strides[0], (j - b) // strides[1]
                        row = (steps[0] + wh - 1) * (2 * ww - 1) + steps[1] + ww - 1
                        product = q[image, i, j, head] @ k[image, a, b, head]
                        bias = module.relative_position_bias_table[row, head]
                        logits.append(product / math.sqrt(DIM // HEADS) + bias)
                    weights = torch.stack(logits).softmax(0)
                    values = torch.stack([v[image, a, b, head] for a, b in keys])
                    out[image, i, j, head] = weights @ values
    return module.proj(out.flatten(3))


@pytest.mark.parametrize(
    ("window", "size"),
    [(2, (4, 6)), (4, (8, 8)), (3, (7, 5)), (4, (9, 4)), (3, (1, 5)), (1, (3, 2))],
)
def test_it_attends_over_the_map_in_strides(window, size):
    module = build(window, size)
    x = torch.randn(2, *size, DIM).double()
    fitted = min(window, size[0]), min(window, size[1])
    with torch.no_grad():
        expected = reference(module, x, fitted)
        torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(module(x).detach(), expected, rtol=0, atol=1e-12)


def test_its_reach_is_the_map():
    x = torch.randn(1, 8, 8, DIM).double().requires_grad_()
    build(4, (8, 8))(x)[0, 3, 2].sum().backward()
    reach = {tuple(p) for p in x.grad[0].abs().sum(-1).nonzero().tolist()}
    assert reach == {(i, j) for i in (1, 3, 5, 7) for j in (0, 2, 4, 6)}


def test_where_the_window_covers_the_map_it_is_w_msa():
    grid, plain = build(4, (4, 3)), WMSA(DIM, HEADS, 4, (4, 3)).double().eval()
    plain.load_state_dict(grid.state_dict())
    x = torch.randn(2, 4, 3, DIM).double()
    torch.testing.assert_close(grid(x), plain(x), rtol=0, atol=0)


def test_it_costs_what_window_attention_costs():
    for size in ((56, 56), (30, 17)):
        assert GridAttention.cost(96, 3, 7, size) == WMSA.cost(96, 3, 7, size)
