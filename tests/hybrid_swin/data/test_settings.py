import math

import pytest

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError


def test_defaults_are_valid_and_survive_a_round_trip():
    DataSettings().validate()
    settings = DataSettings(source="folder", options={"path": "x", "resize": "pad"}, split_seed=3)
    assert DataSettings.from_dict(settings.to_dict()) == settings
    fewer = DataSettings(epoch_images=64)
    assert fewer.to_dict()["epoch_images"] == 64
    assert DataSettings.from_dict(fewer.to_dict()) == fewer
    own = DataSettings(class_path="a.B", init_args={"n": [1, {"m": 2}]}, num_workers=2)
    assert DataSettings.from_dict(own.to_dict()) == own


def test_the_dict_is_a_copy():
    init_args = {"sizes": [1, 2]}
    settings = DataSettings(class_path="a.B", init_args=init_args)
    settings.to_dict()["init_args"]["sizes"].append(3)
    assert init_args == {"sizes": [1, 2]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"sorce": "digits"}, "did you mean 'source'"),
        ({"source": "digit"}, "did you mean 'digits'"),
        ({"source": "folder", "options": {"pth": "x"}}, "did you mean 'path'"),
        ({"source": "folder", "options": {"path": "x", "resize": "corp"}}, "crop, squash, pad"),
        ({"source": "npz"}, "'path' is missing"),
        ({"options": None}, "options must be a mapping"),
        ({"epoch_images": -1}, "epoch_images must be a whole number of at least 0; got -1"),
        ({"epoch_images": 1.5}, "epoch_images must be a whole number"),
        ({"class_path": "a.B", "epoch_images": 8}, "epoch_images 8 belongs to a source"),
        ({"validation_seed": -1}, "validation_seed must be a whole number of at least 0; got -1"),
        ({"class_path": "a.B", "validation_seed": 8}, "validation_seed 8 belongs to a source"),
        ({"init_args": [1]}, "init_args must be a mapping"),
        ({"validation_share": 0}, "validation_share must be a number between"),
        ({"test_share": 1.0}, "test_share must be a number between"),
        ({"test_share": float("nan")}, "test_share must be"),
        ({"test_share": "0.2"}, "test_share must be"),
        ({"test_share": True}, "test_share must be"),
        ({"validation_share": 0.5, "test_share": 0.5}, "nothing to train on"),
        ({"validation_share": 0.3, "test_share": 0.7}, "nothing to train on"),
        ({"split_seed": -1}, "split_seed must be a whole number"),
        ({"split_seed": 2**32}, "split_seed must be a whole number"),
        ({"num_workers": 1.5}, "num_workers must be a whole number"),
        ({"init_args": {"a": 1}}, "class_path, which is not given"),
        ({"class_path": "a.B", "options": {"a": 1}}, "write data.init_args"),
        ({"class_path": "Alone"}, "package.module.Class"),
        ({"class_path": "file.py:Class"}, "package.module.Class"),
    ],
)
def test_mistakes_are_told_with_what_is_allowed(data, message):
    with pytest.raises(InputError, match=message):
        DataSettings.from_dict(data)


def test_what_is_no_mapping():
    with pytest.raises(InputError, match="must be a mapping"):
        DataSettings.from_dict("digits")


def test_validation_imports_nothing_of_the_user():
    DataSettings(class_path="no.such.module.Class").validate()


def test_what_is_not_used_is_not_written_so_that_hashes_stay():
    assert not {"epoch_images", "validation_seed"} & set(DataSettings().to_dict())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mean": [0.5]}, "data.mean needs data.std"),
        ({"std": [0.5]}, "data.std needs data.mean"),
        ({"mean": [0.5], "std": [0.0]}, r"data.std must be above 0 in each channel; got \[0.0\]"),
        ({"mean": [0.5], "std": [0.5, 0.5]}, "data.mean has 1 channels and data.std 2"),
        ({"mean": "grey", "std": [0.5]}, "data.mean must be a list with a number"),
        ({"mean": [math.nan], "std": [0.5]}, "data.mean must be a list with a number"),
        ({"mean": [], "std": []}, "data.mean must be a list with a number"),
    ],
)
def test_normalisation_that_cannot_be_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        DataSettings.from_dict(given)
