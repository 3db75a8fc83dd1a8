"""Equal images: found, named, dropped or refused; against the slow comparison of each with each."""

from dataclasses import replace

import numpy as np
import pytest

from hybrid_swin.data.pixels import find_copies
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.sources import LabelledImages
from hybrid_swin.data.splits import make_splits
from hybrid_swin.errors import InputError


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_equal_images_are_those_that_are_equal_one_by_one(dtype):
    images = np.random.default_rng(0).integers(0, 2, (60, 2, 2, 1)).astype(dtype)
    expected = {}
    for i in range(60):
        first = next(j for j in range(60) if (images[i] == images[j]).all())
        expected.setdefault(first, []).append(i)
    found = [group.tolist() for group in find_copies(images)]
    assert found == [group for group in expected.values() if len(group) > 1]
    assert len(find_copies(np.arange(5, dtype=dtype).reshape(5, 1, 1, 1))) == 0


def given(*rows):
    """Images from (value, label, split), all of one grey value each."""
    values, labels, splits = zip(*rows, strict=True)
    return LabelledImages(
        images=np.array(values, np.uint8).reshape(-1, 1, 1, 1),
        labels=np.array(labels, np.int64),
        class_names=("a", "b"),
        ids=tuple(f"{split}/{index}" for index, split in enumerate(splits)),
        splits=splits,
    )


IMAGES = given(
    (1, 0, "train"),
    (2, 1, "train"),
    (3, 0, "train"),  # also in validation and test
    (4, 1, "train"),  # also in test, as another class
    (5, 0, "train"),
    (5, 0, "train"),  # a copy beside its original harms nothing
    (3, 0, "validation"),
    (6, 1, "validation"),
    (3, 0, "test"),
    (4, 0, "test"),
    (7, 1, "test"),
)
DROP = DataSettings(duplicates="drop")


def test_dropping_keeps_a_copy_in_its_last_split_and_none_under_two_labels():
    splits = make_splits(IMAGES, DROP)
    assert splits.train.tolist() == [0, 1, 4, 5]
    assert splits.validation.tolist() == [7]
    assert splits.test.tolist() == [8, 10]
    assert splits.dropped == 4
    kept = make_splits(IMAGES, DataSettings())
    assert (len(kept.train), len(kept.validation), len(kept.test), kept.dropped) == (6, 2, 3, 0)


def test_refusing_names_a_pair():
    with pytest.raises(InputError, match=r"5 images .* such as 'train/2' and 'validation/6'"):
        make_splits(IMAGES, DataSettings(duplicates="refuse"))
    rows = [(v, v % 2, s) for v, s in enumerate(["train"] * 2 + ["validation"] * 2 + ["test"] * 2)]
    make_splits(given(*rows), DataSettings(duplicates="refuse"))


def test_dropping_never_empties_a_split_or_a_class():
    rows = [(1, 0, "train"), (2, 1, "train"), (1, 0, "test"), (3, 1, "validation")]
    with pytest.raises(InputError, match="no image of class 'a' is left to train on"):
        make_splits(given(*rows), DROP)
    rows = [(1, 0, "train"), (2, 1, "train"), (9, 0, "validation"), (9, 1, "test"), (8, 0, "test")]
    with pytest.raises(InputError, match="leaves no validation image"):
        make_splits(given(*rows), DROP)


def test_drawn_splits_hold_no_copies_across_either():
    values = np.random.default_rng(0).integers(0, 40, 200)
    images = replace(
        IMAGES,
        images=values.astype(np.uint8).reshape(-1, 1, 1, 1),
        labels=values % 2,
        ids=tuple(str(index) for index in range(200)),
        splits=None,
    )
    splits = make_splits(images, DROP)
    parts = [set(values[part]) for part in (splits.train, splits.validation, splits.test)]
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]
    whole = make_splits(images, DataSettings())
    assert splits.test.tolist() == whole.test.tolist()


def test_the_setting_is_checked_and_written_only_where_it_is_set():
    with pytest.raises(InputError, match="did you mean 'drop'"):
        DataSettings(duplicates="dorp").validate()
    with pytest.raises(InputError, match="belongs to a source"):
        DataSettings(class_path="a.B", duplicates="drop").validate()
    assert "duplicates" not in DataSettings().to_dict()
    assert DataSettings.from_dict(DROP.to_dict()) == DROP


def drawn(values, labels, groups=None, splits=None):
    """One image of each grey value given, with splits to draw."""
    return replace(
        IMAGES,
        images=np.array(values, np.uint8).reshape(-1, 1, 1, 1),
        labels=np.array(labels, np.int64),
        ids=tuple(str(index) for index in range(len(values))),
        splits=splits,
        groups=groups,
    )


def across(images, **settings):
    """Values that stand in two splits."""
    splits = make_splits(images, DataSettings(**settings))
    values = images.images.ravel()
    parts = [set(values[part].tolist()) for part in (splits.train, splits.validation, splits.test)]
    assert all(len(np.unique(images.labels[part])) == 2 for part in (splits.train, splits.test))
    return (parts[0] & parts[1]) | ((parts[0] | parts[1]) & parts[2])


VALUES = np.random.default_rng(0).integers(0, 40, 200)


@pytest.mark.parametrize("seed", range(10))
def test_copies_of_one_class_are_drawn_into_one_split_for_every_seed(seed):
    random = np.random.default_rng(1)
    groups = tuple(f"p{value % 20}-{random.integers(2)}" for value in VALUES)
    given = tuple(["test", "test", *[""] * 198])
    for images in (
        drawn(VALUES, VALUES % 2),
        drawn(VALUES, VALUES % 2, groups),
        drawn(VALUES, VALUES % 2, splits=given),
    ):
        assert not across(images, split_seed=seed)
        assert not across(images, validation_seed=seed)


def test_a_class_of_too_few_different_images_is_parted_and_others_are_not():
    values = np.array([0, 0, 0, 2, *np.repeat(np.arange(1, 40, 2), 2)])
    images = drawn(values, values % 2)
    for seed in range(10):
        assert across(images, validation_seed=seed) == {0}


def test_groups_that_share_an_image_stay_whole_where_they_cannot_all_be_together():
    values = np.arange(40)
    values[:20:2] = 0  # one blank image in each of ten groups
    groups = tuple(str(index // 2) if index < 20 else str(index % 10) for index in range(40))
    images = drawn(values, np.arange(40) % 2, groups)
    splits = make_splits(images, DataSettings())
    held = [{groups[i] for i in part} for part in (splits.train, splits.validation, splits.test)]
    assert not held[0] & held[1] and not (held[0] | held[1]) & held[2]
    assert across(images) == {0}


def test_copies_that_another_seed_may_part_are_counted():
    """Groups a to d share image 0 and e to h image 2: class 0 has two units, not three."""
    rows = [(value, group) for group in "abcdefgh" for value in (0 if group < "e" else 2, 1)]
    rows = [(2 * i + 1 if value == 1 else value, group) for i, (value, group) in enumerate(rows)]
    values, groups = zip(*rows, strict=True)
    images = drawn(values, np.array(values) % 2, groups)
    found = set()
    for seed in range(20):
        splits = make_splits(images, DataSettings(split_seed=seed))
        split_of = np.full(len(values), -1)
        for number, part in enumerate((splits.train, splits.validation, splits.test)):
            split_of[part] = number
        whole = [np.flatnonzero(images.images.ravel() == value) for value in (0, 2)]
        expected = [c for c in whole if len({*split_of[c]}) == 1 and split_of[c[0]] != 2]
        assert splits.untied == sum(map(len, expected))
        found.add(splits.untied)
        with pytest.raises(InputError, match=r"images have copies in (an)?other (split|groups)"):
            make_splits(images, DataSettings(split_seed=seed, duplicates="refuse"))
    assert found == {0, 4}
