"""Crops that are resized, against Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image

from hybrid_swin.training.augmentations._resampling import resized_boxes

# Neither end of the range: Pillow clips what the cubic overshoots.
IMAGES = np.random.default_rng(2).integers(90, 166, (5, 21, 33, 3), dtype=np.uint8)
BOXES = torch.tensor([[0, 0, 21, 33], [3, 5, 6, 7], [20, 0, 1, 33], [2, 30, 17, 3], [0, 0, 1, 1]])


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(16, 16), (9, 40)])
def test_a_box_is_cropped_and_resized_as_by_pillow(size, interpolation):
    images = torch.from_numpy(IMAGES / 255).float().permute(0, 3, 1, 2)
    out = resized_boxes(images, BOXES, size, interpolation)
    for image, (top, left, height, width), ours in zip(IMAGES, BOXES.tolist(), out, strict=True):
        crop = Image.fromarray(image[top : top + height, left : left + width])
        wanted = crop.resize(size[::-1], Image.Resampling[interpolation.upper()])
        difference = ours.permute(1, 2, 0).numpy() * 255 - np.asarray(wanted, np.float64)
        assert np.abs(difference).max() <= 1.7  # each of Pillow's two passes rounds


def test_a_whole_image_is_resized_as_by_torch():
    images = torch.rand(2, 1, 8, 8)
    wanted = torch.nn.functional.interpolate(
        images, (4, 4), mode="bilinear", antialias=True, align_corners=False
    )
    whole = torch.tensor([[0, 0, 8, 8]]).expand(2, 4)
    torch.testing.assert_close(resized_boxes(images, whole, (4, 4), "bilinear"), wanted)
