"""Properties of the draws over many seeds and shapes of data."""

import numpy as np
import pytest

from hybrid_swin.data.split_drawing import draw_groups, draw_images
from hybrid_swin.errors import InputError

SHARES = (0.65, 0.15, 0.2)


def table(labels, parts, shares=SHARES):
    """Images by part and class."""
    counts = np.zeros((len(shares), labels.max() + 1), np.int64)
    np.add.at(counts, (parts, labels), 1)
    return counts


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shares", [SHARES, (0.8, 0.2), (0.2, 0.7, 0.1), (0.98, 0.02)])
def test_each_class_is_drawn_by_its_share(seed, shares):
    random = np.random.RandomState(seed)
    sizes = random.randint(50, 200, size=12)
    labels = random.permutation(np.repeat(np.arange(12), sizes))
    counts = table(labels, draw_images(labels, shares, random), shares)
    assert (counts.sum(axis=0) == sizes).all()
    assert (np.abs(counts - np.outer(shares, sizes)) < 2).all()
    assert (np.abs(counts.sum(axis=1) - np.array(shares) * len(labels)) < 1).all()


def test_small_classes_are_in_each_part_and_the_total_stays_right():
    labels = np.repeat(np.arange(100), 10)  # 1.5 images per class: rounding alone would give 200
    counts = table(labels, draw_images(labels, SHARES, np.random.RandomState(0)))
    assert counts.min() >= 1
    assert counts.sum(axis=1).tolist() == [650, 150, 200]
    rare = np.repeat(np.arange(5), [3, 3, 4, 3, 50])
    assert table(rare, draw_images(rare, SHARES, np.random.RandomState(0))).min() >= 1


def test_another_seed_is_another_draw_and_the_same_the_same():
    labels = np.repeat(np.arange(3), 30)
    draws = [draw_images(labels, SHARES, np.random.RandomState(seed)) for seed in (0, 0, 1)]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


def test_the_draw_is_random_in_each_class():
    labels = np.repeat(np.arange(2), 20)
    draws = [draw_images(labels, (0.5, 0.5), np.random.RandomState(seed)) for seed in range(400)]
    # Each image falls into the second part half of the time: 200 of 400, standard deviation 10.
    assert (np.abs(np.sum(draws, axis=0) - 200) < 50).all()


def patients(random, count=40, classes=3):
    """Groups of uneven sizes, each with uneven classes."""
    sizes = random.randint(1, 30, size=count)
    groups = np.repeat(np.arange(count), sizes)
    tilt = random.dirichlet(np.full(classes, 0.7), size=count)
    labels = np.array([random.choice(classes, p=tilt[group]) for group in groups])
    order = random.permutation(len(groups))
    return labels[order], groups[order]


@pytest.mark.parametrize("seed", range(40))
def test_groups_stay_whole_and_shares_are_kept(seed):
    random = np.random.RandomState(seed)
    labels, groups = patients(random)
    parts = draw_groups(labels, groups, SHARES, random)
    for group in np.unique(groups):
        assert len(set(parts[groups == group])) == 1
    counts = table(labels, parts)
    assert counts.min() >= 1
    assert (np.abs(counts.sum(axis=1) / len(labels) - SHARES) < 0.03).all()
    assert (np.abs(counts / counts.sum(axis=0) - np.array(SHARES)[:, None]) < 0.08).all()


@pytest.mark.parametrize("seed", range(20))
def test_three_groups_a_class_are_enough(seed):
    # Alone, placing by size would leave a part without some class.
    labels = np.repeat(np.arange(5), 30)
    groups = np.repeat(np.arange(15), 10)
    parts = draw_groups(labels, groups, SHARES, np.random.RandomState(seed))
    assert table(labels, parts).min() == 10


@pytest.mark.parametrize("seed", range(20))
def test_a_huge_group_trains(seed):
    labels = np.concatenate([np.tile([0, 1], 100), np.tile([0, 1], 20)])
    groups = np.concatenate([np.zeros(200, int), np.repeat(np.arange(1, 11), 4)])
    parts = draw_groups(labels, groups, SHARES, np.random.RandomState(seed))
    assert parts[0] == 0
    assert table(labels, parts).min() >= 1


def test_groups_of_one_image_are_drawn_like_images():
    labels = np.repeat(np.arange(4), 50)
    parts = draw_groups(labels, np.arange(200), SHARES, np.random.RandomState(0))
    assert (np.abs(table(labels, parts) - np.outer(SHARES, [50] * 4)) <= 1).all()


def test_numbers_of_classes_and_groups_may_have_gaps():
    labels, groups = np.repeat([2, 7], 30), np.repeat([5, 90, 17, 3, 40, 8], 10)
    parts = draw_groups(labels, groups, SHARES, np.random.RandomState(0))
    assert (table(labels, parts)[:, [2, 7]] == 10).all()
    assert set(draw_images(labels, SHARES, np.random.RandomState(0))) == {0, 1, 2}


def test_groups_that_cannot_cover_all_classes_are_told():
    # Two classes, three groups; one class lies in two of them only.
    labels, groups = np.array([0, 1, 0, 1, 0, 0]), np.array([0, 0, 1, 1, 2, 2])
    with pytest.raises(InputError, match="no split of the 3 groups"):
        draw_groups(labels, groups, SHARES, np.random.RandomState(0))
