"""Affine maps of images: bilinear against Pillow, bicubic against its own slow sum."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from hybrid_swin.training.augmentations._warping import WARPS, maps, warp

IMAGES = np.random.default_rng(1).integers(0, 256, (5, 12, 19), dtype=np.uint8)
ARGUMENTS = torch.tensor([27.0, 0.29, -0.21, 0.31, -0.4])
FILL = 100


def pillow(image, name, argument):
    affine = {
        "shear_x": (1, argument, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, argument, 1, 0),
        "translate_x": (1, 0, argument * image.width, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, argument * image.height),
    }
    options = {"resample": Image.Resampling.BILINEAR, "fillcolor": FILL}
    if name == "rotate":
        return image.rotate(argument, **options)
    return image.transform(image.size, Image.Transform.AFFINE, affine[name], **options)


@pytest.mark.parametrize("sign", [1, -1])
def test_bilinear_is_pillows(sign):
    arguments = sign * ARGUMENTS
    images = torch.from_numpy(IMAGES / 255).float()[:, None]
    out = warp(images, torch.arange(5), arguments, torch.full((1, 1, 1), FILL / 255), "bilinear")
    for i, name in enumerate(WARPS):
        wanted = np.asarray(pillow(Image.fromarray(IMAGES[i]), name, float(arguments[i]))) / 255
        difference = np.abs(out[i, 0].numpy() - wanted)
        # A pixel that comes from the border itself may count as inside or as outside.
        assert (difference > 1.01 / 255).mean() <= 0.01, name


def cubic(x, a=-0.75):
    x = abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


@pytest.mark.parametrize("kind", range(len(WARPS)))
def test_bicubic_is_the_sum_over_sixteen_neighbours(kind):
    image = IMAGES[0, :7, :8] / 255
    height, width = image.shape
    arguments = ARGUMENTS[kind : kind + 1]
    images = torch.from_numpy(image).float()[None, None]
    out = warp(images, torch.tensor([kind]), arguments, torch.full((1, 1, 1), 0.5), "bicubic")
    matrix = maps(torch.tensor([kind]), arguments.double(), height, width)[0].numpy()
    for y, x in np.ndindex(height, width):
        from_x, from_y = matrix @ (x + 0.5, y + 0.5, 1)
        wanted = 0.5
        if 0 <= from_x < width and 0 <= from_y < height:
            left, top = math.floor(from_x - 0.5), math.floor(from_y - 0.5)
            wanted = sum(
                cubic(from_x - 0.5 - j)
                * cubic(from_y - 0.5 - i)
                * image[np.clip(i, 0, height - 1), np.clip(j, 0, width - 1)]
                for i in range(top - 1, top + 3)
                for j in range(left - 1, left + 3)
            )
        assert out[0, 0, y, x].item() == pytest.approx(min(max(wanted, 0), 1), abs=1e-4)
