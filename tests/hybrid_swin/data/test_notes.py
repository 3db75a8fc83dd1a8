"""What is odd about classes, splits and pixels is told."""

import unicodedata

import numpy as np
import pytest

from hybrid_swin.data.loading import load_data
from hybrid_swin.data.notes import class_notes, data_notes, doubtful_classes, range_notes
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.sources import LabelledImages
from hybrid_swin.data.splits import Splits
from hybrid_swin.data.summary import describe, summary_lines

NAMES = ("train", "validation", "test")


def noted(labels, splits, names=("cat", "dog"), ids=None, groups=None):
    """What is said of images with these labels in these splits."""
    ids = ids or tuple(str(index) for index in range(len(labels)))
    pixels = np.full((len(labels), 2, 2, 1), 9, np.uint8)
    images = LabelledImages(pixels, np.array(labels), names, ids, groups)
    parts = [np.flatnonzero(np.array(splits) == name) for name in NAMES]
    splits = Splits(*parts, "", "")
    return data_notes(images, splits, dict.fromkeys(NAMES, (0.0, 9.0)), {"a": (0.0, 9.0)})


@pytest.mark.parametrize(
    "names",
    [
        ("1", "01"),
        ("1", "1.0"),
        ("cat", "Cat "),
        ("new york", "New_York"),
        ("P-1", "p 1"),
        ("class1", "class01"),
        ("caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9")),
    ],
)
def test_classes_that_are_nearly_one_are_told(names):
    (note,) = class_notes(("other", *names))
    assert note.endswith("differ in nothing but spelling")


def test_all_spellings_of_a_class_are_named():
    (note,) = class_notes(("0", "01", "1", "1.0"))
    assert note == "classes '01', '1' and '1.0' differ in nothing but spelling"


@pytest.mark.parametrize(
    "names", [("1", "-1"), ("1", "10"), ("C", "C++"), ("v0.01", "v0.1"), ("0", "00.5"), ("a", "b")]
)
def test_other_names_are_other_classes(names):
    assert class_notes(names) == []


def test_a_class_that_may_mean_no_label_is_told():
    (note,) = doubtful_classes(("cat", "Unknown", "empty"))
    assert note == "'Unknown' is learned as a class: take its images out if it means no label"


def test_a_split_without_a_class_is_told():
    splits = ["train"] * 12 + ["validation"] * 6 + ["test"] * 2
    (note,) = noted([0, 1] * 9 + [0, 0], splits)
    assert note == "the test split has no image of class 'dog': nothing is measured on it there"
    (note,) = noted([0] * 12 + [0, 1] * 4, ["train"] * 12 + ["validation"] * 4 + ["test"] * 4)
    assert note == "the train split has no image of class 'dog': it cannot be learned"


def test_a_class_of_a_few_images_is_told():
    labels = [0] * 20 + [1] * 3
    splits = ["train"] * 12 + ["validation"] * 4 + ["test"] * 4 + list(NAMES)
    (note,) = noted(labels, splits)
    assert note == (
        "class 'dog' has few images (1 train, 1 validation, 1 test): results vary by chance"
    )
    assert noted([0, 1] * 10, ["train"] * 12 + ["validation"] * 4 + ["test"] * 4) == []


@pytest.mark.parametrize("above", ["", "train/"])
def test_folders_inside_classes_are_told_where_no_groups_are_given(above):
    labels, splits = [0, 1] * 10, ["train"] * 12 + ["validation"] * 4 + ["test"] * 4
    names = ("cat", "dog")
    ids = tuple(f"{above}{names[k % 2]}/p{k % 6}/{k}.png" for k in range(20))
    (note,) = noted(labels, splits, ids=ids)
    assert note.startswith("6 folders inside class folders are merged, such as 'cat/p0' and")
    assert "csv with the columns path, label and group" in note
    assert noted(labels, splits, ids=ids, groups=("a",) * 20) == []
    flat = tuple(f"{above}{names[k % 2]}/{k}.png" for k in range(20))
    assert noted(labels, splits, ids=flat) == []


def test_splits_in_other_units_are_told():
    ranges = {"train": (0.0, 1.0), "validation": (0.0, 0.9), "test": (0.0, 255.0)}
    (note,) = range_notes(ranges)
    assert "(validation from 0 to 0.9, test from 0 to 255)" in note
    assert range_notes({"train": (-3.0, 3.0), "test": (0.0, 1.0)}) == []
    assert range_notes({"train": (0.0, 0.0)}) == []


def test_arrays_in_other_units_are_told_in_the_summary(tmp_path):
    random = np.random.default_rng(0)
    arrays = {}
    for name, scale in (("train", 1), ("val", 1), ("test", 255)):
        arrays[f"{name}_images"] = random.random((40, 3, 3), np.float32) * np.float32(scale)
        arrays[f"{name}_labels"] = np.arange(40) % 2
    np.savez(tmp_path / "set.npz", **arrays)
    settings = DataSettings("npz", {"path": str(tmp_path / "set.npz")})
    about = describe(load_data(settings, (3, 3), 1, None))
    assert "different ranges" in dict(summary_lines(about))["note"]
    assert about["pixels"]["range"][1] > 200


def test_classes_in_other_units_are_noted(tmp_path):
    """12 bits of one camera in files of 16, beside 16 bits of another."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = rng.integers(0, 2 ** np.where(labels, 12, 16)[:, None, None], (60, 4, 4), np.uint16)
    np.savez(tmp_path / "a.npz", train_images=images, train_labels=labels)
    data = load_data(DataSettings("npz", {"path": str(tmp_path / "a.npz")}), (4, 4), 1, None)
    (note,) = describe(data)["notes"]
    assert "the pixels of the classes are in different ranges ('1' from " in note
    np.savez(tmp_path / "b.npz", train_images=images[labels > 0], train_labels=labels[:30])
    data = load_data(DataSettings("npz", {"path": str(tmp_path / "b.npz")}), (4, 4), 1, None)
    assert describe(data)["notes"] == []
