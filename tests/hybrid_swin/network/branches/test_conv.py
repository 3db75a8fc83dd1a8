import pytest
import torch

from hybrid_swin.network.branches.conv import Conv


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("size", [(6, 5), (1, 2)])
def test_it_sums_over_neighbours_then_over_channels(kernel, size):
    torch.manual_seed(0)
    module = Conv(4, 2, 7, (6, 5), kernel=kernel).double()
    x = torch.randn(2, *size, 4).double()
    mixed = module.dwconv.bias.expand_as(x).clone()
    reach = range(-(kernel // 2), kernel // 2 + 1)
    for i in range(size[0]):
        for j in range(size[1]):
            for a in reach:
                for b in reach:
                    if 0 <= i + a < size[0] and 0 <= j + b < size[1]:
                        weight = module.dwconv.weight[:, 0, a + kernel // 2, b + kernel // 2]
                        mixed[:, i, j] += weight * x[:, i + a, j + b]
    expected = mixed @ module.proj.weight.T + module.proj.bias
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)


def test_what_it_costs_is_what_was_measured():
    cost = Conv.cost(96, 3, 7, (56, 56))
    assert cost.parameters == 10 * 96 + 96**2 + 96 == 10_272
    assert round(cost.macs / 1e6, 1) == 31.6
    assert Conv.cost(96, 3, 7, (56, 56), kernel=7).parameters == 50 * 96 + 96**2 + 96


def test_the_convolution_sees_channels_last_memory():
    x = torch.randn(2, 6, 5, 4)
    assert x.permute(0, 3, 1, 2).is_contiguous(memory_format=torch.channels_last)
    assert Conv(4, 2, 7, (6, 5)).mix(x).is_contiguous()
