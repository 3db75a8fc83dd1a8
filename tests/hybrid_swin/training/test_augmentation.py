"""Shifts and flips against a slow and obvious reference."""

import pytest
import torch
from torch.nn import functional

from hybrid_swin.training.augmentation import augment


def candidates(image, shift, flip):
    """Every image that augmenting one may give, by (mirrored, dy, dx)."""
    _, height, width = image.shape
    found = {}
    for mirrored in (False, True) if flip == "horizontal" else (False,):
        source = image.flip(-1) if mirrored else image
        padded = functional.pad(source[None], (shift,) * 4, mode="replicate")[0]
        for dy in range(2 * shift + 1):
            for dx in range(2 * shift + 1):
                found[mirrored, dy, dx] = padded[:, dy : dy + height, dx : dx + width]
    return found


@pytest.mark.parametrize("size", [(6, 6), (5, 7)])
@pytest.mark.parametrize(("shift", "flip"), [(2, "none"), (0, "horizontal"), (1, "horizontal")])
def test_each_image_is_one_of_the_possible_and_all_possible_occur(shift, flip, size):
    torch.manual_seed(0)
    images = torch.randn(1, 3, *size).expand(600, -1, -1, -1).contiguous()
    out = augment(images, shift, flip)
    assert out.shape == images.shape
    seen = set()
    for image in out:
        # A mirrored row gathers from x' = W - 1 - (x + dx): the same set of images.
        fits = [k for k, c in candidates(images[0], shift, flip).items() if torch.equal(c, image)]
        assert len(fits) == 1
        seen.add(fits[0])
    assert seen == set(candidates(images[0], shift, flip))


def test_images_of_a_batch_move_on_their_own():
    torch.manual_seed(0)
    images = torch.arange(64.0).view(1, 1, 8, 8).repeat(32, 1, 1, 1)
    assert len({tuple(image.flatten().tolist()) for image in augment(images, 3, "none")}) > 10


def test_nothing_to_do_gives_the_same_tensor_and_draws_nothing():
    images = torch.randn(4, 1, 8, 8)
    before = torch.get_rng_state()
    assert augment(images, 0, "none") is images
    assert torch.equal(torch.get_rng_state(), before)


def test_the_seed_decides():
    images = torch.randn(16, 1, 8, 8)
    outs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(augment(images, 2, "horizontal"))
    assert torch.equal(outs[0], outs[1]) and not torch.equal(outs[0], outs[2])


def test_a_shift_larger_than_the_image_is_all_edge():
    torch.manual_seed(0)
    images = torch.randn(8, 1, 2, 2)
    out = augment(images, 50, "none")
    assert torch.isfinite(out).all() and out.shape == images.shape
