"""Operations on pixel values, each against Pillow on 8-bit images."""

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from hybrid_swin.training.augmentations import _pixel_operations as operations

LEVEL = 1 / 255
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(20, 200, (4, 24, 17, 3), dtype=np.uint8)
IMAGES[3] //= 16  # few levels, all dark


def batch(images):
    return torch.from_numpy(images.astype(np.float32) / 255).permute(0, 3, 1, 2)


def by_pillow(operate, images, *arguments):
    done = [operate(Image.fromarray(image.squeeze()), *arguments) for image in images]
    return batch(np.stack([np.asarray(image).reshape(images.shape[1:]) for image in done]))


def solarized_by_adding(image, added):
    return image.point([min(255, v + added) if v < 128 else v for v in range(256)] * 3)


BLENDED = {
    "brightness": ImageEnhance.Brightness,
    "contrast": ImageEnhance.Contrast,
    "color": ImageEnhance.Color,
    "sharpness": ImageEnhance.Sharpness,
}
TABLES = {
    "invert": (ImageOps.invert,),
    "posterize": (ImageOps.posterize, 1, 3, 4),
    "solarize": (ImageOps.solarize, 0, 31, 230, 256),
    "solarize_add": (solarized_by_adding, 0, 40, 110),
    "auto_contrast": (ImageOps.autocontrast,),
    "equalize": (ImageOps.equalize,),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", operations.BLENDS)
def test_a_blend_is_pillows_within_its_rounding(name, channels):
    images = IMAGES[..., :channels]
    kinds = torch.full((len(images),), operations.BLENDS.index(name))
    for factor in (0.1, 0.7, 1.0, 1.9):
        out = operations.blend(batch(images), kinds, torch.full((len(images),), factor))
        wanted = by_pillow(lambda image: BLENDED[name](image).enhance(factor), images)  # noqa: B023
        # Pillow rounds the degenerate image and the result, each by up to a level.
        assert (out - wanted).abs().max() <= (1 + abs(1 - factor)) * LEVEL + 1e-6


@pytest.mark.parametrize("name", operations.TABLES)
def test_a_table_is_pillows_to_the_level(name):
    operate, *arguments = TABLES[name]
    kinds = torch.full((len(IMAGES),), operations.TABLES.index(name))
    for argument in arguments or [0]:
        given = torch.full((len(IMAGES),), float(argument))
        out = operations.table(batch(IMAGES), kinds, given)
        wanted = by_pillow(operate, IMAGES, *([argument] if arguments else []))
        off = LEVEL if name == "auto_contrast" else 0  # whose scale Pillow rounds
        assert (out - wanted).abs().max() <= off + 1e-6


def test_black_is_what_posterize_leaves_of_no_bits():
    kinds = torch.tensor([operations.TABLES.index("posterize")])
    out = operations.table(batch(IMAGES[:1]), kinds, torch.zeros(1))
    assert out.abs().max() == 0


def test_each_image_of_a_batch_gets_its_own():
    for function, words in ((operations.blend, operations.BLENDS), (operations.table, TABLES)):
        kinds = torch.arange(len(words))
        images = batch(IMAGES[np.arange(len(words)) % 4])
        arguments = torch.linspace(0.2, 1.8, len(words)) * (1 if words is operations.BLENDS else 2)
        out = function(images, kinds, arguments)
        for i in range(len(words)):
            one = slice(i, i + 1)
            alone = function(images[one], kinds[one], arguments[one])
            torch.testing.assert_close(out[one], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_grey_of_other_channels_than_three_is_their_mean(channels):
    images = torch.rand(2, channels, 6, 6)
    kinds = torch.full((2,), operations.BLENDS.index("color"))
    out = operations.blend(images, kinds, torch.zeros(2))
    torch.testing.assert_close(out, images.mean(1, keepdim=True).expand_as(images))


def test_a_flat_image_and_one_of_two_pixels_stay_finite():
    for images in (torch.full((6, 3, 8, 8), 0.5), torch.rand(6, 3, 1, 2)):
        out = operations.table(images, torch.arange(6), torch.full((6,), 3.0))
        assert torch.isfinite(out).all() and out.min() >= 0 and out.max() <= 1
        out = operations.blend(images, torch.arange(6) % 4, torch.full((6,), 1.5))
        assert torch.isfinite(out).all()


def test_hue_turns_as_colorsys_says():
    images, turns = batch(IMAGES), torch.tensor([0.0, 0.1, -0.3, 0.5])
    out = operations.hue_turned(images, turns)
    wanted = images.double().clone()
    for b, y, x in np.ndindex(4, 24, 17):
        hue, saturation, value = colorsys.rgb_to_hsv(*wanted[b, :, y, x].tolist())
        turned = colorsys.hsv_to_rgb((hue + float(turns[b])) % 1, saturation, value)
        wanted[b, :, y, x] = torch.tensor(turned)
    torch.testing.assert_close(out, wanted.float(), rtol=0, atol=1e-5)
    grey = torch.rand(4, 1, 3, 3)
    assert operations.hue_turned(grey, turns) is grey
