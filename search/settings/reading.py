"""Settings from files and the command line: jsonargparse parses, we say what was wrong."""

import dataclasses
import json
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.errors.parser_messages import explained
from hybrid_swin.system.kept_text import check_words, hide, show, show_in_yaml
from hybrid_swin.system.yaml_files import parse_yaml
from search.settings.config_files import read_config, read_receipt
from search.settings.experiment import ExperimentSettings
from search.settings.kinds import check_kind, kind_of
from search.settings.recorded_code import CommandLine

Settings = TypeVar("Settings")


def add_settings(parser: ArgumentParser, settings: type[ExperimentSettings]) -> None:
    """Give a parser every setting of a study or a comparison."""
    parser.add_class_arguments(settings, as_group=False)


def parse_settings(
    parser: ArgumentParser, arguments: Sequence[str], settings: type[Settings], default: str
) -> tuple[Settings, bool]:
    """The study or comparison that the arguments describe, and whether it is only to be rehearsed.

    Args:
        parser: with all settings, ``--config`` and ``--dry-run``.
        arguments: the command line's.
        settings: what they describe.
        default: the config where none is given.

    Raises:
        InputError: an unknown setting, a wrong type or value, a file that cannot be read.
    """
    parsed = parse_with_config(parser, arguments, settings, default)
    return build_settings(settings, parsed, ""), bool(parsed.get("dry_run"))


def parse_with_config(
    parser: ArgumentParser, arguments: Sequence[str], settings: type, default: str
) -> Namespace:
    """What the arguments say, the configs among them read. Arguments and errors as above."""
    configs, others = _with_configs(list(arguments), settings, default)
    others = _with_plugins(check_words(others, parser))
    _check_paths(others)
    return _parse(parser, [*configs, *others])


def _parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    parser.exit_on_error = False
    printed = StringIO()
    try:
        with redirect_stdout(printed) if _prints(arguments) else nullcontext():
            parsed: Namespace = parser.parse_args(arguments)
    except ArgumentError as error:
        raise explained(show(str(error)), parser) from None
    finally:
        sys.stdout.write(show_in_yaml(printed.getvalue()))
    return parsed


def read_config_as(name: str, settings: type[Settings]) -> Settings:
    """The settings in a file alone, such as a comparison's own ``settings.yaml``.

    To be read only: the code that it names is not to be run.

    Raises:
        InputError: as ``parse_settings``.
    """
    content = config_content(name, settings, None)
    return build_from(content, settings, f"config {name!r}")


def _with_configs(
    arguments: list[str], settings: type, default: str
) -> tuple[list[str], list[str]]:
    """Resolve and check each --config, the default one where there is none; the other arguments.

    They come first, so that other options override them wherever they stand.
    """
    names, others = _split(arguments, "--config")
    said = _said_of_code(others)
    return [f"--config={_checked(name, settings, said)}" for name in names or [default]], others


def _prints(arguments: Sequence[str]) -> bool:
    return any(word.partition("=")[0] == "--print_config" for word in arguments)


def _said_of_code(arguments: Sequence[str]) -> CommandLine:
    """What these arguments say of plug-ins and data modules."""
    lists, others = _split(arguments, "--plugins")
    more, others = _split(others, "--plugin")
    files: list[str] = []
    for text in lists:
        with suppress(InputError):  # the parser says what is wrong with it
            found = parse_yaml(text, "--plugins") if text.startswith("[") else text
            files += [str(file) for file in (found if isinstance(found, list) else [found])]
    return CommandLine(
        plugins=(*files, *more),
        whole_list=bool(lists),
        class_paths=tuple(_split(others, "--data.class_path", "the name of a class")[0]),
        trust="--trust" in others,
    )


def _with_plugins(arguments: Sequence[str]) -> list[str]:
    """`--plugin FILE` as one more of `--plugins`; there, a file without brackets as a list."""
    files, others = _split(arguments, "--plugins")
    lists = [f if f.startswith("[") else json.dumps([f]) for f in files]
    more, others = _split(others, "--plugin")
    return [*others, *(f"--plugins={f}" for f in lists), *(f"--plugins+={f}" for f in more)]


def _check_paths(arguments: Sequence[str]) -> None:
    """Refuse a path into a list, which no option can reach."""
    for word in arguments:
        inside = re.match(r"--([\w.]+?)\.\d+(\.[\w.]*)?(=|$)", word)
        if inside:
            raise InputError(
                f"{word.partition('=')[0]}: an entry of a list cannot be set alone; give the whole "
                f"list as --{inside[1]}, or change a copy of the file"
            )


def receipt_among(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The receipt that is given as --config, the last of several; None where there is none.

    Raises:
        InputError: a config that cannot be read.
    """
    found = [read_receipt(name) for name in _split(arguments, "--config")[0]]
    return next((receipt for receipt in reversed(found) if receipt is not None), None)


def _split(
    arguments: Sequence[str], wanted: str, what: str = "the name of a file"
) -> tuple[list[str], list[str]]:
    """The values of an option that takes a name, and the other arguments."""
    names, others = [], []
    words = iter(arguments)
    for word in words:
        option, equals, name = word.partition("=")
        if option != wanted:
            others.append(word)
            continue
        found = name if equals else next(words, None)
        if found is None or found.startswith("--"):
            raise InputError(f"{wanted} needs {what}")
        names.append(found)
    return names, others


def _checked(name: str, settings: type, said: CommandLine | None) -> str:
    """A config's content as text that jsonargparse takes in the place of a file's name.

    ``said``: what the command line says of code; None where none is to be run.
    """
    return _as_option(config_content(name, settings, said), settings, f"config {name!r}")


def config_content(name: str, settings: type, said: CommandLine | None) -> dict[str, Any]:
    """The plain values in a config, its names checked; arguments and errors as above."""
    kind = kind_of(settings)
    content = read_config(name, kind.folder, said)
    check_kind(content, kind, name, f"config {name!r}")
    check_keys(content, settings, f"setting of {Path(name).name}")
    return content


def build_from(content: dict[str, Any], settings: type[Settings], what: str) -> Settings:
    """The settings that plain values describe, checked as those of a file are.

    Args:
        content: settings by name; its keys have been checked.
        settings: what it describes.
        what: how messages call it.

    Raises:
        InputError: as ``parse_settings``.
    """
    parser = ArgumentParser(allow_abbrev=False)
    parser.add_argument("--config", action="config")
    add_settings(parser, settings)  # type: ignore[arg-type]
    parsed = _parse(parser, [f"--config={_as_option(content, settings, what)}"])
    return build_settings(settings, parsed, "")


def _as_option(content: dict[str, Any], settings: type, what: str) -> str:
    """Plain values as text that jsonargparse takes in the place of a file's name."""
    if isinstance(content.get("plugins"), str):
        content["plugins"] = [content["plugins"]]
    data = content.get("data")
    if isinstance(data, dict) and "class_path" in data:
        # class_path and init_args alone would be taken for another class than DataSettings.
        content["data"] = {"source": DataSettings.source, **data}
    try:
        return json.dumps(hide(content, settings), default=str)
    except (ValueError, TypeError) as error:
        raise InputError(f"{what} holds what is not a plain value: {error}") from error


def check_keys(content: Mapping[Any, Any], settings: type, kind: str, path: str = "") -> None:
    """Refuse unknown and empty settings, here and below; a wrong name with the nearest known."""
    allowed = [f.name for f in dataclasses.fields(settings)]
    for key, value in content.items():
        if key not in allowed:
            raise unknown(kind, key, allowed)
        place, (inner, listed) = f"{path}{key}", _inner(settings, key)
        _check_empty(value, settings, key, place)
        if inner is None or (listed and not isinstance(value, list)):
            continue  # for the parser to judge
        for index, item in enumerate(value if listed else [value]):
            here = f"{place}.{index}" if listed else place
            if not isinstance(item, dict):
                raise InputError(_no_mapping(here, inner, item))
            check_keys(item, inner, f"setting of {here}", f"{here}.")


def build_settings(settings: type[Settings], parsed: Any, path: str) -> Settings:
    """The settings of what has been parsed.

    jsonargparse's own instantiation is left out: it would also call whatever a mapping with a
    ``class_path`` names, anywhere in a study's file.
    """
    values = {}
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]  # a dataclass
        if field.name not in parsed:
            continue  # in a list, jsonargparse fills in no defaults
        value, place = parsed[field.name], f"{path}{field.name}"
        _check_empty(value, settings, field.name, place)
        inner, listed = _inner(settings, field.name)
        if inner is None:
            values[field.name] = _plain(value)
        elif listed:
            values[field.name] = tuple(
                build_settings(inner, item, f"{place}.{index}.") for index, item in enumerate(value)
            )
        elif isinstance(value, Namespace | dict):
            values[field.name] = build_settings(inner, value, f"{place}.")
        else:
            raise InputError(_no_mapping(place, inner, value))
    return settings(**values)


def _plain(value: Any) -> Any:
    """Mappings as dicts, whatever jsonargparse made of them, and text as it was."""
    if isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    return show(value)


def _check_empty(value: Any, settings: type, name: str, place: str) -> None:
    if value is None and type(None) not in get_args(get_type_hints(settings)[name]):
        raise InputError(f"{place} is empty; give a value, or leave it out for its default")


def _inner(settings: type, key: str) -> tuple[type | None, bool]:
    """The settings that a setting consists of, if any, and whether it is a list of them."""
    hint = get_type_hints(settings)[key]
    for inner in (hint, *get_args(hint)):
        if isinstance(inner, type) and dataclasses.is_dataclass(inner):
            return inner, inner is not hint
    return None, False


def _no_mapping(place: str, settings: type, value: Any) -> str:
    names = ", ".join(f"{f.name}:" for f in dataclasses.fields(settings)[:3])
    return f"{place} must be a mapping with settings such as {names}; got {value!r}"
