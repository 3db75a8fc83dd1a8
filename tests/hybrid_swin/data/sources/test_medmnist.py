"""Files as MedMNIST's package leaves them."""

import numpy as np
import pytest

from hybrid_swin.data.sources.medmnist import _CLASSES, MedmnistSource
from hybrid_swin.errors import InputError


def write(path, labels, side=28, channels=()):
    """A small set: each split holds these labels."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split in ("train", "val", "test"):
        size = (len(labels), side, side, *channels)
        arrays[f"{split}_images"] = rng.integers(0, 256, size, dtype=np.uint8)
        arrays[f"{split}_labels"] = np.array(labels, np.uint8)[:, None]
    np.savez(path, **arrays)
    return arrays


@pytest.mark.parametrize(("side", "file"), [(28, "bloodmnist.npz"), (64, "bloodmnist_64.npz")])
def test_the_file_of_the_size_is_read_with_the_names_of_classes(tmp_path, side, file):
    arrays = write(tmp_path / file, [7, 0, 3, 1], side, (3,))
    found = MedmnistSource("BloodMNIST", str(tmp_path)).load((side, side), 3, None)
    np.testing.assert_array_equal(found.images[4:8], arrays["val_images"])
    assert [found.class_names[label] for label in found.labels[:4]] == [
        "platelet",
        "basophil",
        "immature granulocytes(myelocytes, metamyelocytes and promyelocytes)",
        "eosinophil",
    ]
    assert len(found.class_names) == 8  # also those of which no image is there
    assert found.splits == ("train",) * 4 + ("validation",) * 4 + ("test",) * 4


def test_every_set_has_as_many_classes_as_are_published():
    counts = {name: len(classes) for name, classes in _CLASSES.items()}
    organs = {"organamnist": 11, "organcmnist": 11, "organsmnist": 11}
    others = {"pathmnist": 9, "dermamnist": 7, "octmnist": 4, "pneumoniamnist": 2}
    more = {"retinamnist": 5, "breastmnist": 2, "bloodmnist": 8, "tissuemnist": 8}
    assert counts == organs | others | more


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("bloodmnst", 28, "unknown set of MedMNIST 'bloodmnst'; did you mean 'bloodmnist'"),
        ("chestmnist", 28, "several labels each"),
        ("organmnist3d", 28, "three dimensions"),
        ("bloodmnist", 32, r"28, 64, 128 or 224 pixels per side, but the variant takes 32 x 32"),
        ("bloodmnist", 128, r"bloodmnist_128.npz' is not there; put it there, from https://zenodo"),
        ("octmnist", 28, "octmnist.npz holds label 7, but octmnist has the labels 0 to 3"),
    ],
)
def test_what_cannot_be_is_said_with_what_can(tmp_path, name, size, message):
    for held in ("bloodmnist", "octmnist"):
        write(tmp_path / f"{held}.npz", [7, 0, 3, 1])
    with pytest.raises(InputError, match=message):
        MedmnistSource(name, str(tmp_path)).load((size, size), 1, None)


def test_another_number_of_channels_is_refused_with_the_right_one(tmp_path):
    write(tmp_path / "bloodmnist.npz", [7, 0, 3, 1], 28, (3,))
    with pytest.raises(InputError, match="set image_size: 28 and in_channels: 3"):
        MedmnistSource("bloodmnist", str(tmp_path)).load((28, 28), 1, None)
