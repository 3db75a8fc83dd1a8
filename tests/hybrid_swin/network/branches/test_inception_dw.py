"""Inception depthwise convolution against loops in float64."""

import pytest
import torch

from hybrid_swin.cost import count_cost
from hybrid_swin.network.branches.inception_dw import InceptionDW
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant


def build(dim=16, **options):
    torch.manual_seed(0)
    return InceptionDW(dim, 2, 7, (6, 5), **options).double()


def reference(module, image, group, kernel):
    """(H, W, C) -> (H, W, C)."""
    height, width, dim = image.shape
    mixed, first = image.clone(), dim - 3 * group
    shapes = (3, 3), (1, kernel), (kernel, 1)
    convs = module.dwconv_hw, module.dwconv_w, module.dwconv_h
    for number, (conv, (high, wide)) in enumerate(zip(convs, shapes, strict=True)):
        for c in range(group):
            channel = first + number * group + c
            for i in range(height):
                for j in range(width):
                    total = conv.bias[c]
                    for a in range(high):
                        for b in range(wide):
                            y, x = i + a - high // 2, j + b - wide // 2
                            if 0 <= y < height and 0 <= x < width:
                                total = total + conv.weight[c, 0, a, b] * image[y, x, channel]
                    mixed[i, j, channel] = total
    return mixed @ module.proj.weight.T + module.proj.bias


@pytest.mark.parametrize(
    ("options", "dim", "group"),
    [({}, 16, 2), ({"kernel": 7, "reduction": 16}, 4, 1), ({"reduction": 4}, 18, 4)],
    ids=str,
)
@pytest.mark.parametrize("size", [(6, 5), (1, 2)])
def test_it_convolves_some_of_the_channels(options, dim, group, size):
    module, x = build(dim, **options), torch.randn(2, *size, dim).double()
    expected = [reference(module, image, group, options.get("kernel", 11)) for image in x]
    torch.testing.assert_close(module(x), torch.stack(expected), rtol=0, atol=1e-12)


def test_it_reaches_far_along_each_axis_and_leaves_most_channels_as_they_are():
    module, x = build(), torch.randn(1, 13, 13, 16).double()
    other = x.clone()
    other[0, 6, 6] += 1
    changed = module.mix(other) != module.mix(x)
    assert changed[0, ..., :10].any(-1).nonzero().tolist() == [[6, 6]]
    line, near = range(1, 12), (5, 6, 7)
    cross = {(6, at) for at in line} | {(at, 6) for at in line}
    square = {(row, column) for row in near for column in near}
    assert {tuple(at) for at in changed[0].any(-1).nonzero().tolist()} == cross | square


def test_what_it_costs():
    tokens = 56**2
    cost = InceptionDW.cost(96, 3, 7, (56, 56))
    assert cost.parameters == 96**2 + 96 + 12 * (9 + 11 + 11 + 3)
    assert cost.macs == tokens * (96**2 + 12 * 31)
    wide = InceptionDW.cost(96, 3, 7, (56, 56), kernel=9, reduction=4)
    assert wide.parameters == 96**2 + 96 + 24 * (9 + 9 + 9 + 3)


def test_inceptionnext_t_is_smaller_by_its_linear_layers_and_its_last_mlps():
    """28M and 4.2G in the paper; in timm 28,055,680 parameters and 4,188,634,272 MACs."""
    shapes = [(96 * 2**i, depth, (56 // 2**i) ** 2) for i, depth in enumerate((3, 3, 9, 3))]
    stages = [Stage(width, depth, 3, ("inception_dw",)) for width, depth, _ in shapes]
    cost = count_cost(Variant(224, stages=stages))
    assert (cost.parameters, cost.macs) == (31_536_832, 4_878_961_824)
    linear = sum(depth * tokens * width**2 for width, depth, tokens in shapes)
    mlps = 3 * 49 * 2 * 768**2  # of ratio 3, not 4, in the last stage
    head = 2304 * (768 + 1000) - 768 * 1000  # an MLP
    assert cost.macs - linear - mlps + head == 4_188_634_272
