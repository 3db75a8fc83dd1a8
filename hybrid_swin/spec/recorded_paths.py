"""Paths of images in settings that a study or a training left: found from any working folder.

What a user gives is kept as it was given, relative to the folder where the work began, and that
folder is recorded beside it. Whoever reads such settings looks there first: in the working folder a
path of the same name may lead to other images.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hybrid_swin.spec.own_code.kept_plugins import recorded_of, study_of

WORKING_FOLDER = "working_folder"  # its name in study.json, receipts and the settings of a fit
_NAMES = ("path", "paths", "file", "files", "folder", "root", "dir", "directory")
_ENDS = tuple(f"_{name}" for name in _NAMES)


def working_folder() -> str:
    """The folder that relative paths are meant from; empty where it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def began_in(place: str | Path) -> str:
    """Where the study of a run, a checkpoint or a folder was begun; empty if unknown."""
    study = study_of(place)
    return str(recorded_of(study).get(WORKING_FOLDER) or "") if study else ""


def with_paths_found(data: Any, began: str) -> Any:
    """Data settings whose relative paths are found from the folder where the work began.

    Args:
        data: plain settings, with ``options`` of a source or ``init_args`` of a module.
        began: that folder; empty if unknown. What is not there is left as it was given.
    """
    if not isinstance(data, Mapping):  # who reads the settings says so
        return data
    found = dict(data)
    if began == working_folder():
        return found
    for name in ("options", "init_args"):
        options = found.get(name)
        if isinstance(options, Mapping):
            found[name] = {key: _found(key, value, began) for key, value in options.items()}
    return found


def _found(name: str, value: Any, began: str) -> Any:
    if not began or not _is_path(name, value):
        return value
    place = _join(value, began)
    try:
        return place if os.path.exists(place) else value
    except ValueError:  # a name that no system takes
        return value


def _is_path(name: str, value: Any) -> bool:
    named = str(name) in _NAMES or str(name).endswith(_ENDS)
    return named and isinstance(value, str) and bool(value) and not value.startswith("~")


def _join(value: str, began: str) -> str:
    return os.path.normpath(os.path.join(began, value)) if began else value
