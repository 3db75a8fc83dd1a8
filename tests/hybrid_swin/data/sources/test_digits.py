import numpy as np
import pytest
from sklearn.datasets import load_digits

from hybrid_swin.data.sources.digits import DigitsSource
from hybrid_swin.errors import InputError


def test_all_digits_are_given_without_loss():
    images = DigitsSource().load((8, 8), 1, None)
    bunch = load_digits()
    assert images.images.dtype == np.float32
    np.testing.assert_array_equal(images.images[..., 0] * 16, bunch.images)
    np.testing.assert_array_equal(images.labels, bunch.target)
    assert images.class_names == tuple("0123456789")
    assert len(set(images.ids)) == 1797


@pytest.mark.parametrize(("size", "channels"), [((16, 16), 1), ((8, 8), 3)])
def test_another_size_is_refused_with_the_right_one(size, channels):
    with pytest.raises(InputError, match="set image_size: 8 and in_channels: 1"):
        DigitsSource().load(size, channels, None)
