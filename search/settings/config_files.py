"""Config files: which file a name means, and the plain values in it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError, did_you_mean, unknown
from hybrid_swin.spec.run_reference import (
    WORKING_FOLDER,
    began_in,
    with_paths_found,
    with_weights_found,
)
from hybrid_swin.system.changes import without_empty_texts
from hybrid_swin.system.file_names import SETTINGS_FILE
from hybrid_swin.system.options import SETTINGS_FILES
from hybrid_swin.system.schema import FutureVersionError, SchemaError, check_version
from hybrid_swin.system.yaml_files import read_yaml
from search.settings.recorded_code import CommandLine, settle_code

SCHEMA_VERSION = 1  # of settings that the program wrote
_FOLDERS = (
    "search",
    "compare",
    "papers",
    "variants",
    "",
)  # below configs/, where a bare name is looked for


def read_config(
    name: str,
    folder: str = "search",
    command_line: CommandLine | None = None,
    of_type: type | None = None,
) -> dict[str, Any]:
    """The settings in a config, which may be a study's ``settings.yaml`` or ``receipt.json``.

    Relative paths of these two are found from any working folder. ``command_line`` is what it says
    of code; None if none is to be run. ``of_type`` is the dataclass of the settings: these two hold
    empty texts, which go. Raises InputError if it cannot be read or holds no settings; or it names
    code that must not run.
    """
    file, content = find_config(name, folder), _read(name, folder)
    receipt = _is_receipt(content)
    settings: dict[str, Any] = content["settings"] if receipt else content
    began = content.get(WORKING_FOLDER) if receipt else None
    if not receipt and file.name == SETTINGS_FILE:
        began = began_in(file.parent)
    if isinstance(began, str) and isinstance(settings.get("data"), dict):
        settings["data"] = with_paths_found(settings["data"], began)
    if isinstance(began, str) and settings.get("init"):
        settings["init"] = with_weights_found(settings["init"], began)
    if command_line is not None:
        settle_code(settings, content, file, command_line)
    version = settings.pop("schema_version", None)
    if version is not None:
        try:
            check_version({"schema_version": version}, SCHEMA_VERSION)
        except (SchemaError, FutureVersionError) as error:
            raise InputError(f"config {name!r}: {error}") from error
    if of_type is not None and (receipt or version is not None):
        settings = without_empty_texts(settings, of_type)
    return settings


def read_receipt(name: str) -> dict[str, Any] | None:
    """The whole of a config that is a receipt, None for another; raises as `read_config`."""
    content = _read(name)
    return content if _is_receipt(content) else None


def _is_receipt(content: dict[str, Any]) -> bool:
    return isinstance(content.get("settings"), dict) and "code_hash" in content


def _read(name: str, folder: str = "search") -> dict[str, Any]:
    content = read_yaml(find_config(name, folder), f"config {name!r}")
    if not isinstance(content, dict):
        fault = "is empty" if content is None else f"holds {type(content).__name__}"
        raise InputError(f"config {name!r} must hold settings such as 'trials: 12'; it {fault}")
    return content


def find_config(name: str, folder: str = "search") -> Path:
    """A config's file: as given, else among the bundled ones. Raises InputError if there is none.

    Bundled ones are found from any folder: `configs/search/digits.yaml`, `search/digits.yaml`,
    `digits.yaml` and `digits` are the same file. Those in ``folder`` come before the others.
    """
    try:
        given = Path(name).expanduser()
        if given.is_file():
            return given
        if given.is_dir():
            raise InputError(f"--config {name!r} is a folder; give a file in it")
        if os.path.lexists(given):
            kind = "not a regular file" if given.exists() else "a link to what is not there"
            raise InputError(f"--config {name!r} is {kind}; give a file")
    except (OSError, RuntimeError) as error:  # an unknown ~user, a name that no system takes
        raise InputError(f"--config {name!r} cannot be read: {error}") from error
    if (file := _bundled_file(given, folder)) is not None:
        return file
    near = did_you_mean(given.stem, (beside := _files_beside(given)))
    for stem, file in beside.items():
        if near.endswith(f" {stem!r}?"):
            raise InputError(f"there is no file {name!r}; did you mean {str(file)!r}?")
    known = [file.stem for root in _bundled() for file in (root / folder).glob("*.yaml")]
    hint = str(unknown("config", given.stem, known)).removeprefix(f"unknown config {given.stem!r}")
    raise InputError(f"there is no file {name!r}, nor a bundled config of that name{hint}")


def is_bundled(name: str) -> bool:
    """Whether a bundled config has this name, which is not a path."""
    return os.sep not in name and _bundled_file(Path(name), "search") is not None


def _bundled_file(given: Path, folder: str) -> Path | None:
    path = given if given.suffix else given.with_suffix(".yaml")
    relative = Path(*path.parts[1:]) if path.parts[:1] == ("configs",) else path
    for root in _bundled():
        for place in (folder, *_FOLDERS):
            if (root / place / relative).is_file():
                return root / place / relative
    return None


def bundled_configs(folder: str) -> list[Path]:
    """The bundled files of a folder below ``configs/``, by name."""
    for root in _bundled():
        if files := sorted((root / folder).glob("*.yaml")):
            return files
    return []


def _files_beside(path: Path) -> dict[str, Path]:
    """The files in its folder that may be configs, by their stems."""
    with suppress(OSError, ValueError):
        return {
            f.stem: f
            for f in sorted(path.parent.iterdir())
            if f.suffix in SETTINGS_FILES and f.is_file()
        }
    return {}


def _bundled() -> Iterator[Path]:
    """The folder configs/ of a checkout, or its copy in an installed package."""
    here = Path(__file__).parents[1]
    yield here.parent / "configs"
    yield here / "configs"
