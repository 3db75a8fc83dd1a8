"""What every source must give, and that the built-in ones are found."""

from dataclasses import replace

import numpy as np
import pytest

from hybrid_swin.data.sources import LabelledImages, Source, check_shape, class_order
from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry

GOOD = LabelledImages(
    images=np.zeros((3, 2, 2, 1), np.uint8),
    labels=np.array([0, 1, 1]),
    class_names=("a", "b"),
    ids=("x", "y", "z"),
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((3, 2, 2), np.uint8)}, "N, H, W, C"),
        ({"images": np.zeros((3, 2, 2, 1), np.int64)}, "int64"),
        ({"images": np.zeros((2, 2, 2, 1), np.uint8)}, "images"),
        ({"labels": np.array([0, 1])}, "labels"),
        ({"labels": np.array([0, 1, 2])}, "labels from 0 to 2"),
        ({"labels": np.array([0, -1, 1])}, "labels from -1"),
        ({"labels": np.array([0.0, 1.0, 1.0])}, "int64"),
        ({"ids": ("x", "y", "x")}, "unique"),
        ({"class_names": ("a", "a")}, "class name twice"),
        ({"groups": ("g",)}, "groups"),
        ({"splits": ("train", "val", "test")}, "val"),
        ({"ids": (), "labels": np.zeros(0, np.int64)}, "no image"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(GOOD, **change)


def test_built_in_sources_are_named_by_their_files_and_documented():
    assert {"digits", "folder", "npz"} <= set(registry.names("data source"))
    for name in ("digits", "folder", "npz"):
        assert registry.describe("data source", name).summary.endswith(".")
        assert issubclass(registry.load("data source", name), Source)


def test_options_are_read_from_the_source():
    options = registry.describe("data source", "folder").options
    assert set(options) == {"path", "csv", "resize", "value_range", "layout"}
    assert options["value_range"].type is tuple
    assert options["resize"].choices == ("crop", "squash", "pad", "none")
    assert options["resize"].default == "crop"
    assert registry.describe("data source", "npz").options["path"].required


def test_numbers_are_ordered_by_value_and_words_by_spelling():
    assert class_order(["10", "2", "1", "2"]) == ("1", "2", "10")
    assert class_order(["10", "2", "b"]) == ("10", "2", "b")


def test_a_wrong_size_names_the_values_for_the_variant():
    check_shape("x", (28, 28, 1), (28, 28), 1)
    with pytest.raises(InputError, match="set image_size: 28 and in_channels: 3 in the variant"):
        check_shape("x", (28, 28, 3), (32, 32), 3)
    with pytest.raises(InputError, match=r"set image_size: \[28, 14\] and in_channels: 1"):
        check_shape("x", (28, 14, 1), (28, 14), 3)
