"""Augmentations for an image's size and channels; what is said is what they do."""

import re

import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.augmentation_checks import augmentation_notes
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_checks import check_fit
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.augmentations import Pixels
from hybrid_swin.training.augmentations.random_resized_crop import draw_boxes


def images_of(size, channels=3):
    stages = (Stage(8, 1, 1, ("conv",)),)
    return Variant(image_size=size, in_channels=channels, patch_size=1, stages=stages)


def notes(word, size, channels=3):
    return augmentation_notes(images_of(size, channels), [Recipe(augmentations=[word])])


def changes(word, size, channels):
    """Whether images of this size are changed at all."""
    part = Recipe(augmentations=[word]).augmentation_parts[0]
    augment = registry.load("augmentation", part.name)(**part.kwargs)
    torch.manual_seed(0)
    images = torch.rand(16, channels, *size)
    pixels = Pixels(torch.zeros(channels, 1, 1), torch.ones(channels, 1, 1))
    return not torch.allclose(augment(images, pixels), images, atol=1e-5)


def test_a_padding_as_large_as_the_image_is_refused():
    check_fit(images_of((8, 12)), Recipe(augmentations=["random_crop(padding=7)"]))
    for word in ("random_crop(padding=8)", "random_crop(padding=40;mode=reflect)"):
        with pytest.raises(InputError, match=r"images of 8 pixels out of sight .*less than 8"):
            check_fit(images_of((8, 12)), Recipe(augmentations=[word]))
    with pytest.raises(InputError, match="images of 4 pixels"):
        check_fit(images_of(4), Recipe(augmentations=["random_crop"]))


def test_crops_of_few_pixels_are_noted_with_a_share_that_leaves_four():
    assert not notes("random_resized_crop", 32)
    assert notes("random_resized_crop", 8) == [
        "random_resized_crop crops images of 8x8 pixels down to 2 pixels per side; "
        "scale=0.34-1 leaves 4"
    ]
    assert not notes("random_resized_crop(scale=0.34-1)", 8)
    torch.manual_seed(0)
    assert draw_boxes(4000, (8, 8), (0.08, 1.0), (0.75, 1.3333))[:, 2:].min() == 2
    assert draw_boxes(4000, (8, 8), (0.34, 1.0), (0.75, 1.3333))[:, 2:].min() == 4
    assert "leave it out" in notes("random_resized_crop", 2)[0]


@pytest.mark.parametrize(
    ("word", "channels", "said"),
    [
        ("random_erasing(probability=1)", 3, None),
        ("random_erasing(probability=1;count=100)", 3, "erases nothing .* less than a pixel"),
        ("random_erasing(probability=1;area=1-1)", 3, "erases nothing .* as large as they"),
        ("color_jitter(hue=0.2)", 3, None),
        ("color_jitter(brightness=0;contrast=0;hue=0.2)", 1, "of saturation and hue with 1 image"),
        ("color_jitter(brightness=0;contrast=0;saturation=0;hue=0.2)", 4, "nothing comes of hue"),
        ("color_jitter(brightness=0;contrast=0;saturation=0.9)", 4, None),
    ],
)
def test_what_changes_nothing_is_noted(word, channels, said):
    told = notes(word, (8, 8), channels)
    assert changes(word, (8, 8), channels) is (said is None)
    assert bool(told) is (said is not None)
    assert said is None or re.search(said, told[0])


def test_one_idle_option_is_noted_where_it_was_given():
    assert notes("color_jitter(hue=0.1)", 8, 1) == [
        "color_jitter(hue=0.1): nothing comes of hue with 1 image channel; leave that out"
    ]
    assert not notes("color_jitter", 8, 1)  # saturation is there by default


def test_an_augmentation_is_noted_once_whatever_its_options():
    recipes = [Recipe(augmentations=[f"random_erasing(count={n})"]) for n in (90, 95, 100)]
    assert len(augmentation_notes(images_of(8), recipes)) == 1
