"""The hash of a user's module is over what runs where it is imported."""

import importlib
import sys

import pytest

from hybrid_swin.spec.own_code.module_sources import class_paths_in, module_sources
from hybrid_swin.system import processes


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own").mkdir()
    for name, text in {
        "own/__init__.py": "",
        "own/data.py": "import json\nimport torch\nfrom . import reading\nfrom own_help import A\n",
        "own/reading.py": "import hybrid_swin\n",
        "own/other.py": "",
        "own_help.py": "import own_deep.part as part\n",
        "json.py": "",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "own_deep").mkdir()
    (tmp_path / "own_deep/part.py").write_text("")
    return tmp_path


def test_the_module_its_packages_and_what_they_import_beside_it_are_found(folder):
    found = module_sources("own.data.Images")
    assert found.file == folder / "own/data.py"
    assert set(found.files) == {"own", "own.data", "own.reading", "own_help", "own_deep.part"}


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ("own/__init__.py", True),
        ("own/data.py", True),
        ("own/reading.py", True),
        ("own_help.py", True),
        ("own_deep/part.py", True),
        ("own/other.py", False),
        ("json.py", False),
    ],
)
def test_the_hash_is_of_these_files(folder, changed, counts):
    before = module_sources("own.data.Images").hash
    file = folder / changed
    file.write_text(file.read_text() + "# changed\n")
    assert (module_sources("own.data.Images").hash != before) is counts


@pytest.mark.parametrize("path", ["missing.Images", "own.missing.Images", "Images", "sys.Images"])
def test_what_has_no_file_has_no_hash(folder, path):
    assert module_sources(path) is None


def test_nothing_is_run(folder):
    (folder / "own/__init__.py").write_text("raise SystemExit\n")
    (folder / "own/reading.py").write_text("this is no python\n")
    assert module_sources("own.data.Images") is not None


def test_class_paths_are_found_wherever_settings_name_them():
    settings = {
        "data": {"class_path": "a.A", "init_args": {"class_path": "for.Them"}},
        "factors": {"data.class_path": ["b.B", "a.A"], "data": [{"class_path": "c.C"}]},
    }
    assert class_paths_in(settings) == ["a.A", "b.B", "c.C"]


def test_of_installed_packages_only_the_module_itself_counts(folder, monkeypatch):
    site = folder / "site-packages"
    (folder / "own").rename(folder / "own_installed")
    site.mkdir()
    for name in ("own_installed", "own_help.py"):
        (folder / name).rename(site / name)
    monkeypatch.syspath_prepend(site)
    found = module_sources("own_installed.data.Images")
    assert set(found.files) == {"own_installed", "own_installed.data"}


def test_looking_for_sources_lets_nothing_be_imported_from_the_working_folder(folder, monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [f for f in sys.meta_path if not is_last(f)])
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(folder))])
    found = module_sources("own_help.Images")
    assert found is not None and found.file == folder / "own_help.py"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("own_help")


def is_last(finder):
    return isinstance(finder, processes._Last)
