"""Damaged files of a study's folder: set aside when the study goes on, so that nothing is lost."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from hybrid_swin.system.files import DamagedFileError, FileError, MissingFileError, explained
from search.records.runs import RESULT_FILE

Content = TypeVar("Content")
Say = Callable[[str], None]


def set_aside(path: Path) -> Path:
    """Rename a file (or a folder in its place) to ``*.torn``, numbered where that exists.

    Raises FileError if the system refuses.
    """
    number, torn = 1, path.with_name(f"{path.name}.torn")
    while os.path.lexists(torn):
        number += 1
        torn = path.with_name(f"{path.name}.{number}.torn")
    try:
        path.rename(torn)
    except OSError as error:
        raise FileError(explained(error, path)) from error
    return torn


def read_or_set_aside(read: Callable[[], Content], say: Say, then: str) -> Content | None:
    """What a file holds; None if it is missing, or was damaged and is now set aside.

    ``say`` is told of the damage and ``then``, such as ``the run is trained again``.
    """
    try:
        return read()
    except MissingFileError:
        return None
    except DamagedFileError as error:
        torn = set_aside(error.path)
        say(f"{error}; it is kept as {torn.name}, and {then}")
        return None


def notes_on(damaged: Sequence[DamagedFileError], folder: Path) -> list[str]:
    """One sentence for each damaged file, with what it means for what is read here."""
    notes = []
    for error in damaged:
        place = error.path.relative_to(folder) if error.path.is_relative_to(folder) else error.path
        means = (
            "its run counts as not ended"
            if error.path.name == RESULT_FILE
            else "what it says is left out"
        )
        notes.append(
            f"{place} is damaged ({error.reason}): {means}; the command that began the study sets "
            "it aside and makes it again."
        )
    return notes
