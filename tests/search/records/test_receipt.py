"""The receipt: what it takes to repeat a study, and what it took."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import search
from hybrid_swin.data.loading import load_data
from hybrid_swin.data.settings import DataSettings
from search.launch.study import about_study
from search.records import versions as versions_module
from search.records.identity import derive_seed
from search.records.receipt import write_receipt
from search.records.study_folder import recorded_test_read
from search.records.versions import code_hash
from search.settings.study import FinalistSettings, StudySettings
from search.space.space import Space

VARIANT = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": 10,
    "patch_size": 2,
    "stages": [
        {"width": {"choose": [8, 16]}, "depth": 1, "num_heads": 2, "blocks": {"choose": [["conv"]]}}
    ],
}


@pytest.fixture
def written(tmp_path):
    """Write a study's receipt and read it."""

    def write(study=None, recipe=None, data=None, **settings):
        made = StudySettings(
            name="mine", folder=str(tmp_path), variant=VARIANT, recipe=recipe or {}, **settings
        )
        made.path.mkdir(exist_ok=True)
        space = Space(made.variant, made.recipe)
        about = about_study(made, space, data, {"drawn": 9, "running": 0})
        write_receipt(made, 12.5, **about)
        return json.loads((made.path / "receipt.json").read_text())

    return write


def test_says_what_was_run_and_what_failed(whole_study, written, tmp_path):
    whole_study("mine")
    with recorded_test_read(tmp_path / "mine", "study", "finalists/c/0", "c", {}):
        pass
    found = written(seed=4, finalists=FinalistSettings(3, 2))
    assert found["study"] == "mine"
    assert found["runs"] == {"asked": 34, "ended": 34}
    assert found["failures"] == {"trials/0007": "out of memory"}
    assert found["test_reads"] == 1
    assert found["training_seconds"] == pytest.approx(21.8 * 34)
    assert found["seconds_of_this_start"] == 12.5
    assert found["draws"] == {"drawn": 9, "running": 0}
    assert found["seeds"] == {
        "study": 4,
        "search": derive_seed(4, "search"),
        "final": [derive_seed(4, "final", 0), derive_seed(4, "final", 1)],
    }
    assert found["space"] == {
        "parameters": ["stages.0.width", "stages.0.blocks"],
        "combinations": 2,
    }
    assert found["settings"]["seed"] == 4
    assert found["schema_version"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found["written"])
    assert set(found["versions"]) >= {"python", "torch", "optuna", "lightning", "wandb", "numpy"}
    assert found["data"] == {}  # a data module of the user's own


def test_runs_that_have_not_ended_are_asked_only(make_study, written):
    study = make_study("mine")
    study.trial(0, 0.9)
    study.trial(1, None, ended=False)
    study.trial(2, None, state="failed", device="", error="killed", seconds={})
    found = written()
    assert found["runs"] == {"asked": 3, "ended": 2}
    assert found["failures"] == {"trials/0002": "killed"}
    assert found["hardware"]["devices"] == ["cpu"]  # a run that failed names none


@pytest.mark.parametrize(("splits", "told"), [("ab", [11, 12]), ("aa", [])])
def test_seeds_that_drew_no_validation_are_not_told(make_study, written, splits, told):
    study = make_study("mine")
    for index, split in enumerate(splits):
        data = {"source": "folder", "validation_seed": 11 + index}
        key = f"finalists/c/{index}"
        study.run(key, "finalist", 0.9, "c", data=data, split_hash=split, stage="final")
    assert written()["validation_seeds"] == told


def test_nothing_was_run(written):
    found = written()
    assert found["runs"] == {"asked": 0, "ended": 0}
    assert (found["failures"], found["test_reads"], found["training_seconds"]) == ({}, 0, 0)


def test_an_uncounted_space(written):
    found = written(recipe={"learning_rate": {"from": 1e-4, "to": 1e-2, "log": True}})
    assert found["space"]["combinations"] is None


def test_says_which_images(written):
    data = load_data(DataSettings(), (8, 8), 1, None)
    found = written(data=data)["data"]
    assert (found["data_hash"], found["split_hash"]) == (data.data_hash, data.splits.hash)
    assert sum(found["images"].values()) == 1797
    assert found["images"]["test"] == len(data.splits.test)
    assert found["classes"] == [str(digit) for digit in range(10)]
    assert found["left_out"] == []


def test_the_codes_hash_is_of_all_sources_and_nothing_else(tmp_path, monkeypatch):
    assert re.fullmatch(r"[0-9a-f]{10}", code_hash())
    now = code_hash.__wrapped__  # not that of when the process began
    assert now() == code_hash()
    package = tmp_path / "search"
    shutil.copytree(
        Path(search.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    before = now()
    monkeypatch.setattr(
        versions_module, "search", SimpleNamespace(__file__=package / "__init__.py")
    )
    assert now() == before  # wherever it lies
    (package / "notes.txt").write_text("no source")
    assert now() == before
    changed = package / "execution" / "executors" / "local.py"
    content = changed.read_text()
    changed.write_text(content + "# another\n")
    assert now() != before
    changed.write_text(content)
    assert now() == before
    changed.rename(changed.with_name("nearby.py"))
    assert now() != before
