"""Gradient maps with known answers: stacks of mean filters."""

import numpy as np
import pytest
import torch
from torch import nn

from hybrid_swin.inspection.measures import gradient_fields
from hybrid_swin.inspection.measures.token_support import part_support


class MeanFilters(nn.Module):
    """n means over k x k neighbours, one after the other. (B, H, W, 1) -> the same."""

    def __init__(self, n, k):
        super().__init__()
        self.n, self.k = n, k

    def forward(self, x):
        x = x.permute(0, 3, 1, 2)
        filters = torch.full((1, 1, self.k, self.k), self.k**-2.0, dtype=x.dtype)
        for _ in range(self.n):
            x = nn.functional.conv2d(x, filters, padding=self.k // 2)
        return x.permute(0, 2, 3, 1)


@pytest.mark.parametrize(("n", "k"), [(1, 3), (4, 3), (3, 5), (2, 7)])
def test_mean_filters_have_the_known_width_and_variance(n, k):
    side = n * (k - 1) + 9
    middle = side // 2
    images = torch.randn(2, 1, side, side, dtype=torch.float64, requires_grad=True)
    out = MeanFilters(n, k)(images.permute(0, 2, 3, 1))
    mass = gradient_fields.gradient_mass(images, out, (middle, middle), torch.ones(2, 1))
    for deviation in gradient_fields.mass_deviations(mass):
        assert deviation**2 == pytest.approx(n * (k**2 - 1) / 12, rel=1e-12)
    asked = np.zeros((1, side, side), dtype=bool)
    asked[0, middle, middle] = True
    support = part_support(MeanFilters(n, k), 1, (side, side), asked)[0]
    assert support.sum() == (n * (k - 1) + 1) ** 2
    assert np.ptp(np.flatnonzero(support.any(axis=0))) == n * (k - 1)
    assert ((mass > 0) == support).all()


def test_sums_over_channels_behind_a_norm_say_nothing_and_random_vectors_do():
    norm = nn.LayerNorm(8, dtype=torch.float64, elementwise_affine=False)
    images = torch.randn(1, 8, 3, 3, dtype=torch.float64, requires_grad=True)
    out = norm(images.permute(0, 2, 3, 1))
    flat = gradient_fields.gradient_mass(images, out, (1, 1), torch.ones(1, 8), keep_graph=True)
    vectors = gradient_fields.unit_vectors(1, 8, torch.Generator().manual_seed(0))
    assert vectors.norm() == pytest.approx(1)
    assert flat.max() < 1e-12
    assert gradient_fields.gradient_mass(images, out, (1, 1), vectors)[1, 1] > 0.1


def test_radii_hold_their_share_of_the_mass():
    mass = np.zeros((7, 7))
    mass[3, 3], mass[3, 5], mass[0, 0] = 5, 4, 1
    assert gradient_fields.mass_radii(mass, (3, 3), (0.5, 0.9, 1.0)) == [
        0,
        2,
        pytest.approx(18**0.5),
    ]


def test_a_token_has_its_middle_between_pixels():
    assert gradient_fields.token_centre((0, 3), 4, 1.5) == (1.5, 13.5)
    assert gradient_fields.token_centre((2, 0), 1, 0) == (2, 0)


def test_pooling_keeps_the_mass():
    mass = np.arange(35.0).reshape(5, 7)
    cells, side = gradient_fields.pooled(mass, 3)
    assert (cells.shape, side) == ((2, 3), 3)
    assert cells.sum() == mass.sum()
    assert cells[1, 2] == mass[3:, 6:].sum()
