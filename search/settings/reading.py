"""Settings from files and the command line."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from hybrid_swin.errors import unknown
from hybrid_swin.spec.own_code.trust import CodeOptions
from hybrid_swin.system.answer import print_text
from hybrid_swin.system.changes import changed, nested, without_empty_texts
from hybrid_swin.system.options import Options
from hybrid_swin.system.schema import build_settings
from hybrid_swin.system.yaml_files import to_yaml
from search.settings.config_files import read_config
from search.settings.experiment import ExperimentSettings
from search.settings.kinds import check_kind, kind_of
from search.settings.names import check_folder
from search.settings.recorded_code import CommandLine

Settings = TypeVar("Settings", bound=ExperimentSettings)
Own = TypeVar("Own", bound="ConfigOptions")


@dataclass(frozen=True)
class ConfigOptions(CodeOptions):
    """Options of a command whose settings stand in files.

    Args:
        config: a file of settings, or the receipt.json of a study or comparison to repeat it; a
            bundled one may be named alone, as in digits; later files change what they name.
        print_config: print all settings as YAML, to be edited, and end.
    """

    config: tuple[str, ...] = ()
    print_config: bool = False


def parse_settings(
    parser: Options, words: Sequence[str], own: type[Own], settings: type[Settings], default: str
) -> tuple[Own, Settings]:
    """What the words say: the command's own options, and the settings in files and words.

    Raises InputError for an unknown setting, a wrong type or value, a file that cannot be read.
    """
    given = parser.read(words)
    names = {field.name for field in fields(own)}
    options = parser.built(own, [(path, value) for path, value in given if path in names])
    overrides = [(path, value) for path, value in given if path not in names]
    listed = [value for path, value in overrides if path == "plugins"]
    command_line = CommandLine(
        plugins=(*(str(file) for files in listed for file in files), *options.plugin),
        whole_list=bool(listed),
        class_paths=tuple(v for path, v in overrides if path == "data.class_path" and v),
        trust=options.trust,
    )
    content: dict[str, Any] = {}
    for name in options.config or (default,):
        content = changed(content, config_content(name, settings, command_line), settings)
    experiment = build_settings(settings, with_words(content, parser, words, own, settings))
    check_folder(experiment.folder)
    if options.print_config:
        print_text(to_yaml(without_empty_texts(experiment.to_dict(), settings)))
        sys.exit(0)
    return options, experiment


def with_words(
    content: Mapping[str, Any], parser: Options, words: Sequence[str], own: type, settings: type
) -> dict[str, Any]:
    """Plain settings, and over them those that the words give.

    ``own`` are the command's own options, of which ``--plugin`` adds to the settings.
    """
    given, names = parser.read(words), {field.name for field in fields(own)}
    overrides = [(path, value) for path, value in given if path not in names]
    values = changed(dict(content), nested(overrides, settings), settings)
    added = [file for path, files in given if path == "plugin" for file in files]
    if added:
        values["plugins"] = list(dict.fromkeys([*values.get("plugins", ()), *added]))
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """As it stands in a file: mappings and lists of no other kind."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def read_config_as(name: str, settings: type[Settings]) -> Settings:
    """The settings in a file alone, such as a comparison's own ``settings.yaml``.

    To be read only: the code that it names is not to be run. Raises InputError as
    ``parse_settings``.
    """
    return build_settings(settings, config_content(name, settings, None))


def config_content(name: str, settings: type, command_line: CommandLine | None) -> dict[str, Any]:
    """The plain values in a config. Raises as ``parse_settings``.

    ``command_line`` is what it says of code; None if none is to be run.
    """
    kind = kind_of(settings)
    content = read_config(name, kind.folder, command_line, settings)
    check_kind(content, kind, name, f"config {name!r}")
    known = [field.name for field in fields(settings)]
    for key in content:
        if key not in known:
            raise unknown(f"setting of {Path(name).name}", key, known)
    if isinstance(content.get("plugins"), str):
        content["plugins"] = [content["plugins"]]
    return content
