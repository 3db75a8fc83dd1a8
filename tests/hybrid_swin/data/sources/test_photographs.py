import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from hybrid_swin.data.sources.photographs import PhotographsSource
from hybrid_swin.errors import InputError


@pytest.fixture(scope="module")
def images():
    return PhotographsSource().load((32, 40), 1, None)


def test_a_patch_is_its_place_in_the_photograph_but_for_brightness_and_contrast(images):
    photograph = np.asarray(Image.fromarray(load_sample_image("china.jpg")).convert("L"), float)
    patch = images.images[images.ids.index("palace-02-03"), ..., 0]
    there = photograph[64:96, 120:160]
    scaled = np.clip(0.5 + (there - there.mean()) / (6 * there.std()), 0, 1)
    np.testing.assert_allclose(patch, scaled, atol=1e-5)


def test_neighbours_share_a_group_and_photographs_do_not(images):
    group = dict(zip(images.ids, images.groups, strict=True))
    assert group["cat-02-02"] == group["cat-03-03"] != group["cat-04-03"]
    assert all(name.rsplit("-", 2)[0] == whole.rsplit("-", 2)[0] for name, whole in group.items())


def test_all_photographs_have_patches_of_equal_mean(images):
    assert np.bincount(images.labels, minlength=10).min() > 50
    textured = images.images.std(axis=(1, 2, 3)) > 0.1
    means = images.images[textured].mean(axis=(1, 2, 3))
    assert textured.mean() > 0.8
    assert np.abs(means - 0.5).max() < 0.05


@pytest.mark.parametrize(
    ("size", "channels", "message"),
    [((32, 32), 3, "in_channels: 1"), ((7, 32), 1, "from 8 to 100"), ((32, 101), 1, "from 8")],
)
def test_what_has_no_patches_is_refused(size, channels, message):
    with pytest.raises(InputError, match=message):
        PhotographsSource().load(size, channels, None)
