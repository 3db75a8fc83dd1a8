import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hybrid_swin.network.merging import ConvMerging, PatchMerging, PoolMerging

SIZES = [(4, 6), (3, 5), (1, 1), (2, 3)]


@pytest.mark.parametrize("size", SIZES)
def test_merging_concatenates_neighbours_in_swins_order(size):
    merging = PatchMerging(3, 7)
    merging.norm, merging.reduction = nn.Identity(), nn.Identity()
    x = torch.randn(2, *size, 3)
    padded = torch.zeros(2, size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    padded[:, : size[0], : size[1]] = x
    four = [padded[:, i::2, j::2] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))]
    assert torch.equal(merging(x), torch.cat(four, -1))


def test_merging_normalises_then_projects():
    merging = PatchMerging(3, 7)
    x = torch.randn(2, 4, 4, 3)
    four = torch.cat([x[:, i::2, j::2] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))], -1)
    torch.testing.assert_close(merging(x), merging.norm(four) @ merging.reduction.weight.T)
    assert merging.reduction.bias is None


def test_merging_may_project_then_normalise():
    merging = PatchMerging(3, 7, norm="post")
    assert merging.norm.weight.shape == (7,)
    with torch.no_grad():
        merging.norm.weight.normal_()
    x = torch.randn(2, 4, 4, 3)
    four = torch.cat([x[:, i::2, j::2] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))], -1)
    torch.testing.assert_close(merging(x), merging.norm(four @ merging.reduction.weight.T))


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("size", SIZES)
def test_a_convolution_sees_three_by_three_around_the_first_of_four(norm, size):
    merging = ConvMerging(3, 7, norm).double()
    nn.init.normal_(merging.norm.weight)
    x = torch.randn(2, *size, 3, dtype=torch.float64)
    normed = x if norm == "post" else merging.norm(x)
    padded = torch.zeros(2, size[0] + 3, size[1] + 3, 3, dtype=torch.float64)
    padded[:, 1 : size[0] + 1, 1 : size[1] + 1] = normed
    out = merging(x)
    assert out.shape == (2, -(-size[0] // 2), -(-size[1] // 2), 7) and out.is_contiguous()
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            seen = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            expected = torch.einsum("bhwc,ochw->bo", seen, merging.conv.weight) + merging.conv.bias
            expected = merging.norm(expected) if norm == "post" else expected
            torch.testing.assert_close(out[:, i, j], expected)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("size", SIZES)
def test_a_pool_projects_the_largest_of_those_that_there_are(norm, size):
    merging = PoolMerging(3, 7, norm).double()
    nn.init.normal_(merging.norm.weight)
    x = torch.randn(2, *size, 3, dtype=torch.float64) - 5
    pooled = F.max_pool2d(x.permute(0, 3, 1, 2), 2, ceil_mode=True).permute(0, 2, 3, 1)
    weight = merging.reduction.weight.T
    after, before = merging.norm(pooled @ weight) if norm == "post" else None, merging.norm
    torch.testing.assert_close(merging(x), before(pooled) @ weight if norm == "pre" else after)


@pytest.mark.parametrize("kind", [PatchMerging, ConvMerging, PoolMerging])
def test_what_follows_a_merging_lies_channels_last(kind):
    assert kind(8, 16)(torch.randn(2, 5, 4, 8)).is_contiguous()
