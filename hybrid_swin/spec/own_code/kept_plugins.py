"""Copies of plug-ins that a study keeps in its folder: known by their source, run if trusted."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.own_code.trust import other_code
from hybrid_swin.system.file_names import COPY_FILE, PLUGIN_FOLDER, SETTINGS_FILE, STUDY_FILE
from hybrid_swin.system.files import read_json

_LEVELS = 6  # from a checkpoint up to the folder of its study


def adopt_kept_plugins(place: str | Path, named: Iterable[str], trust: bool) -> None:
    """Make the plug-ins of the command line known, and those that the study of a place keeps.

    The place is a study's folder, or a folder or file in it; of others nothing is taken. What was
    not named and is not trusted is described by its source; using it raises InputError. So does a
    plug-in that cannot be used, or is not as the study recorded it.
    """
    entries = [registry.add_plugin(file) for file in named]
    study = study_of(place)
    if study is None:
        return
    recorded = recorded_hashes(study)
    for entry in entries:
        check_hash(entry.file, recorded, repr(study.name))
    for file in sorted((study / PLUGIN_FOLDER).glob("*.py")):
        if not file.is_file() or any(file.name == entry.file.name for entry in entries):
            continue
        check_hash(file, recorded, repr(study.name))
        registry.add_plugin(file, runs=trust)


@contextmanager
def described_plugins(studies: Iterable[Path]) -> Iterator[list[str]]:
    """Describe the plug-ins that studies keep, by their sources, as long as the block runs.

    Yields a list of the files that cannot be read. Names that are known already stay as they are.
    """
    added: list[Path] = []
    unread: list[str] = []
    for file in (f for study in studies for f in sorted((study / PLUGIN_FOLDER).glob("*.py"))):
        try:
            entry = registry.read_plugin(file)
            if entry.name not in registry.names(entry.kind):
                registry.add_plugin(file, runs=False)
                added.append(file)
        except InputError:
            unread.append(str(file))
    try:
        yield unread
    finally:
        for file in added:
            registry.forget_plugin(file)


def study_of(place: str | Path) -> Path | None:
    """The nearest folder, the place itself or above it, that keeps plug-ins; None if none does."""
    try:
        place = Path(place).expanduser().resolve()
        above = [place, *place.parents][: _LEVELS + 1]
        return next((folder for folder in above if _is_study(folder)), None)
    except (OSError, RuntimeError, ValueError):  # a name that no system takes
        return None


def _is_study(folder: Path) -> bool:
    has_settings = (folder / SETTINGS_FILE).is_file() and (folder / PLUGIN_FOLDER).is_dir()
    return has_settings or (folder / STUDY_FILE).is_file()


def recorded_hashes(study: Path, kind: str = "plugins") -> dict[str, str]:
    """Source hashes of a study's code, as it recorded them at its beginning.

    Of ``plugins`` by file name; of ``modules`` by ``class_path``.
    """
    hashes = recorded_of(study).get(kind)
    return {str(k): str(v) for k, v in hashes.items()} if isinstance(hashes, dict) else {}


def recorded_of(study: Path) -> dict[str, Any]:
    """What a study recorded at its beginning; empty where that cannot be read."""
    for name in (STUDY_FILE, COPY_FILE):
        with suppress(InputError):  # damaged: its copy says the same
            return read_json(study / name)
    return {}


def check_hash(file: Path, recorded: Mapping[str, str], source: str) -> None:
    """Raise InputError where a plug-in is not the recorded one of its name."""
    expected = recorded.get(file.name)
    actual = registry.source_hash(file)
    if expected is not None and actual != expected:
        raise other_code(file, actual, expected, source)
