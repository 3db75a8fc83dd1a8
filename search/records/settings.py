"""``settings.yaml``: the settings of a study or a comparison, as its start resolved them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.files import DamagedFileError
from hybrid_swin.yaml_files import read_yaml
from search.compare.settings import ComparisonSettings
from search.experiment import SCHEMA_VERSION
from search.records.schema import FutureVersionError, SchemaError, build, check_version
from search.settings import StudySettings

SETTINGS_FILE = "settings.yaml"

# What studies and comparisons did before a setting existed, where that is not its default.
_STUDY_BEFORE: dict[str, Any] = {"rungs": {"first": 0}, "finalists": {"random": 0}}
_COMPARISON_BEFORE: dict[str, Any] = {"choose_rate": "once"}


def read_study(folder: Path) -> StudySettings | ComparisonSettings:
    """The settings of the study or comparison in a folder; its plug-ins need not be known.

    Settings that this program does not know are ignored, missing ones take their defaults: so
    folders of earlier programs can be read.

    Raises:
        InputError: there is no such file, it is damaged, or it is of a later program.
    """
    path = folder / SETTINGS_FILE
    if not path.exists():
        raise InputError(f"there is no {path}; is {folder} the folder of a study?")
    content = read_yaml(path, str(path))
    try:
        if not isinstance(content, dict):
            raise SchemaError(f"it holds a {type(content).__name__}, not settings")
        check_version({"schema_version": SCHEMA_VERSION, **content}, SCHEMA_VERSION)
        return _settings(content)
    except FutureVersionError as error:
        raise InputError(f"{path}: {error}") from error
    except (SchemaError, InputError) as error:
        raise DamagedFileError(
            path, f"{error}; the command that began the study writes it again"
        ) from error


def read_study_settings(folder: Path) -> StudySettings:
    """The settings of a study; raises InputError also where a folder is a comparison's."""
    settings = read_study(folder)
    if not isinstance(settings, StudySettings):
        raise InputError(f"{str(folder)!r} is the folder of a comparison, not of a study")
    return settings


def read_comparison_settings(folder: Path) -> ComparisonSettings:
    """The settings of a comparison; raises InputError also where a folder is a study's."""
    settings = read_study(folder)
    if not isinstance(settings, ComparisonSettings):
        raise InputError(f"{str(folder)!r} is the folder of a study, not of a comparison")
    return settings


def is_comparison(folder: Path) -> bool:
    """Whether a folder is a comparison's; raises as `read_study`."""
    return isinstance(read_study(folder), ComparisonSettings)


def _settings(content: Mapping[str, Any]) -> StudySettings | ComparisonSettings:
    if content.get("kind") == "comparison" or not {"arms", "match"}.isdisjoint(content):
        return build(ComparisonSettings, _completed(content, _COMPARISON_BEFORE))
    return build(StudySettings, _completed(content, _STUDY_BEFORE))


def _completed(content: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The content with what it lacks, here and one level below, as it was before."""
    whole = {**before, **content}
    for name, section in before.items():
        if isinstance(section, dict) and isinstance(whole[name], dict):
            whole[name] = {**section, **whole[name]}
    return whole
