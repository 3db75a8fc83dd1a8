"""Settings as a Python program gives them: an object, a file's name or a dict, and overrides."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from hybrid_swin.errors import InputError, quote
from hybrid_swin.system.changes import changed, nested, without_empty_texts
from hybrid_swin.system.schema import build_settings
from search.settings.config_files import read_receipt
from search.settings.experiment import ExperimentSettings
from search.settings.kinds import check_kind, kind_of
from search.settings.names import check_folder
from search.settings.reading import config_content
from search.settings.recorded_code import CommandLine

Settings = TypeVar("Settings", bound=ExperimentSettings)
Source = ExperimentSettings | Mapping[str, Any] | str | os.PathLike[str] | None

_DEEPEST = 50  # as in a file


def resolve_settings(
    kind: type[Settings],
    source: Source,
    overrides: Mapping[str, Any],
    default: str,
    trust: bool = False,
) -> tuple[Settings, dict[str, Any] | None]:
    """The settings that are meant, and the receipt that they are from, if any.

    ``overrides`` are changes by name, or by path as in ``{"recipe.epochs": 20}``; a mapping changes
    what it names and leaves the rest. ``trust`` lets code run that a receipt or a study names.
    Raises InputError as on the command line, for an unknown setting, a wrong type or
    value, a file that cannot be read.
    """
    changes = nested(((str(path), _plain(value)) for path, value in overrides.items()), kind)
    content, receipt = _content(kind, default if source is None else source, changes, trust)
    content = changed(content, changes, kind)
    if isinstance(content.get("plugins"), str):
        content["plugins"] = [content["plugins"]]
    settings = build_settings(kind, content)
    check_folder(settings.folder)
    return settings, receipt


def _content(
    kind: type[Settings], source: Source, changes: Mapping[str, Any], trust: bool
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The plain values of a source; the changes say which code is the user's own word."""
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        return config_content(name, kind, _command_line(changes, trust)), read_receipt(name)
    if isinstance(source, ExperimentSettings | Mapping):
        content = without_empty_texts(_plain(source), kind)  # as ``to_dict`` gives them
        check_kind(content, kind_of(kind), None, "what was given")
        return content, None
    raise InputError(
        f"settings must be {kind.__name__}, a dict, or the name of a file or a bundled config; "
        f"got {quote(source)}"
    )


def _command_line(changes: Mapping[str, Any], trust: bool) -> CommandLine:
    plugins = changes.get("plugins", [])
    data = changes.get("data")
    class_path = data.get("class_path") if isinstance(data, Mapping) else None
    return CommandLine(
        plugins=tuple(map(str, plugins if isinstance(plugins, list) else [plugins])),
        whole_list="plugins" in changes,
        class_paths=(str(class_path),) if class_path else (),
        trust=trust,
    )


def _plain(value: Any, depth: int = 0) -> Any:
    """A value as it stands in a file: settings as mappings, paths as text, arrays as lists."""
    if depth > _DEEPEST:
        raise InputError(f"settings are nested more than {_DEEPEST} deep; does one hold itself?")
    if hasattr(value, "to_dict"):
        return _plain(value.to_dict(), depth + 1)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value), depth + 1)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | range):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value.tolist() if hasattr(value, "tolist") else value  # of numpy
