"""Mixup and CutMix against a slow and obvious reference."""

import math

import pytest
import torch

from hybrid_swin.training.mixing import Mix, draw_mix, mixed


def test_mixup_is_the_weighted_sum():
    images, opposite = torch.rand(2, 3, 1, 4, 5).unbind(0)
    out, kept = mixed(images, opposite, Mix(0.3))
    assert kept == 0.3
    torch.testing.assert_close(out, 0.3 * images + 0.7 * opposite)


@pytest.mark.parametrize("size", [(4, 4), (7, 5), (1, 1)])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.81, 1.0])
@pytest.mark.parametrize("centre", [(0.0, 0.0), (0.5, 0.2), (0.999, 0.999)])
def test_cutmix_fills_a_box_and_counts_its_pixels(size, kept, centre):
    images, opposite = torch.zeros(2, 1, *size), torch.ones(2, 1, *size)
    out, share = mixed(images, opposite, Mix(kept, centre))
    cut = [int(length * math.sqrt(1 - kept)) for length in size]
    middle = [int(length * place) for length, place in zip(size, centre, strict=True)]
    wanted = torch.zeros(size)
    for y in range(size[0]):
        for x in range(size[1]):
            inside = (
                middle[k] - cut[k] // 2 <= (y, x)[k] < middle[k] + (cut[k] + 1) // 2 for k in (0, 1)
            )
            wanted[y, x] = all(inside)
    assert torch.equal(out, wanted.expand_as(out))
    assert share == pytest.approx(1 - wanted.mean().item())
    assert images.abs().max() == 0  # mixed in a copy


def test_probabilities_decide_what_happens():
    torch.manual_seed(0)

    def share(of, *given):
        return sum(of(draw_mix(*given)) for _ in range(2000)) / 2000

    def cuts(mix):
        return mix is not None and mix.centre is not None

    def happens(mix):
        return mix is not None

    assert share(happens, 0.8, 1.0, 0.25, 0.5) == pytest.approx(0.25, abs=0.05)
    assert share(cuts, 0.8, 1.0, 1.0, 0.3) == pytest.approx(0.3, abs=0.05)
    assert share(cuts, 0.8, 0.0, 1.0, 1.0) == 0 and share(cuts, 0.0, 1.0, 1.0, 0.0) == 1
    assert share(happens, 0.0, 0.0, 1.0, 0.5) == share(happens, 0.8, 1.0, 0.0, 0.5) == 0


@pytest.mark.parametrize("alpha", [0.009, 1e-3, 1e-10, 5e-324])
def test_a_small_parameter_mixes_hardly(alpha):
    """Beta(a, a) has a share of about a log(99) between 0.01 and 0.99, and half at each end."""
    torch.manual_seed(0)
    kept = torch.tensor([draw_mix(alpha, 0, 1, 0.5).kept for _ in range(2000)])
    assert abs((kept > 0.5).float().mean() - 0.5) < 0.05
    between = ((kept > 0.01) & (kept < 0.99)).float().mean()
    assert abs(between - alpha * math.log(99)) < 0.01
