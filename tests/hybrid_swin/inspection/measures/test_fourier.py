import math

import pytest
import torch
from torch.nn import functional as F

from hybrid_swin.inspection.measures import fourier


def passed(x, y):
    """T, a mean over images."""
    return fourier.transfer(fourier.power(x), fourier.power(y)).mean(dim=0)


def noise(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def mean_filter(x_BHWC):
    x = F.pad(x_BHWC.permute(0, 3, 1, 2), (1, 1, 1, 1), mode="circular")
    return F.avg_pool2d(x, 3, 1).permute(0, 2, 3, 1)


def test_the_circular_mean_filter_has_its_exact_transfer():
    x = noise(3, 16, 20, 5)
    transfer = passed(x, mean_filter(x))
    assert float(transfer[8, 10]) == pytest.approx(2 * math.log(1 / 3), abs=1e-9)  # -2.197225
    assert float(transfer[0, 0]) == pytest.approx(0, abs=1e-9)

    def gain(cycles, side):  # (1 + 2 cos w) / 3
        return math.log(abs(1 + 2 * math.cos(2 * math.pi * cycles / side)) / 3)

    for v, u in [(1, 0), (3, 7), (5, 2)]:
        assert float(transfer[v, u]) == pytest.approx(gain(v, 16) + gain(u, 20), abs=1e-9)


def test_single_precision_is_enough():
    x = noise(3, 16, 16, 5, dtype=torch.float32)
    transfer = passed(x, mean_filter(x))
    assert float(transfer[8, 8]) == pytest.approx(-2.197225, abs=1e-4)


def test_what_all_passes_and_what_is_scaled():
    x = noise(2, 8, 8, 3)
    assert passed(x, x).abs().max() == 0
    torch.testing.assert_close(passed(x, -3 * x), torch.full((8, 8), math.log(3.0)).double())


def test_dead_channels_do_not_count_and_dead_images_are_told():
    x = noise(2, 8, 8, 3)
    padded = torch.cat([x, torch.zeros(2, 8, 8, 1)], dim=-1)
    torch.testing.assert_close(
        fourier.log_amplitude(fourier.power(padded)), fourier.log_amplitude(fourier.power(x))
    )
    assert fourier.log_amplitude(fourier.power(torch.zeros(1, 8, 8, 2))).isnan().all()
    # a constant has no amplitude but that of frequency 0: rounding is not read as spectrum
    flat = fourier.log_amplitude(fourier.power(torch.full((1, 8, 8, 1), 0.1).double()))
    assert float(flat[0, 0, 0] - flat[0, 1:].max()) == pytest.approx(math.log(1e12), abs=1e-6)


def test_rings():
    ring, frequency = fourier.rings(8, 8)
    assert ring[0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert int(ring.max()) == 6  # round(4 sqrt(2))
    assert float(frequency[0]) == 0
    assert float(fourier.radii(8, 8).max()) == pytest.approx(math.pi * math.sqrt(2))
    assert frequency.diff().min() > 0
    wide, frequency = fourier.rings(8, 32)
    assert int((wide == 0).sum()) == 1  # frequency 0 alone
    assert frequency.isfinite().all()
    torch.testing.assert_close(fourier.ring_means(fourier.radii(8, 32), wide), frequency)


def test_the_high_share_of_known_maps():
    column = torch.arange(16).double()[None, None, :, None].expand(1, 16, 16, 1)
    slow, fast = (torch.cos(2 * math.pi * k * column / 16) for k in (2, 6))
    power = [fourier.power(x) for x in (slow + 5, fast + 5, slow + fast, 0 * slow + 5, 0 * slow)]
    shares = [float(fourier.high_share(p)) for p in power]
    assert shares[:3] == pytest.approx([0, 1, 0.5], abs=1e-9)
    assert all(math.isnan(share) for share in shares[3:])
    white = fourier.high_share(fourier.power(noise(8, 64, 64, 4)))
    assert float(white.mean()) == pytest.approx(1 - math.pi / 16, abs=0.01)


def test_windows_that_tile_the_map_show_at_the_multiples_of_their_frequency():
    window = noise(1, 4, 4, 1).repeat(1, 4, 4, 1)  # the same in every window: period 4
    x = noise(1, 16, 16, 1, seed=1)
    excess = fourier.tiling_excess(passed(x, x + 2 * window), (4, 4))
    assert excess is not None
    assert excess > 1
    smooth = fourier.tiling_excess(passed(x, 2 * x), (4, 4))
    assert smooth == pytest.approx(0, abs=1e-9)
    assert fourier.tiling_excess(torch.zeros(16, 16), (5, 5)) is None  # does not tile
    assert fourier.tiling_excess(torch.zeros(4, 4), (4, 4)) is None  # one window
    assert fourier.tiling_excess(torch.zeros(4, 4), (1, 1)) is None  # nothing repeats


def test_only_tiled_axes_have_an_excess():
    rows = noise(1, 4, 1, 1).repeat(1, 4, 8, 1)  # period 4 down 16 rows
    x = noise(1, 16, 8, 1, seed=1)
    transfer = passed(x, x + 2 * rows)
    alone = fourier.tiling_excess(transfer, (4, 8))  # one window covers the width
    assert alone is not None
    assert alone > 1
    line = transfer[1:9, 0]
    expected = line[[3, 7]].mean() - line[[0, 1, 2, 4, 5, 6]].mean()
    assert alone == pytest.approx(float(expected))
    assert fourier.tiling_excess(transfer, (5, 8)) is None
