"""Padded crops against torch's padding."""

import pytest
import torch
from torch.nn import functional

from hybrid_swin.training.augmentations import Pixels
from hybrid_swin.training.augmentations.random_crop import RandomCrop

PIXELS = Pixels(torch.full((1, 1, 1), 0.4), torch.full((1, 1, 1), 0.2))


@pytest.mark.parametrize("mode", ["black", "reflect"])
def test_each_image_is_a_crop_of_the_padded_one_and_all_occur(mode):
    torch.manual_seed(0)
    image = torch.randn(1, 1, 5, 6)
    out = RandomCrop(2, mode)(image.expand(900, -1, -1, -1), PIXELS)
    if mode == "black":
        padded = functional.pad(image, (2,) * 4, value=-0.4 / 0.2)
    else:
        padded = functional.pad(image, (2,) * 4, mode="reflect")
    crops = [padded[0, :, y : y + 5, x : x + 6] for y in range(5) for x in range(5)]
    seen = [next(i for i, crop in enumerate(crops) if torch.equal(crop, one)) for one in out]
    assert set(seen) == set(range(25))
