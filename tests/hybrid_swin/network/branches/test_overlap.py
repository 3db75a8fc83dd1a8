"""Overlapping windows against loops in coordinates of the map, in float64."""

import math

import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.network.branches.overlap import Overlap
from hybrid_swin.network.branches.w_msa import WMSA
from hybrid_swin.spec.block_words import parse

DIM, HEADS = 6, 2


def build(window=4, grid=(8, 8), **options):
    torch.manual_seed(0)
    module = Overlap(DIM, HEADS, window, grid, **options).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


def reference(module, x, gate, nominal):
    """Each query and the keys that are at most a margin away from its window, one by one."""
    height, width = x.shape[1:3]
    window = [min(*sides) for sides in zip(nominal, x.shape[1:3], strict=True)]
    whole = [math.ceil(s / w) * w for s, w in zip(x.shape[1:3], window, strict=True)]
    half = module.overlap / 2
    margin = [
        math.floor(w * half + 0.5) if s > w else 0
        for w, s in zip(window, x.shape[1:3], strict=True)
    ]
    reach = [w + math.floor(w * half + 0.5) for w in nominal]
    padded = torch.zeros(len(x), *whole, DIM, dtype=x.dtype)
    padded[:, :height, :width] = x
    qkv = module.qkv(padded).unflatten(-1, (3, HEADS, -1))
    out = torch.zeros(len(x), height, width, HEADS, DIM // HEADS, dtype=x.dtype)
    for b, i, j in torch.cartesian_prod(*(torch.arange(n) for n in x.shape[:3])).tolist():
        top, left = i // window[0] * window[0], j // window[1] * window[1]
        for head in range(HEADS):
            logits, values = [], []
            for k in range(top - margin[0], top + window[0] + margin[0]):
                for m in range(left - margin[1], left + window[1] + margin[1]):
                    if module.mask_padding and not (0 <= k < height and 0 <= m < width):
                        continue
                    row = (i - k + reach[0] - 1) * (2 * reach[1] - 1) + j - m + reach[1] - 1
                    bias, there = module.bias_table[row, head], 0 <= k < whole[0]
                    if there and 0 <= m < whole[1]:
                        query, key, value = qkv[b, i, j, 0], qkv[b, k, m, 1], qkv[b, k, m, 2]
                        bias = bias + query[head] @ key[head] / math.sqrt(DIM // HEADS)
                        values.append(value[head] * gate[b].view(HEADS, -1)[head])
                    else:
                        values.append(torch.zeros(DIM // HEADS, dtype=x.dtype))
                    logits.append(bias)
            out[b, i, j, head] = torch.stack(logits).softmax(0) @ torch.stack(values)
    return module.proj(out.flatten(3))


@pytest.mark.parametrize("mask_padding", [False, True])
@pytest.mark.parametrize(
    ("window", "grid", "size", "overlap"),
    [
        (4, (8, 8), (8, 8), 0.5),
        (3, (7, 7), (5, 7), 1.0),  # padded to whole windows
        ((2, 4), (8, 8), (4, 6), 0.5),
        (4, (8, 8), (3, 6), 0.75),  # one window covers an axis: no margin there
        (4, (3, 2), (3, 5), 0.5),  # made for a smaller map
        (2, (4, 4), (1, 1), 0.5),
    ],
)
def test_it_attends_to_the_window_and_what_lies_around_it(
    window, grid, size, overlap, mask_padding
):
    module = build(window, grid, overlap=overlap, mask_padding=mask_padding)
    x, gate = torch.randn(1, *size, DIM).double(), torch.randn(1, DIM).double()
    expected = reference(module, x, torch.ones_like(gate), module.window)
    gated = reference(module, x, gate, module.window)
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(module.proj(module.mix(x, gate)), gated, rtol=0, atol=1e-12)
    with torch.no_grad():  # fused
        torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mask_padding", [False, True])
@pytest.mark.parametrize("size", [(8, 8), (5, 7), (3, 9), (1, 1)])
def test_without_overlap_it_is_w_msa(size, mask_padding):
    module = build(4, (8, 8), overlap=0.0, mask_padding=mask_padding)
    plain = WMSA(DIM, HEADS, 4, (8, 8), mask_padding=mask_padding).double().eval()
    weights = module.state_dict()
    weights["relative_position_bias_table"] = weights.pop("bias_table")
    plain.load_state_dict(weights)
    x = torch.randn(2, *size, DIM).double()
    torch.testing.assert_close(module(x), plain(x), rtol=0, atol=1e-13)
    for window, grid in ((7, (14, 14)), (5, (3, 9))):
        assert Overlap.cost(96, 3, window, grid, overlap=0.0) == WMSA.cost(96, 3, window, grid)


def test_margins_are_those_of_hat_and_rounded_else():
    def reach(window, **options):
        x = torch.randn(1, 3 * window, 3 * window, DIM).double().requires_grad_()
        build(window, (3 * window, 3 * window), **options)(x)[0, window, window].sum().backward()
        rows = x.grad[0].abs().sum((1, 2)).nonzero().flatten().tolist()
        assert rows == list(range(rows[0], rows[-1] + 1))
        return len(rows)

    assert [reach(w) for w in (16, 8, 7, 4, 3, 2, 1)] == [24, 12, 11, 6, 5, 4, 1]
    assert [reach(8, overlap=n) for n in (0.0, 0.25, 0.5, 0.75, 1.0)] == [8, 10, 12, 14, 16]
    assert Overlap(180, 6, 16, (64, 64)).bias_table.shape == (39**2, 6)  # (16 + 24 - 1)^2 of HAT


def test_another_window_takes_over_the_table():
    module = build(4, (8, 8))
    x = torch.randn(1, 3, 3, DIM).double()
    before = module(x)
    module.resize(4, (3, 3))  # shrinks: what is left of the table is kept
    assert module.bias_table.shape == (7**2, HEADS)
    torch.testing.assert_close(module(x), before)
    module.resize(6, (12, 12))
    assert module.bias_table.shape == (15**2, HEADS)


def test_what_it_costs():
    cost = Overlap.cost(180, 6, 16, (64, 64))  # HAT's, for 64 x 64 pixels
    tokens = 64**2
    assert cost.parameters == 4 * 180**2 + 4 * 180 + 39**2 * 6
    assert cost.macs == 4 * tokens * 180**2 + 2 * tokens * 24**2 * 180
    # one window covers an axis: keys from beyond it along the other alone
    assert Overlap.cost(96, 3, 4, (4, 8)).macs == 4 * 32 * 96**2 + 2 * 32 * (4 * 6) * 96


@pytest.mark.parametrize("overlap", [-0.1, 1.01, float("nan")])
def test_an_overlap_that_cannot_be_is_refused(overlap):
    with pytest.raises(InputError, match=r"option overlap=\S+ is not possible; give a number"):
        parse(f"overlap(overlap={overlap})")
