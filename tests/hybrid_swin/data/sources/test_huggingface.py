"""Data sets as `datasets` saves them, and what is wrong with others."""

import datasets
import numpy as np
import pytest
from PIL import Image

from hybrid_swin.data.sources import huggingface
from hybrid_swin.data.sources.huggingface import HuggingfaceSource
from hybrid_swin.errors import InputError

FEATURES = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog", "eel"])}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Neither bars nor the network."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def pixels(seed, count):
    return np.random.default_rng(seed).integers(0, 256, (count, 6, 5, 3), dtype=np.uint8)


def table(seed, labels=(2, 0, 0, 2), features=None, **columns):
    images = [Image.fromarray(image) for image in pixels(seed, len(labels))]
    columns = {"image": images, "label": list(labels), **columns}
    known = datasets.Features({**FEATURES, **(features or {})})
    return datasets.Dataset.from_dict(columns, features=known)


def load(tmp_path, path, **options):
    return HuggingfaceSource(str(path), **options).load((6, 5), 3, tmp_path / "cache")


def save(tmp_path, how, parts):
    """A data set on the disk; gives its path."""
    place = tmp_path / how
    if how == "disk":
        datasets.DatasetDict(parts).save_to_disk(place)
    for name, part in parts.items() if how == "parquet" else ():
        part.to_parquet(place / f"{name}-00000-of-00001.parquet")
    return place


@pytest.mark.parametrize("how", ["disk", "parquet"])
def test_splits_images_and_classes_are_those_of_the_set(tmp_path, how):
    place = save(tmp_path, how, {"test": table(1), "train": table(0)})
    for _ in range(2):  # the second time from the cache
        found = load(tmp_path, place)
        np.testing.assert_array_equal(found.images, np.concatenate([pixels(0, 4), pixels(1, 4)]))
        assert found.splits == ("train",) * 4 + ("test",) * 4
        assert found.ids[3:5] == ("train/3", "test/0")
        assert found.class_names == ("cat", "eel")
        assert found.labels.tolist() == [1, 0, 0, 1] * 2
        assert found.stored.startswith("RGB, 8 bits (8)")


def test_one_split_is_free_and_one_file_is_enough(tmp_path):
    place = save(tmp_path, "parquet", {"train": table(0)})
    for path in (place, place / "train-00000-of-00001.parquet"):
        found = load(tmp_path, path)
        assert found.splits is None
        assert found.ids[0] == "row/0"


def test_other_columns_text_labels_and_groups(tmp_path):
    rows = table(
        0,
        photo=[Image.fromarray(image) for image in pixels(5, 4)],
        kind=["b", "a", "b", "a"],
        patient=[1, 1, 2, None],
        features={
            "photo": datasets.Image(),
            "kind": datasets.Value("string"),
            "patient": datasets.Value("int64"),
        },
    )
    place = save(tmp_path, "disk", {"train": rows})
    found = load(tmp_path, place, image="photo", label="kind", group="patient")
    np.testing.assert_array_equal(found.images, pixels(5, 4))
    assert found.class_names == ("a", "b")
    assert found.groups == ("1", "1", "2", "")


def test_rows_without_an_image_are_left_out(tmp_path):
    files = table(0, (0, 0, 0, 2)).cast_column("image", datasets.Image(decode=False)).to_dict()
    files["image"][1] = None
    files["image"][2] = {"bytes": b"broken", "path": None}
    rows = datasets.Dataset.from_dict(files, features=datasets.Features(FEATURES))
    found = load(tmp_path, save(tmp_path, "disk", {"train": rows}))
    assert found.ids == ("row/0", "row/3")
    assert dict(found.left_out)["row/1"] == "ValueError: no image in this row"


@pytest.mark.parametrize(
    ("parts", "options", "message"),
    [
        ({"train": table(0)}, {"image": "img"}, "unknown column of option 'image' 'img'"),
        ({"train": table(0)}, {"label": "labels"}, "did you mean 'label'"),
        ({"train": table(0)}, {"group": "who"}, "unknown column of option 'group'"),
        ({"train": table(0)}, {"image": "label"}, "not images; give option 'image': image"),
        ({"train": table(0)}, {"label": "image"}, "whole numbers, text or ClassLabel are needed"),
        ({"train": table(0), "unsupervised": table(1)}, {}, "unknown split 'unsupervised'"),
        ({"train": table(0), "val": table(1), "dev": table(2)}, {}, "two mean validation"),
        ({"val": table(0), "test": table(1)}, {}, "has no split train"),
        ({"train": table(0, (0, 0))}, {}, r"class\(es\) \['cat'\]; a classifier needs"),
        (
            {"train": table(0), "test": table(1, (-1, 0))},
            {},
            "row 0 of test: label '-1' stands",
        ),
    ],
)
def test_what_cannot_be_is_said_with_what_can(tmp_path, parts, options, message):
    place = save(tmp_path, "disk", parts)
    with pytest.raises(InputError, match=message):
        load(tmp_path, place, **options)


def test_what_is_no_data_set_is_said_in_a_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    for path in (tmp_path / "empty", tmp_path / "broken.parquet", "owner/name", "no name at all"):
        with pytest.raises(InputError, match=r"cannot be opened: .* a name on the hub") as error:
            load(tmp_path, path)
        assert "\n" not in str(error.value)


def test_code_of_a_data_set_never_runs(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(InputError, match="cannot be opened"):
        load(tmp_path, tmp_path / "mine")


def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface, "is_installed", lambda name: False)
    with pytest.raises(InputError, match=r"pip install 'hybrid-swin\[data\]'"):
        load(tmp_path, tmp_path)
