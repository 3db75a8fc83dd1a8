"""``settings.yaml``: the settings of a study or a comparison, as its start resolved them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from hybrid_swin.errors import InputError, quote
from hybrid_swin.system.file_names import SETTINGS_FILE as SETTINGS_FILE
from hybrid_swin.system.files import (
    DamagedFileError,
    FileError,
    MissingFileError,
    read_bytes,
    write_text_atomically,
)
from hybrid_swin.system.schema import FutureVersionError, SchemaError, build, check_version
from hybrid_swin.system.yaml_files import read_yaml, to_yaml
from search.records.nearby import hint_of_studies
from search.records.study_file import STUDY_FILE, read_study_file
from search.settings.comparison import ComparisonSettings
from search.settings.executor import executor_options
from search.settings.experiment import SCHEMA_VERSION, ExperimentSettings
from search.settings.study import StudySettings

Settings = TypeVar("Settings", StudySettings, ComparisonSettings)

_MADE_AGAIN = "the command that began it writes it again"

# What studies and comparisons did before a setting existed, where that is not its default.
_STUDY_BEFORE: dict[str, Any] = {"rungs": {"first": 0}, "finalists": {"random": 0}}
_COMPARISON_BEFORE: dict[str, Any] = {"choose_rate": "once"}


def read_study(folder: Path) -> StudySettings | ComparisonSettings:
    """The settings of the study or comparison in a folder; its plug-ins need not be known.

    Settings that this program does not know are ignored, missing ones take their defaults: so
    folders of earlier programs can be read. Raises InputError if there is no such file, it is
    damaged, or it is of a later program.
    """
    path = folder / SETTINGS_FILE
    try:
        content = _content(folder)
        known = read_study_file(folder)
        by_hand = {"schema_version": SCHEMA_VERSION} if known is None else {}  # no program wrote it
        check_version(by_hand | content, SCHEMA_VERSION)
        settings = _settings(content)
        _check_against((known or {}).get("settings", {}), settings.to_dict())
    except MissingFileError as error:
        if (folder / STUDY_FILE).exists():
            raise DamagedFileError(path, f"it is missing; {_MADE_AGAIN}") from error
        hint = hint_of_studies(folder)
        raise InputError(f"there is no {path}; is {folder} the folder of a study?{hint}") from error
    except FutureVersionError as error:
        raise InputError(f"{path}: {error}") from error
    except (SchemaError, InputError) as error:
        raise _explained(path, error) from error
    return settings


def read_data(folder: Path) -> dict[str, Any] | None:
    """The data in the settings of a folder: of a study, a comparison, or one training.

    None if there are no settings, or none of data. Raises InputError if the file is damaged, or
    the system refuses to read it.
    """
    try:
        data = _content(folder).get("data")
    except MissingFileError:
        return None
    except (SchemaError, InputError) as error:
        raise _explained(folder / SETTINGS_FILE, error) from error
    return data if isinstance(data, dict) else None


def write_settings(folder: Path, settings: ExperimentSettings) -> None:
    """Write the file. Raises FileError where the system refuses.

    The version stands at its end, so that a file that was cut off at the end of a line lacks it.
    """
    content = settings.to_dict() | {"schema_version": SCHEMA_VERSION}
    write_text_atomically(folder / SETTINGS_FILE, to_yaml(content))


def _explained(path: Path, error: Exception) -> Exception:
    """The refusal of the system as it is; everything else as damage."""
    if isinstance(error, FileError):
        return error
    reason = error.reason if isinstance(error, DamagedFileError) else error
    return DamagedFileError(path, f"{reason}; {_MADE_AGAIN}")


def _content(folder: Path) -> dict[str, Any]:
    """The plain values in the file. Raises as `read_yaml`, and where the system refuses."""
    path = folder / SETTINGS_FILE
    read_bytes(path)  # tells apart what `read_yaml` does not
    content = read_yaml(path, "its content")
    if not isinstance(content, dict):
        raise SchemaError(f"it holds a {type(content).__name__}, not settings")
    return content


def _check_against(fixed: Mapping[str, Any], settings: Mapping[str, Any], path: str = "") -> None:
    """Raise SchemaError where settings are not those that the study is tied to."""
    for name in fixed.keys() & settings.keys() - {"plugins"}:
        before, now, place = fixed[name], settings[name], f"{path}{name}"
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            _check_against(before, now, f"{place}.")
        elif before != now:
            raise SchemaError(f"{place} is {quote(now)}, but {quote(before)} in {STUDY_FILE}")


def read_settings(folder: Path, kind: type[Settings]) -> Settings:
    """The settings in a folder; raises InputError also where it is not of this kind."""
    settings = read_study(folder)
    if not isinstance(settings, kind):
        names = ("comparison", "study") if kind is StudySettings else ("study", "comparison")
        raise InputError("{!r} is the folder of a {}, not of a {}".format(str(folder), *names))
    return settings


def is_comparison(folder: Path) -> bool:
    """Whether a folder is a comparison's; raises as `read_study`."""
    return isinstance(read_study(folder), ComparisonSettings)


def _settings(content: Mapping[str, Any]) -> StudySettings | ComparisonSettings:
    content = _with_usable_executor(content)
    if content.get("kind") == "comparison" or not {"arms", "match"}.isdisjoint(content):
        return build(ComparisonSettings, _completed(content, _COMPARISON_BEFORE))
    return build(StudySettings, _completed(content, _STUDY_BEFORE))


def _with_usable_executor(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without options of the executor that are refused today: each start gives them anew."""
    executor = content.get("executor")
    try:
        if isinstance(executor, Mapping):
            executor_options(executor)
    except InputError:
        return {**content, "executor": {"name": content["executor"].get("name")}}
    return content


def _completed(content: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The content with what it lacks, here and one level below, as it was before."""
    whole = {**before, **content}
    for name, section in before.items():
        if isinstance(section, dict) and isinstance(whole[name], dict):
            whole[name] = {**section, **whole[name]}
    return whole
