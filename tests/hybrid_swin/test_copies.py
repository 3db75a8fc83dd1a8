"""Equal images: found, named, dropped or refused; against the slow comparison of each with each."""

from dataclasses import replace

import numpy as np
import pytest

from hybrid_swin.copies import find_copies
from hybrid_swin.data import LabelledImages
from hybrid_swin.data_settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.splits import make_splits


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
