"""A study's folder: what it is tied to, its plug-ins, the ledger of test readings."""

import json
from pathlib import Path

import pytest
import yaml

from hybrid_swin.data.test_reads import LEDGER, read_ledger
from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.system.files import write_json_atomically
from search.records.study_folder import (
    adopt_plugins,
    bind_settings,
    recorded_test_read,
)
from search.settings.experiment import WorkerSettings
from search.settings.study import FinalistSettings, StudySettings

# What a folder is tied to


AUTO, OTHER = ({"precision": name} for name in ("32-true", "bf16-mixed"))


@pytest.fixture
def study(tmp_path):
    def make(**settings):
        made = StudySettings(name="mine", folder=str(tmp_path), **settings)
        made.path.mkdir(exist_ok=True)
        return made

    return make


def test_a_folder_keeps_its_settings(study):
    first = study(recipe={"epochs": 3})
    assert bind_settings(first, {}, {"data_hash": "d0"}, AUTO) == AUTO
    written = yaml.safe_load((first.path / "settings.yaml").read_text())
    assert written == {"schema_version": 1, **first.to_dict()}
    fixed = (first.path / "study.json").read_bytes()
    bind_settings(first, {}, {"data_hash": "d0"}, AUTO)
    # What may change is written anew; what may not stays.
    more = study(recipe={"epochs": 3}, trials=50, finalists=FinalistSettings(5, 8))
    bind_settings(more, {}, {"data_hash": "d0"}, AUTO)
    assert yaml.safe_load((first.path / "settings.yaml").read_text())["trials"] == 50
    assert (first.path / "study.json").read_bytes() == fixed


@pytest.mark.parametrize(
    ("settings", "plugins", "data", "words"),
    [
        ({"recipe": {"epochs": 4}}, {}, {}, "settings.recipe.epochs: 3 -> 4"),
        ({"seed": 1}, {}, {}, "settings.seed: 0 -> 1"),
        ({}, {"blur.py": "b1"}, {}, "plugins.blur.py: 'b0' -> 'b1'"),
        ({}, {"blur.py": None, "b.py": "b0"}, {}, "plugins.b.py: None -> 'b0'"),
        ({}, {}, {"data_hash": "d1"}, "data.data_hash: 'd0' -> 'd1'"),
        ({}, {}, {"split_hash": "s1"}, "data.split_hash: 's0' -> 's1'"),
    ],
)
def test_a_folder_of_another_study_is_refused(study, settings, plugins, data, words):
    mine = {"recipe": {"epochs": 3}}
    old_plugins, old_data = {"blur.py": "b0"}, {"data_hash": "d0", "split_hash": "s0"}
    bind_settings(study(**mine), old_plugins, old_data, AUTO)
    write_json_atomically(study().path / "trials/0000/run.json", {})
    before = (study().path / "settings.yaml").read_bytes()
    with pytest.raises(InputError, match="was begun with other settings") as caught:
        bind_settings(study(**(mine | settings)), old_plugins | plugins, old_data | data, AUTO)
    assert words in str(caught.value)
    assert (study().path / "settings.yaml").read_bytes() == before
    bind_settings(study(**mine), old_plugins, old_data, AUTO)


def test_lost_files_let_no_other_settings_in(study):
    """study.json and its copy are lost, as in a folder that was copied in part."""
    first = study(recipe={"epochs": 3})
    bind_settings(first, {}, {}, AUTO)
    write_json_atomically(first.path / "trials/0000/run.json", {})
    for damage in (lambda path: path.write_text("{"), lambda path: path.unlink()):
        for name in ("study.json", "study.copy.json"):
            damage(first.path / name)
        with pytest.raises(InputError, match=r"settings.recipe.epochs: 3 -> 4"):
            bind_settings(study(recipe={"epochs": 4}), {}, {}, AUTO)
        assert bind_settings(study(recipe={"epochs": 3}, trials=50), {}, {}, AUTO) == AUTO


def test_a_folder_in_which_nothing_was_trained_takes_other_settings(study):
    first = {"owner": "me", "precision": "32-true"}
    bind_settings(study(), {"blur.py": "b0"}, {"data_hash": "d0"}, first)
    again = {"owner": "somebody", "precision": "bf16-mixed"}
    other = study(recipe={"epochs": 4}), {"blur.py": "b1"}, {"data_hash": "d1"}
    settled = {"owner": "me", "precision": "bf16-mixed"}
    assert bind_settings(*other, again) == settled
    write_json_atomically(study().path / "baselines/00/run.json", {})
    assert bind_settings(*other, first) == settled
    with pytest.raises(InputError, match="was begun with other settings"):
        bind_settings(study(), {"blur.py": "b0"}, {"data_hash": "d0"}, first)


def test_where_plug_ins_lie_and_who_works_does_not_matter(study):
    bind_settings(study(plugins=("here/blur.py",)), {"blur.py": "b0"}, {}, AUTO)
    moved = study(plugins=("there/blur.py",), workers=WorkerSettings(count=3))
    bind_settings(moved, {"blur.py": "b0"}, {}, AUTO)


def test_precision_stays_what_it_was_on_another_machine(study):
    assert bind_settings(study(), {}, {}, OTHER) == OTHER
    assert bind_settings(study(), {}, {}, AUTO) == OTHER


def test_a_folder_from_before_precision_was_kept_is_taken(study):
    bind_settings(study(), {}, {}, AUTO)
    path = study().path / "study.json"
    content = json.loads(path.read_text())
    del content["precision"]
    path.write_text(json.dumps(content))
    assert bind_settings(study(), {}, {}, AUTO) == AUTO


# Plug-ins


def test_plug_ins_are_copied_and_used_from_there(write_plugin, tmp_path):
    mine, folder = write_plugin("average", folder="mine"), tmp_path / "study"
    hashes = adopt_plugins([str(mine)], folder)
    copy = folder / "plugins" / "average.py"
    assert hashes == {str(copy.resolve()): registry.describe("branch", "average").plugin_hash}
    assert registry.describe("branch", "average").file == copy.resolve()
    assert [f.name for f in copy.parent.iterdir()] == ["average.py"]
    assert adopt_plugins([str(mine)], folder) == hashes
    assert adopt_plugins([str(copy)], folder) == hashes  # as a user may well give it


def test_a_plug_in_that_changed_is_refused(write_plugin, tmp_path, clean_registry):
    mine, folder = write_plugin("average", folder="mine"), tmp_path / "study"
    content = mine.read_bytes()
    adopt_plugins([str(mine)], folder)
    mine.write_bytes(content + b"# corrected, before anything was trained\n")
    (copy,) = adopt_plugins([str(mine)], folder)
    assert Path(copy).read_bytes() == mine.read_bytes()
    content = mine.read_bytes()
    write_json_atomically(folder / "baselines/00/run.json", {})
    mine.write_bytes(content + b"# another\n")
    with pytest.raises(InputError, match=r"plug-in 'average\.py' has changed since the study"):
        adopt_plugins([str(mine)], folder)
    mine.write_bytes(content)
    adopt_plugins([str(mine)], folder)


def test_a_copy_that_was_cut_off_is_made_again(write_plugin, tmp_path, monkeypatch):
    mine, folder = write_plugin("average", folder="mine"), tmp_path / "study"

    def half(source, target):
        Path(target).write_bytes(Path(source).read_bytes()[:50])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("search.records.study_folder.shutil.copyfile", half)
        with pytest.raises(KeyboardInterrupt):
            adopt_plugins([str(mine)], folder)
    adopt_plugins([str(mine)], folder)
    copies = list((folder / "plugins").iterdir())
    assert [f.read_bytes() for f in copies] == [mine.read_bytes()]


# The ledger


@pytest.mark.parametrize("left", [0, 1])
def test_readings_that_a_ledger_lost_are_taken_from_the_one_beside(study, left):
    """Those of runs that have ended here; another one under an old name begins anew."""
    settings, said = study(), []
    folder = settings.path
    bind_settings(settings, {}, {}, AUTO)
    for key in ("finalists/c/0", "finalists/c/1", "finalists/of-an-old-folder/0"):
        with recorded_test_read(folder, "study", key, "c", {}):
            pass
        if "old" not in key:
            (folder / key).mkdir(parents=True)
            (folder / key / "result.json").write_text("{}")
    whole = read_ledger(folder / LEDGER)[:2]
    lines = (folder / LEDGER).read_bytes().splitlines(keepends=True)
    (folder / LEDGER).write_bytes(b"".join(lines[:left]))
    for _ in range(2):
        bind_settings(settings, {}, {}, AUTO, said.append)
    assert len(said) == 1 and f"had lost {2 - left} readings of test" in said[0]
    assert [read for read in read_ledger(folder / LEDGER) if read.happened] == whole


def test_every_reading_is_written_once_in_the_folder_and_beside_it(tmp_path):
    folder, data = tmp_path / "mine", {"test_hash": "7e57", "data_hash": "d0", "images": {}}
    assert read_ledger(folder / LEDGER) == []
    for _ in range(2):
        for seed in (0, 1):
            with recorded_test_read(folder, "study", f"finalists/c/{seed}", "c", data):
                pass
    reads = read_ledger(folder / LEDGER)
    assert read_ledger(tmp_path / LEDGER) == reads
    assert [read.key for read in reads] == ["finalists/c/0", "finalists/c/1"]
    assert {(r.study, r.command, r.test_hash, r.data_hash) for r in reads} == {
        ("mine", "study", "7e57", "d0")
    }


def test_a_study_that_could_not_record_its_readings_is_refused_at_once(study, tmp_path):
    (tmp_path / LEDGER).mkdir()
    with pytest.raises(InputError, match="reading of the test split cannot be recorded"):
        bind_settings(study(), {}, {}, "32-true")
    assert not (study().path / "study.json").exists()
