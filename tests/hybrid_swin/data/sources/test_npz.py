"""Arrays as MedMNIST and others store them, and the ways in which they can be wrong."""

import zipfile

import numpy as np
import pytest

from hybrid_swin.data.sources.npz import NpzSource
from hybrid_swin.errors import InputError


def images(count=4, size=(6, 5), dtype=np.uint8, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (count, *size))
    return (values if dtype == np.uint8 else values / 255).astype(dtype)


def load(tmp_path, image_size=(6, 5), in_channels=1, **arrays):
    path = tmp_path / "set.npz"
    np.savez(path, **arrays)
    return NpzSource(str(path)).load(image_size, in_channels, None)


def test_medmnist_style_keeps_its_splits(tmp_path):
    train, val, test = images(4), images(2, seed=1), images(3, seed=2)
    found = load(
        tmp_path,
        train_images=train,
        train_labels=np.array([[0], [1], [2], [0]], np.uint8),
        val_images=val,
        val_labels=np.array([[1], [2]], np.uint8),
        test_images=test,
        test_labels=np.array([[2], [1], [0]], np.uint8),
    )
    np.testing.assert_array_equal(found.images[..., 0], np.concatenate([train, val, test]))
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 2, 2, 1, 0]
    assert found.splits == ("train",) * 4 + ("validation",) * 2 + ("test",) * 3
    assert found.ids[3:5] == ("train/3", "validation/0")
    assert found.groups is None
    assert found.class_names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("labels", "names", "codes"),
    [
        (np.array(["dog", "cat", "dog", "bee"]), ("bee", "cat", "dog"), [2, 1, 2, 0]),
        (np.array([b"dog", b"cat", b"dog", b"bee"]), ("bee", "cat", "dog"), [2, 1, 2, 0]),
        (np.array([10, 9, 10, 2]), ("2", "9", "10"), [2, 1, 2, 0]),
        (np.array([True, False, True, False]), ("False", "True"), [1, 0, 1, 0]),
    ],
)
def test_labels_of_any_plain_type(tmp_path, labels, names, codes):
    found = load(tmp_path, train_images=images(), train_labels=labels)
    assert found.class_names == names
    assert found.labels.tolist() == codes


def test_class_names_name_the_numbers(tmp_path):
    found = load(
        tmp_path,
        train_images=images(),
        train_labels=np.array([2, 0, 0, 1]),
        class_names=np.array(["zebra", "ape", "cow"]),
    )
    assert found.class_names == ("zebra", "ape", "cow")
    assert found.labels.tolist() == [2, 0, 0, 1]


def test_groups_stand_beside_the_labels(tmp_path):
    found = load(
        tmp_path,
        train_images=images(),
        train_labels=np.arange(4),
        train_groups=np.array([7, 7, 8, 8]),
        test_images=images(1),
        test_labels=np.array([3]),
    )
    assert found.groups == ("7", "7", "8", "8", "")


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        *(("labels", ["cat", "dog", "cat", word], "no label") for word in ("NA", "None", "?", "-")),
        ("labels", ["cat", "dog", "cat", "unlabeled"], "class_names"),
        ("labels", ["0", "1", "0", "-1"], "label -1 is negative"),
        ("labels", np.array([0, 1, 0, 255], np.uint8), "255 is -1 as uint8"),
        *(("groups", ["a", "b", "c", word], "no group") for word in ("unknown", "None", "nan")),
        ("groups", np.array([1, 2, 3, -1]), "no group"),
    ],
)
def test_marks_for_no_value_are_no_class_and_no_group(tmp_path, kind, values, message):
    held = {"train_images": images(), "train_labels": [0, 1, 0, 1], f"train_{kind}": values}
    with pytest.raises(InputError, match=message):
        load(tmp_path, **held)


@pytest.mark.parametrize("name", ["train_subjects", "subject_train", "train_pid", "mrn_train"])
def test_words_for_groups_are_those_of_tables(tmp_path, name):
    held = {"train_images": images(), "train_labels": [0, 1, 0, 1], name: ["a", "a", "b", "b"]}
    assert load(tmp_path, **held).groups == ("a", "a", "b", "b")


def test_an_empty_split_is_told(tmp_path):
    held = {"train_images": images(), "train_labels": [0, 1, 0, 1]}
    with pytest.raises(InputError, match=r"val.*_images: no image, shape"):
        load(tmp_path, **held, val_images=images(0), val_labels=[])


def test_a_class_may_be_none_and_255_where_that_is_said(tmp_path):
    found = load(
        tmp_path, train_images=images(), train_labels=[0, 1, 0, 1], class_names=["dog", "none"]
    )
    assert found.class_names == ("dog", "none")
    many = np.array([254, 255, 254, 255], np.uint8)
    assert load(tmp_path, train_images=images(), train_labels=many).class_names == ("254", "255")
    wide = np.array([0, 255, 0, 255])
    assert load(tmp_path, train_images=images(), train_labels=wide).class_names == ("0", "255")


def test_colour_and_floating_point(tmp_path):
    values = images(size=(6, 5, 3), dtype=np.float64)
    found = load(tmp_path, in_channels=3, train_images=values, train_labels=np.arange(4))
    assert found.images.dtype == np.float32
    np.testing.assert_allclose(found.images, values, rtol=1e-6)


L = np.arange(4)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"train_images": images()}, "train_labels is missing"),
        ({"other": L}, "holds no train_images"),
        ({"test_images": images(), "test_labels": L}, "holds no train_images"),
        ({"trian_images": images(), "train_labels": L}, "did you mean 'train_images'"),
        ({"train_images": images(), "train_labels": L[:3]}, "one value per image"),
        ({"train_images": images(), "train_labels": np.eye(4)}, "several labels"),
        ({"train_images": images(), "train_labels": L / 2}, "whole numbers or text"),
        ({"train_images": images(), "train_labels": L.astype(object)}, "not as objects"),
        ({"train_images": images().astype(complex), "train_labels": L}, "such as uint8"),
        ({"train_images": images()[0], "train_labels": L}, "shape"),
        ({"train_images": images()[:0], "train_labels": L[:0]}, "shape"),
        ({"train_images": images(), "train_labels": L, "test_labels": L}, "without test_images"),
        (
            {"train_images": images(), "train_labels": L, "class_names": np.array(["a", "b"])},
            "whole numbers from 0 to 1",
        ),
        (
            {
                "train_images": images(),
                "train_labels": L,
                "val_images": images(),
                "val_labels": L,
                "valid_images": images(),
                "valid_labels": L,
            },
            "twice",
        ),
        (
            {
                "train_images": images(),
                "train_labels": L,
                "test_images": images(dtype=np.float32),
                "test_labels": L,
            },
            "save one type",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path, arrays, message):
    with pytest.raises(InputError, match=message):
        load(tmp_path, **arrays)


def test_a_wrong_size_names_the_values_for_the_variant(tmp_path):
    with pytest.raises(InputError, match=r"set image_size: \[6, 5\] and in_channels: 1"):
        load(tmp_path, image_size=(8, 8), train_images=images(), train_labels=L)


def test_channels_first_is_recognised(tmp_path):
    with pytest.raises(InputError, match=r"transpose\(0, 2, 3, 1\)"):
        load(
            tmp_path,
            image_size=(6, 6),
            in_channels=3,
            train_images=images(size=(3, 6, 6)),
            train_labels=L,
        )


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_archive(tmp_path, content):
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read as \.npz"):
        NpzSource(str(path)).load((6, 5), 1, None)


def test_a_damaged_archive(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, train_images=images(), train_labels=L)
    whole = bytearray(path.read_bytes())
    whole[200] ^= 0xFF  # inside the pixels: the archive's check sum tells
    path.write_bytes(whole)
    with pytest.raises(InputError, match=r"cannot be read as \.npz"):
        NpzSource(str(path)).load((6, 5), 1, None)


def test_a_plain_array_file(tmp_path):
    path = tmp_path / "set.npy"
    np.save(path, images())
    with pytest.raises(InputError, match=r"cannot be read as \.npz"):
        NpzSource(str(path)).load((6, 5), 1, None)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="is not a file"):
        NpzSource(str(tmp_path / "none.npz")).load((6, 5), 1, None)


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),  # Keras
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("xtrain", "ytrain", "xtest", "ytest"),
        ("images_train", "labels_train", "images_test", "labels_test"),
        ("train_image", "train_label", "test_image", "test_label"),
        ("Train_Images", "TrainLabels", "testing_images", "testing_targets"),
    ],
)
def test_known_spellings_of_arrays_are_taken_and_said(tmp_path, names):
    values = (images(), L, images(4, seed=1), L)
    found = load(tmp_path, **dict(zip(names, values, strict=True)), mean=np.zeros(3))
    assert found.splits == ("train",) * 4 + ("test",) * 4
    np.testing.assert_array_equal(found.images[:4, ..., 0], values[0])
    assert f"array {names[0]!r} read as train_images" in found.notes
    assert "arrays not used: 'mean'" in found.notes


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"train_grops": L}, "did you mean 'train_groups'"),
        ({"tset_images": images(), "test_labels": L}, "did you mean 'test_images'"),
        ({"eval_images": images(), "eval_labels": L}, "'eval' can mean validation or test"),
        ({"groups": L}, "did you mean 'train_groups'"),
        ({"x_train": images()}, "gives train_images twice"),
        ({"extra_images": images()}, "images of no split"),
        ({"valid_groups": L}, "stands without validation_images"),
        ({"test_images": images(), "test_labels": np.array([1, 2, 3, -1])}, "-1 is negative"),
        ({"test_images": images(), "test_labels": np.array(["1", "", "2", "3"])}, "no label"),
        ({"test_images": images(), "test_labels": np.array(["1", "nan", "2", "3"])}, "no label"),
        ({"test_images": images(), "test_labels": np.array([b"\xff"] * 4)}, "not UTF-8"),
        ({"class_names": np.array([[["a"]]])}, "one value per image"),
        ({"class_names": np.array([])}, "class_names is empty"),
        ({"class_names": np.array("a")}, "shape"),
        ({"test_images": np.array(3), "test_labels": L}, "shape"),
        ({"test_images": np.zeros((4, 0, 5)), "test_labels": L}, "shape"),
        ({"test_images": np.zeros(4, "M8[s]"), "test_labels": L}, "shape"),
        ({"test_images": np.zeros((4, 6, 5), "M8[s]"), "test_labels": L}, "type datetime64"),
        ({"test_images": np.zeros((4, 6, 5), [("a", int)]), "test_labels": L}, "such as uint8"),
        ({"test_images": images(), "test_labels": np.zeros(4, "M8[s]")}, "whole numbers or text"),
    ],
)
def test_slips_and_odd_members_are_refused(tmp_path, others, message):
    with pytest.raises(InputError, match=message) as error:
        load(tmp_path, train_images=images(), train_labels=L, **others)
    assert len(str(error.value)) < 350


def test_members_that_are_no_arrays(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, train_images=images())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train_labels", "0,1,2,3")
    with pytest.raises(InputError, match="'train_labels' is not a NumPy array"):
        NpzSource(str(path)).load((6, 5), 1, None)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("u2", np.uint16),
        ("i2", np.float32),
        ("i4", np.float32),
        ("f4", np.float32),
        ("b1", np.uint8),
    ],
)
def test_numbers_of_any_type_arrive(tmp_path, order, kind, held):
    values = images().astype(f"{order}{kind}" if kind != "b1" else bool)
    found = load(tmp_path, train_images=values, train_labels=L)
    assert found.images.dtype == held
    np.testing.assert_array_equal(found.images[..., 0], values)


def test_differences_that_float32_would_round_away_are_kept(tmp_path):
    """Near 1e9 float32 counts in steps of 64."""
    values = 1e9 + images().astype(np.float64)
    found = load(tmp_path, train_images=values, train_labels=L)
    assert found.images.dtype == np.float64
    np.testing.assert_array_equal(found.images[..., 0], values)
    small = load(tmp_path, train_images=images() / 255, train_labels=L)
    assert small.images.dtype == np.float32


def test_a_range_maps_and_clips(tmp_path):
    path = tmp_path / "set.npz"
    values = np.array([[[-1000, 0]], [[400, 3000]]], np.int16)
    np.savez(path, train_images=values, train_labels=L[:2])
    found = NpzSource(str(path), value_range=(-1000, 1000)).load((1, 2), 1, None)
    assert found.images.ravel().tolist() == pytest.approx([0.0, 0.5, 0.7, 1.0])
    assert "values outside value_range clipped" in found.notes


@pytest.mark.parametrize("path", ["x" * 5000, "~nobody-there/x", "a\0b", "/", "/dev/zero"])
def test_paths_that_are_no_files(path):
    with pytest.raises(InputError) as error:
        NpzSource(path).load((6, 5), 1, None)
    assert len(str(error.value)) < 300
