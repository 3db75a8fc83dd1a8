"""Chunked facts equal the facts of the whole array."""

import numpy as np
import pytest

from hybrid_swin.data import pixels


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(pixels, "_CHUNK_VALUES", 100)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_moments_of_some_images(dtype):
    values = np.random.default_rng(0).integers(0, 256, (37, 4, 3, 2))
    images = (values if dtype == np.uint8 else values / 255).astype(dtype)
    indices = np.array([0, 3, 4, *range(10, 37)])
    mean, std = pixels.mean_and_std(images, indices)
    whole = images[indices].astype(np.float64) / pixels.full_scale(images.dtype)
    np.testing.assert_allclose(mean, whole.mean(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(std, whole.std(axis=(0, 1, 2)), rtol=1e-9)


def test_a_small_spread_far_from_zero_is_not_lost():
    images = np.random.default_rng(0).normal(1e6, 1, (50, 4, 4, 1)).astype(np.float32)
    _, std = pixels.mean_and_std(images, np.arange(50))
    np.testing.assert_allclose(std[0], images.astype(np.float64).std(), rtol=1e-9)


def test_chunks_cover_everything_once():
    images = np.zeros((7, 5, 5, 2), np.uint8)
    assert [list(range(7))[chunk] for chunk in pixels.chunks(images)] == [
        [0, 1],
        [2, 3],
        [4, 5],
        [6],
    ]
    assert len(list(pixels.chunks(np.zeros((3, 20, 20, 1), np.uint8)))) == 3


def test_the_digest_depends_on_values_shape_and_type():
    images = np.arange(120, dtype=np.uint8).reshape(5, 4, 3, 2)
    changed = images.copy()
    changed[4, 3, 2, 1] += 1
    others = [changed, images.reshape(5, 3, 4, 2), images.astype(np.float32)]
    assert len({pixels.digest(x) for x in [images, *others]}) == 4
    assert pixels.digest(images) == pixels.digest(np.asfortranarray(images))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1e300])
def test_the_first_unusable_image_is_found(value):
    images = np.zeros((30, 4, 3, 2))
    assert pixels.first_unusable(images) is None
    images[[17, 25], 1, 1, 1] = value
    assert pixels.first_unusable(images) == 17


@pytest.mark.parametrize("value", [1e39, 1e300, np.nan, np.inf])
def test_values_beyond_float32_are_kept_for_the_check(value):
    values = pixels.as_floats(np.full((3, 2, 2, 1), value))
    assert np.isfinite(values).all() == np.isfinite(value)
