import errno
import json
import math
import os
from dataclasses import replace

import numpy as np
import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import (
    DamagedFileError,
    FileError,
    MissingFileError,
    natural_order,
    read_json,
    write_json_atomically,
    write_text_atomically,
)
from hybrid_swin.system.schema import FutureVersionError, SchemaError
from search.records.runs import RunResult, RunSpec, iter_runs, read_run


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read(make_study):
    study = make_study()
    spec, result = study.trial(7, 0.9)
    assert read_run(study.folder, "trials/0007") == (spec, result)


def test_numbers_that_json_lacks_become_null(tmp_path):
    data = {"a": math.nan, "b": [math.inf, np.float32(0.5)], "c": {"d": np.int64(3)}}
    write_json_atomically(tmp_path / "x.json", data)
    assert json.loads((tmp_path / "x.json").read_text()) == {
        "a": None,
        "b": [None, 0.5],
        "c": {"d": 3},
    }


def test_a_diverged_run_reads_back_as_nan_and_without_score(make_study):
    study = make_study()
    broken = {"history": ({"epoch": 1, "train/loss": math.nan},), "metrics": {"val/loss": math.nan}}
    study.trial(0, None, state="diverged", **broken)
    _, result = read_run(study.folder, "trials/0000")
    assert result.score is None
    assert math.isnan(result.history[0]["train/loss"])
    assert math.isnan(result.metrics["val/loss"])


def test_only_the_file_is_left_and_folders_are_made(tmp_path):
    write_json_atomically(tmp_path / "a" / "b" / "x.json", {"n": 1})
    write_json_atomically(tmp_path / "a" / "b" / "x.json", {"n": 2})
    assert names(tmp_path / "a" / "b") == ["x.json"]
    assert read_json(tmp_path / "a" / "b" / "x.json") == {"n": 2}


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Order of the steps: sync the content, rename, sync the folder."""
    steps, fsync, replace_ = [], os.fsync, os.replace

    def seen_fsync(handle):
        steps.append("sync folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "sync file")
        fsync(handle)

    def seen_replace(source, target):
        steps.append("rename")
        replace_(source, target)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "replace", seen_replace)
    write_text_atomically(tmp_path / "x", "text")
    assert steps == ["sync file", "rename", "sync folder"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path, monkeypatch, code):
    path = tmp_path / "result.json"
    write_json_atomically(path, {"n": 1})

    def full(handle):
        raise OSError(code, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"result\.json: .*; free some space"):
        write_json_atomically(path, {"n": 2})
    assert read_json(path) == {"n": 1}
    assert names(tmp_path) == ["result.json"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_really_full_device(tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.setattr(Path, "with_name", lambda self, name: Path("/dev/full"))
    monkeypatch.setattr(Path, "unlink", lambda self, missing_ok: None)
    with pytest.raises(InputError, match="No space left"):
        write_json_atomically(tmp_path / "x.json", {"n": 1})
    assert names(tmp_path) == []


def test_a_file_in_the_way_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"file.x\.json: .*; a file stands where a folder belongs"):
        write_json_atomically(tmp_path / "file" / "x.json", {})


def test_newer_keys_are_ignored_and_other_versions_refused(make_study):
    spec, result = make_study().trial(0, 0.9)
    assert RunSpec.from_dict({**spec.to_dict(), "mood": "good"}) == spec
    assert RunResult.from_dict({**result.to_dict(), "mood": "good"}) == result
    for cls, data in ((RunSpec, spec.to_dict()), (RunResult, result.to_dict())):
        with pytest.raises(FutureVersionError, match="schema_version 2 is of a later program"):
            cls.from_dict({**data, "schema_version": 2})
        for none in (None, "1", True, 0, 1.5):
            with pytest.raises(SchemaError, match="schema_version must be 1"):
                cls.from_dict({**data, "schema_version": none})


def test_mistakes_in_files_are_named(make_study):
    spec, result = make_study().trial(0, 0.9)
    data = spec.to_dict()
    del data["label"], data["seed"]
    with pytest.raises(SchemaError, match="label is missing"):
        RunSpec.from_dict(data)
    with pytest.raises(SchemaError, match="got 'trail'; did you mean 'trial'"):
        RunSpec.from_dict({**spec.to_dict(), "kind": "trail"})
    with pytest.raises(SchemaError, match="stopped, diverged, infeasible, failed; got 'done'"):
        RunResult.from_dict({**result.to_dict(), "state": "done"})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"torn": ', "not JSON"),
        (b"[1]", "holds a list"),
        (b"", "is empty"),
        (b"\0" * 100, "is empty"),
        (b'{"a": "\xff"}', "not JSON"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_damaged_files_are_named(tmp_path, content, reason):
    with pytest.raises(MissingFileError, match=r"there is no .*x\.json"):
        read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(DamagedFileError, match=rf"x\.json is damaged: .*{reason}") as error:
        read_json(tmp_path / "x.json")
    assert len(str(error.value)) < 500


def test_a_folder_where_a_file_belongs_is_damage(tmp_path):
    (tmp_path / "x.json").mkdir()
    with pytest.raises(DamagedFileError, match="a folder stands where a file belongs"):
        read_json(tmp_path / "x.json")
    (tmp_path / "y").write_text("")
    with pytest.raises(MissingFileError):
        read_json(tmp_path / "y" / "x.json")


@pytest.mark.parametrize(
    "change",
    [
        {"score": "0.9"},
        {"score": [0.9]},
        {"attempt": 0},
        {"attempt": True},
        {"epochs": 10**400},
        {"epochs": -1},
        {"history": {"epoch": 1}},
        {"history": [{"epoch": "one"}]},
        {"metrics": [1]},
        {"test": 0.9},
        {"seconds": {"total": "long"}},
        {"latency": {"median_ms": "quick"}},
        {"passes": 1e999},
    ],
    ids=str,
)
def test_values_of_another_type_or_range_are_refused(make_study, change):
    _, result = make_study().trial(0, 0.9)
    with pytest.raises(SchemaError, match=next(iter(change))):
        RunResult.from_dict({**result.to_dict(), **change})


def test_runs_come_in_a_fixed_order(make_study):
    study = make_study()
    study.reference("pixels", 0.9)
    study.finalist("b", [0.9, 0.9])
    study.finalist("a", [0.9])
    study.baseline(0, 0.9)
    study.trial(10_000, 0.9)
    study.trial(9_999, 0.9)
    study.trial(2, 0.9, ended=False)
    (study.folder / "trials" / "0003").mkdir()  # asked for a folder, never written
    runs = list(iter_runs(study.folder))
    assert [spec.key for spec, _ in runs] == [
        "trials/0002",
        "trials/9999",
        "trials/10000",
        "baselines/00",
        "finalists/a/0",
        "finalists/b/0",
        "finalists/b/1",
        "references/pixels",
    ]
    assert [spec.key for spec, result in runs if result is None] == ["trials/0002"]


def test_a_moved_run_folder_and_a_missing_study_are_errors(make_study):
    study = make_study()
    spec, _ = study.trial(0, 0.9)
    moved = replace(spec, key="trials/0001")
    write_json_atomically(study.folder / "trials/0000/run.json", moved.to_dict())
    with pytest.raises(InputError, match="but lies at"):
        list(iter_runs(study.folder))
    with pytest.raises(InputError, match="no study at"):
        list(iter_runs(study.folder / "nowhere"))


def test_what_stands_in_the_place_of_runs_is_named(make_study):
    study = make_study()
    study.trial(0, 0.9)
    study.trial(1, 0.8)
    (study.folder / "trials/0001/run.json").unlink()
    (study.folder / "trials/0002").write_text("")
    (study.folder / "trials/0003.torn").write_text("")  # set aside before
    (study.folder / "audits").write_text("")
    (study.folder / "finalists").mkdir()
    (study.folder / "finalists/abc").write_text("")
    damaged = []
    assert [spec.key for spec, _ in iter_runs(study.folder, damaged)] == ["trials/0000"]
    assert [(str(e.path.relative_to(study.folder)), e.reason) for e in damaged] == [
        ("trials/0002", "a file stands where a folder belongs"),
        ("trials/0001/run.json", "it is missing beside its result"),
        ("audits", "a file stands where a folder belongs"),
        ("finalists/abc", "a file stands where a folder belongs"),
    ]
    with pytest.raises(DamagedFileError):
        list(iter_runs(study.folder))


def test_natural_order():
    keys = ["trials/10", "trials/9", "a1b2", "a1b10", "finalists/x/1"]
    assert sorted(keys, key=natural_order) == [
        "a1b2",
        "a1b10",
        "finalists/x/1",
        "trials/9",
        "trials/10",
    ]
