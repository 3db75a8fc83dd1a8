"""What the receipt and the terminal say of the images."""

import json

import numpy as np
import pytest
from PIL import Image

from hybrid_swin.data.loading import load_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.summary import describe, summary_lines


@pytest.fixture
def photos(tmp_path):
    """Two given splits, copies between them and under two labels, files of other kinds."""
    rng = np.random.default_rng(0)
    for split, count in (("Training", 6), ("Testing", 3)):
        for label in ("cat", "dog"):
            folder = tmp_path / split / label
            folder.mkdir(parents=True)
            for index in range(count + (label == "dog")):
                pixels = rng.integers(1, 255, (4, 4, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    root = tmp_path
    copy = (root / "Training" / "cat" / "0.png").read_bytes()
    (root / "Testing" / "cat" / "0.png").write_bytes(copy)
    twice = (root / "Training" / "cat" / "1.png").read_bytes()
    (root / "Training" / "dog" / "1.png").write_bytes(twice)
    (root / "Training" / "cat" / "broken.png").write_text("broken")
    (root / "Training" / "cat" / "Thumbs.db").write_text("x")
    (root / "notes.txt").write_text("x")
    return str(root)


def lines(about):
    return dict(summary_lines(about))


def test_six_lines_say_what_was_understood(photos):
    data = load_data(DataSettings("folder", {"path": photos}), (4, 4), 3, None)
    about = describe(data)
    assert about == json.loads(json.dumps(about))
    said = lines(about)
    assert len(said) <= 6
    assert said["classes"] == "2: cat, dog; 9 (cat) to 11 (dog) images each"
    train, validation = len(data.splits.train), len(data.splits.validation)
    assert said["splits"] == (
        f"train {train} (given), validation {validation} (drawn), test 7 (given); no groups"
    )
    low, high = data.images.images.min(), data.images.images.max()
    assert said["images"] == (
        f"4 x 4, RGB, uint8 from {low} to {high}; from RGB, 8 bits (20); files of 4 x 4 pixels"
    )
    assert "2 in two splits ('Testing/cat/0.png' = 'Training/cat/0.png')" in said["copies"]
    assert "2 under two labels ('Training/cat/1.png' = 'Training/dog/1.png')" in said["copies"]
    assert said["left out"].startswith(
        "1 image(s) that cannot be used, first 'Training/cat/broken.png'"
    )
    assert "2 other file(s), first 'notes.txt'" in said["left out"]
    assert "'Training' read as train" in said["note"]
    assert "'Testing' read as test" in said["note"]


def test_dropped_copies_are_counted_and_gone(photos):
    settings = DataSettings("folder", {"path": photos}, duplicates="drop")
    about = describe(load_data(settings, (4, 4), 3, None))
    assert about["copies"]["dropped"] == 3
    assert lines(about)["copies"] == "no image in two splits or under two labels; 3 dropped"


def test_identical_splits_of_arrays_are_said(tmp_path):
    images = np.arange(4 * 9, dtype=np.uint8).reshape(4, 3, 3)
    labels = np.array([0, 1, 0, 1])
    names = ("train", "val", "test")
    arrays = {f"{name}_images": images for name in names}
    arrays |= {f"{name}_labels": labels for name in names}
    np.savez(tmp_path / "set.npz", **arrays)
    settings = DataSettings("npz", {"path": str(tmp_path / "set.npz")})
    said = lines(describe(load_data(settings, (3, 3), 1, None)))
    assert said["copies"].startswith("equal images: 12 in two splits ('train/0' = 'validation/0')")
    assert said["splits"] == "given: train 4, validation 4, test 4; no groups"
    assert said["images"] == "3 x 3, grey, uint8 from 0 to 35; from arrays of uint8"


def test_many_classes_are_named_by_first_and_last_and_odd_names_shown_safely(tmp_path):
    names = [f"c{index:03}" for index in range(30)] + ["Cat", "cat", "ev\x1bil\n"]
    arrays = {
        "train_images": np.random.default_rng(0).integers(0, 255, (330, 2, 2), np.uint8),
        "train_labels": np.array(names * 10),
    }
    np.savez(tmp_path / "set.npz", **arrays)
    settings = DataSettings("npz", {"path": str(tmp_path / "set.npz")})
    about = describe(load_data(settings, (2, 2), 1, None))
    said = lines(about)
    assert said["classes"] == "33: Cat, ..., 'ev\\x1bil\\n'; 10 images each"
    assert "classes 'Cat' and 'cat' differ in nothing but spelling" in said["note"]


def test_a_source_that_says_nothing_of_its_files():
    said = lines(describe(load_data(DataSettings(), (8, 8), 1, None)))
    assert said["classes"].startswith("10: 0, ..., 9; 174 (8) to 183 (3) images each")
    assert said["splits"].startswith("drawn: train 1,168, validation 270, test 359")
    assert said["copies"] == "no image in two splits or under two labels"
    assert set(said) == {"classes", "splits", "images", "copies"}
