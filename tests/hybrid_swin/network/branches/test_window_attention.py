"""Windowed attention against loops over queries and keys in coordinates of the map: no roll."""

import math

import pytest
import torch

from hybrid_swin.network.branches.sw_msa import SWMSA
from hybrid_swin.network.branches.w_msa import WMSA

DIM, HEADS = 6, 2


def build(branch, window, grid, seed=0):
    """A branch in float64 with a position bias large enough to matter."""
    torch.manual_seed(seed)
    module = branch(DIM, HEADS, window, grid).double()
    with torch.no_grad():
        module.relative_position_bias_table.normal_()
        module.qkv.bias.normal_()
    return module.eval()


def axis(module, nominal, size, number):
    """Window, shift and padded size of one axis, by the rules of the paper."""
    window = min(number, nominal, size)
    shift = window // 2 if module.layout == "shifted" and size > window else 0
    return window, shift, math.ceil(size / window) * window


def reference(module, x, window_size, grid, value_gate=None):
    """Attend from each token to those that share its window on the (shifted) grid."""
    height, width = x.shape[1:3]
    nominal = window_size if isinstance(window_size, tuple) else (window_size, window_size)
    wh, sh, ph = axis(module, grid[0], height, nominal[0])
    ww, sw, pw = axis(module, grid[1], width, nominal[1])
    table_h, table_w = min(nominal[0], grid[0]), min(nominal[1], grid[1])
    padded = torch.zeros(len(x), ph, pw, DIM, dtype=x.dtype)
    padded[:, :height, :width] = x
    qkv = module.qkv(padded).view(len(x), ph, pw, 3, HEADS, DIM // HEADS)
    out = torch.zeros(len(x), height, width, HEADS, DIM // HEADS, dtype=x.dtype)
    for image in range(len(x)):
        gate = 1 if value_gate is None else value_gate[image].view(HEADS, -1)
        for i in range(height):
            for j in range(width):
                keys = [
                    (k, m)
                    for k in range(ph)
                    for m in range(pw)
                    # Windows begin at the shift; before it lies a part of one.
                    if (k - sh) // wh == (i - sh) // wh and (m - sw) // ww == (j - sw) // ww
                ]
                for head in range(HEADS):
                    query = qkv[image, i, j, 0, head]
                    logits = []
                    for k, m in keys:
                        row = (i - k + table_h - 1) * (2 * table_w - 1) + (j - m + table_w - 1)
                        bias = module.relative_position_bias_table[row, head]
                        logit = query @ qkv[image, k, m, 1, head] / math.sqrt(DIM // HEADS)
                        logits.append(logit + bias)
                    weights = torch.stack(logits).softmax(0)
                    values = torch.stack([qkv[image, k, m, 2, head] for k, m in keys])
                    mixed = weights @ values
                    out[image, i, j, head] = mixed * (gate if value_gate is None else gate[head])
    return module.proj(out.flatten(3))


CASES = [  # (window, nominal grid, map)
    (4, (8, 8), (8, 8)),  # whole windows, even
    (3, (6, 6), (6, 6)),  # odd window: shift 1
    (4, (7, 7), (7, 7)),  # padded, then rolled
    (3, (5, 7), (5, 7)),  # oblong and padded on both axes
    (4, (8, 4), (8, 4)),  # one axis covered: no shift there
    (4, (4, 4), (4, 4)),  # covered: nothing shifted
    (4, (3, 2), (3, 2)),  # smaller than the window
    (4, (3, 9), (3, 9)),  # smaller on one axis
    (2, (1, 5), (1, 5)),
    (1, (3, 3), (3, 3)),
    (4, (8, 8), (6, 9)),  # another map than was built for
    (4, (8, 8), (3, 5)),  # a smaller one: the window shrinks
    (4, (3, 3), (7, 8)),  # built for less than a window
    ((2, 4), (4, 8), (4, 8)),  # sides that differ, whole windows
    ((3, 2), (7, 5), (7, 5)),  # padded on both axes
    ((4, 2), (3, 6), (3, 6)),  # a map smaller than the window on one side
    ((2, 5), (6, 4), (6, 4)),  # on the other
    ((3, 4), (6, 8), (2, 9)),  # another map than was built for
    ((1, 4), (3, 8), (3, 8)),  # rows
]


@pytest.mark.parametrize("branch", [WMSA, SWMSA])
@pytest.mark.parametrize(("window", "grid", "size"), CASES)
def test_it_attends_within_windows_of_the_map(branch, window, grid, size):
    module = build(branch, window, grid)
    x = torch.randn(2, *size, DIM, dtype=torch.float64)
    with torch.no_grad():
        expected = reference(module, x, window, grid)
        fused = module(x)
    plain = module(x)  # gradients on: written out, not fused
    assert plain.requires_grad
    torch.testing.assert_close(fused, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(plain.detach(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("branch", [WMSA, SWMSA])
def test_a_gate_multiplies_the_values(branch):
    module = build(branch, 3, (5, 6))
    x, gate = torch.randn(2, 5, 6, DIM).double(), torch.randn(2, DIM).double()
    with torch.no_grad():
        expected = reference(module, x, 3, (5, 6), gate)
        torch.testing.assert_close(module.proj(module.mix(x, gate)), expected, rtol=0, atol=1e-12)
    assert branch.gates_values


def test_shifting_lets_tokens_of_two_windows_meet():
    reach = {}
    for branch in (WMSA, SWMSA):
        x = torch.randn(1, 8, 8, DIM).double().requires_grad_()
        build(branch, 4, (8, 8))(x)[0, 3, 3].sum().backward()
        reach[branch] = {tuple(p) for p in x.grad[0].abs().sum(-1).nonzero().tolist()}
    assert reach[WMSA] == {(i, j) for i in range(4) for j in range(4)}
    assert reach[SWMSA] == {(i, j) for i in range(2, 6) for j in range(2, 6)}


def test_a_corner_of_the_shifted_grid_sees_only_itself():
    x = torch.randn(1, 8, 8, DIM).double().requires_grad_()
    build(SWMSA, 4, (8, 8))(x)[0, 7, 0].sum().backward()
    reach = {tuple(p) for p in (x.grad[0].abs().sum(-1) > 1e-30).nonzero().tolist()}
    assert reach == {(i, j) for i in (6, 7) for j in (0, 1)}


def test_both_ways_to_compute_have_the_same_gradient_as_the_reference():
    module = build(SWMSA, 3, (5, 4))
    x = torch.randn(1, 5, 4, DIM).double()
    grads = []
    for compute in (lambda: module(x), lambda: reference(module, x, 3, (5, 4))):
        module.zero_grad()
        compute().square().sum().backward()
        grads.append([p.grad.clone() for p in module.parameters()])
    for found, expected in zip(*grads, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_the_table_is_that_of_the_window_which_fits():
    assert WMSA(8, 2, 7, (14, 14)).relative_position_bias_table.shape == (169, 2)
    assert WMSA(8, 2, 7, (4, 14)).relative_position_bias_table.shape == (7 * 13, 2)
    assert WMSA(8, 2, (7, 9), (14, 14)).relative_position_bias_table.shape == (13 * 17, 2)
    table = WMSA(1024, 8, 7, (7, 7)).relative_position_bias_table
    assert 0.018 < table.std() < 0.022
    assert WMSA(8, 2, 7, (14, 14)).no_weight_decay() == {"relative_position_bias_table"}


def test_what_it_costs_is_what_the_paper_says():
    for branch in (WMSA, SWMSA):
        cost = branch.cost(96, 3, 7, (56, 56))
        assert cost.parameters == 4 * 96**2 + 4 * 96 + 13**2 * 3 == 37_755
        assert cost.macs == 4 * 56**2 * 96**2 + 2 * 56**2 * 7**2 * 96
        assert round(cost.macs / 1e6, 1) == 145.1


def test_a_window_has_two_sides():
    cost = SWMSA.cost(96, 3, (7, 9), (56, 54))
    assert cost.parameters == 4 * 96**2 + 4 * 96 + 13 * 17 * 3
    assert cost.macs == 4 * 56 * 54 * 96**2 + 2 * 56 * 54 * 7 * 9 * 96
    assert WMSA(8, 2, (7, 7), (14, 14)).window == WMSA(8, 2, 7, (14, 14)).window == (7, 7)


def test_parameter_names_are_those_of_timm():
    assert [name for name, _ in WMSA(8, 2, 4, (8, 8)).named_parameters()] == [
        "relative_position_bias_table",
        "qkv.weight",
        "qkv.bias",
        "proj.weight",
        "proj.bias",
    ]
