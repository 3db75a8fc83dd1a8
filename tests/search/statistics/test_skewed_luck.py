import numpy as np
import pytest

from search.statistics.skewed_luck import skewed_luck


@pytest.mark.parametrize(
    ("scores", "items", "skewed"),
    [
        ([0.99, 0.98, 0.93], 1000, True),  # errors 1, 2, 7%: 3.2 beside a mean of 3.3
        ([0.97, 0.96, 0.965], 1000, False),
        ([0.8, 0.6, 0.9], 1000, False),  # far from the ceiling luck goes both ways
        ([1.0, 0.99, 0.97], 30, False),  # one image in 30 is 3.3%: no luck of seeds
        ([1.0, 1.0, 1.0], 1000, False),
        ([0.99], 1000, False),
        ([0.99, 0.98, 0.93], 0, False),  # no share of images
    ],
)
def test_luck_is_skewed_where_it_is_large_near_the_ceiling(scores, items, skewed):
    assert skewed_luck(scores, items) is skewed


def test_images_alone_rarely_look_like_skewed_luck():
    rng = np.random.default_rng(0)
    alike = rng.binomial(1000, 0.98, (2000, 5)) / 1000
    assert np.mean([skewed_luck(scores, 1000) for scores in alike]) < 0.01
