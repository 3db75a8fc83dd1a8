"""Global filters against sums over frequencies and tokens in float64."""

import cmath
import copy

import pytest
import torch

from hybrid_swin.cost import Cost
from hybrid_swin.network.branches.spectral import Spectral

DIM = 2


def build(grid, **options):
    torch.manual_seed(0)
    return Spectral(DIM, 1, 4, grid, **options).double()


def inverse(spectrum, size):
    """A real map from half of its spectrum: the other half is its conjugate."""
    height, width = size
    out = torch.zeros(height, width, dtype=torch.float64)
    for i in range(height):
        for j in range(width):
            for u in range(height):
                for v in range(width // 2 + 1):
                    times = 1 if v == 0 or 2 * v == width else 2
                    wave = cmath.exp(2j * cmath.pi * (u * i / height + v * j / width))
                    out[i, j] += times * (spectrum[u][v] * wave).real / (height * width)
    return out


def spectrum_of(image):
    """The frequencies of the half spectrum, each a sum over all tokens."""
    height, width = image.shape
    places = [(i, j) for i in range(height) for j in range(width)]
    return [
        [
            sum(
                image[i, j].item() * cmath.exp(-2j * cmath.pi * (u * i / height + v * j / width))
                for i, j in places
            )
            for v in range(width // 2 + 1)
        ]
        for u in range(height)
    ]


@pytest.mark.parametrize("size", [(3, 4), (4, 5), (1, 3), (2, 1), (1, 1)])
def test_it_multiplies_spectra(size):
    module = build(size)
    x = torch.randn(2, *size, DIM).double()
    mixed = torch.zeros_like(x)
    with torch.no_grad():
        for b in range(2):
            for c in range(DIM):
                filter = module.complex_weight[:, :, c].tolist()
                product = [
                    [complex(*one) * other for one, other in zip(*rows, strict=True)]
                    for rows in zip(filter, spectrum_of(x[b, ..., c]), strict=True)
                ]
                mixed[b, ..., c] = inverse(product, size)
        torch.testing.assert_close(module.mix(x), mixed, rtol=0, atol=1e-12)
        expected = mixed @ module.proj.weight.T + module.proj.bias
        torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)


def convolved(x, taps):
    """A circular convolution: ``taps`` gives a weight (C,) for each offset (down, right)."""
    height, width = x.shape[1:3]
    out = torch.zeros_like(x)
    for i in range(height):
        for j in range(width):
            for (down, right), weight in taps.items():
                out[:, i, j] += weight * x[:, (i - down) % height, (j - right) % width]
    return out


@pytest.mark.parametrize("nominal", [(4, 5), (3, 2)])
@pytest.mark.parametrize("size", [(4, 5), (6, 7), (5, 9), (3, 2), (1, 4), (1, 1)])
def test_on_other_grids_the_kernel_keeps_its_size_in_tokens(nominal, size):
    module = build(nominal)
    filters = module.complex_weight.detach().permute(2, 0, 1, 3).tolist()
    kernel = torch.stack(
        [inverse([[complex(*one) for one in row] for row in f], nominal) for f in filters], dim=-1
    )
    taps = {}
    for i in range(nominal[0]):
        for j in range(nominal[1]):
            # The offset that is as far on one side as on the other lies half on each.
            downs, rights = (
                {n, n - side} if 2 * n == side else {n if 2 * n < side else n - side}
                for n, side in zip((i, j), nominal, strict=True)
            )
            for offset in ((down, right) for down in downs for right in rights):
                taps[offset] = kernel[i, j] / (len(downs) * len(rights))
    x = torch.randn(2, *size, DIM).double()
    with torch.no_grad():
        torch.testing.assert_close(module.mix(x), convolved(x, taps), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [(6, 7), (4, 2), (1, 1)])
def test_a_small_kernel_is_a_circular_convolution(kernel, size):
    module = build((6, 7), kernel=kernel)
    reach = range(-(kernel // 2), kernel // 2 + 1)
    weight = module.kernel.detach()
    taps = {(i, j): weight[i + kernel // 2, j + kernel // 2] for i in reach for j in reach}
    x = torch.randn(2, *size, DIM).double()
    with torch.no_grad():
        torch.testing.assert_close(module.mix(x), convolved(x, taps), rtol=0, atol=1e-12)


def test_another_nominal_grid_changes_what_is_computed_nowhere_near():
    module = build((4, 5))
    module.complex_weight.requires_grad_(False)
    larger = copy.deepcopy(module)
    larger.resize(4, (7, 8))
    assert larger.complex_weight.shape == (7, 5, DIM, 2)
    assert not larger.complex_weight.requires_grad
    x = torch.randn(2, 7, 8, DIM).double()
    torch.testing.assert_close(larger(x), module(x), rtol=0, atol=1e-12)
    larger.resize(4, (4, 5))
    x = torch.randn(2, 4, 5, DIM).double()
    torch.testing.assert_close(larger(x), module(x), rtol=0, atol=1e-12)
    local = build((4, 5), kernel=3)
    kernel = local.kernel
    local.resize(4, (7, 8))
    assert local.kernel is kernel


@pytest.mark.parametrize("options", [{}, {"kernel": 3}, {"kernel": 11}], ids=str)
def test_filters_of_all_sizes_start_with_the_same_gain(options):
    torch.manual_seed(0)
    module = Spectral(64, 2, 7, (14, 14), **options)
    gain = module.filter((14, 14)).abs().square().mean()
    assert gain.item() == pytest.approx(1 / 3, rel=0.1)


def test_half_precision_is_filtered_in_float32():
    module = build((5, 6)).half()
    x = 100 * torch.randn(2, 5, 6, DIM).half()
    found, expected = module.mix(x), copy.deepcopy(module).float().mix(x.float())
    assert found.dtype == torch.float16
    torch.testing.assert_close(found.float(), expected, rtol=1e-3, atol=1e-2)


def test_what_it_costs():
    tokens = 14 * 14
    cost = Spectral.cost(384, 12, 7, (14, 14))
    assert cost == Cost(14 * 8 * 2 * 384 + 384**2 + 384, tokens * 384**2, tokens * 384)
    local = Spectral.cost(384, 12, 7, (14, 14), kernel=3)
    assert local == Cost(9 * 384 + 384**2 + 384, tokens * 384**2, tokens * 384)
