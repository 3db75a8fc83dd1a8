"""``study.json``: what a study is tied to, and what was settled when it began.

It is kept twice, since nothing else in the folder says what ``auto`` stood for, nor whose the
trials in a database are: where the file is damaged or missing, its copy is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybrid_swin.system.file_names import COPY_FILE as COPY_FILE
from hybrid_swin.system.file_names import STUDY_FILE as STUDY_FILE
from hybrid_swin.system.files import DamagedFileError, MissingFileError, write_json_atomically
from search.records.runs import parsed_as, read_record


@dataclass(frozen=True)
class Fixed:
    """What results depend on, so that it must stay the same when the study goes on."""

    settings: dict[str, Any] = field(default_factory=dict)  # those that are not free
    plugins: dict[str, str] = field(default_factory=dict)  # source hashes by file name
    data: dict[str, str] = field(default_factory=dict)  # hashes of images and split
    precision: str = ""  # what ``auto`` stands for
    sampler: tuple[str, ...] = ()  # which, and why; empty for a comparison
    reference_point: dict[str, float] = field(default_factory=dict)  # of hypervolumes
    owner: str = ""  # a word that no other folder has
    working_folder: str = ""  # which relative paths are meant from
    modules: dict[str, str] = field(default_factory=dict)  # hashes of own data modules
    imported: str = ""  # hash of the candidates that it began with; empty if it was given none


def read_fixed(folder: Path) -> Fixed:
    """What a study is tied to; of its copy where the file is damaged or missing.

    Empty where there is neither, as in a study that has not begun. Raises InputError if the file is
    of a later program, or the system refuses to read it.
    """
    content = read_study_file(folder)
    return Fixed() if content is None else parsed_as(Fixed)(content)


def read_study_file(folder: Path, damaged: list[DamagedFileError] | None = None) -> Any:
    """The content of the file, or else of its copy; None if there is neither.

    ``damaged`` collects what is damaged.

    Raises:
        InputError: as `read_fixed`.
    """
    for name in (STUDY_FILE, COPY_FILE):
        try:
            return read_record(folder / name, _checked)
        except MissingFileError:
            continue
        except DamagedFileError as error:
            if damaged is not None:
                damaged.append(error)
    return None


def write_study_file(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the file and its copy. Raises FileError where the system refuses."""
    for name in (COPY_FILE, STUDY_FILE):
        write_json_atomically(folder / name, content)


def _checked(data: Mapping[str, Any]) -> dict[str, Any]:
    parsed_as(Fixed)(data)
    return dict(data)
