"""No shortcut: what a bag of local features tells, at the windows where theory says so."""

import numpy as np
import pytest

from hybrid_swin.data.sources.constellation import ConstellationSource

CHANCE = 0.5 + 3.5 * 0.5 / 2000**0.5  # of 2,000 images; one in 4,000 readings lies above


@pytest.mark.parametrize(("reach", "side", "window"), [(4, 1, 4), (6, 2, 5)])
def test_at_chance_where_a_window_cannot_hold_two_blocks(reach, side, window, probe):
    accuracy = probe(ConstellationSource(grid=12, reach=reach, side=side), window)
    assert max(accuracy) < CHANCE


@pytest.mark.parametrize(("reach", "side", "window"), [(4, 1, 5), (6, 2, 7)])
def test_certain_where_a_window_holds_a_pair(reach, side, window, probe):
    accuracy = probe(ConstellationSource(grid=12, reach=reach, side=side), window)
    assert min(accuracy) == 1.0


def test_random_polarity_opens_no_shortcut(probe):
    source = ConstellationSource(grid=12, reach=4, side=1, polarity=True)
    assert max(probe(source, 4)) < CHANCE


def test_features_are_exact_and_do_not_depend_on_where_things_stand(local_features):
    random = np.random.default_rng(0)
    small = random.integers(-1, 2, (7, 3, 3)).astype(np.int8)
    places = [(0, 0), (4, 4), (2, 1)]
    maps = [np.pad(small, ((0, 0), (y, 4 - y), (x, 4 - x))) for y, x in places]
    found = [local_features((m,), 3, 8, seed=1) for m in maps]
    assert found[0].dtype == np.int64
    assert found[0].shape == (7, 16)
    assert found[0].any(axis=0).all()
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
