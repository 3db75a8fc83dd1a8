"""Settings from files and the command line: jsonargparse parses, we say what was wrong."""

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from hybrid_swin.errors import InputError, unknown
from search.settings import StudySettings

DEFAULT_CONFIG = "configs/search/digits.yaml"
_FOLDERS = ("search", "variants", "")  # below configs/, where a bare name is looked for


def add_settings(parser: ArgumentParser) -> None:
    """Give a parser every setting of a study."""
    parser.add_class_arguments(StudySettings, as_group=False)


def parse_settings(parser: ArgumentParser, arguments: Sequence[str]) -> tuple[StudySettings, bool]:
    """The study that the arguments describe, and whether it is only to be rehearsed.

    Raises:
        InputError: an unknown setting, a wrong type or value, a file that cannot be read.
    """
    arguments = _with_configs(list(arguments))
    parser.exit_on_error = False
    try:
        parsed = parser.parse_args(arguments)
    except ArgumentError as error:
        raise _explained(str(error), parser) from None
    values = parser.instantiate(parsed)
    fields = [f.name for f in dataclasses.fields(StudySettings)]
    return StudySettings(**{name: values[name] for name in fields}), bool(values["dry_run"])


def find_config(name: str) -> Path:
    """A config's file: as given, else among the bundled ones. Raises InputError if there is none.

    Bundled ones are found from any folder: `configs/search/digits.yaml`, `search/digits.yaml`,
    `digits.yaml` and `digits` are the same file.
    """
    given = Path(name).expanduser()
    if given.is_file():
        return given
    if given.is_dir():
        raise InputError(f"--config {name!r} is a folder; give a file in it")
    wanted = [given.with_suffix(".yaml")] if not given.suffix else [given]
    roots = [root for root in _bundled() if root.is_dir()]
    for root in roots:
        for path in wanted:
            relative = Path(*path.parts[1:]) if path.parts[:1] == ("configs",) else path
            for folder in _FOLDERS:
                if (root / folder / relative).is_file():
                    return root / folder / relative
    known = [p.relative_to(root).as_posix() for root in roots for p in root.rglob("*.yaml")]
    raise unknown("config", name, known)


def _bundled() -> Iterator[Path]:
    """The folder configs/ of a checkout, or its copy in an installed package."""
    here = Path(__file__).parent
    yield here.parent / "configs"
    yield here / "configs"


def _with_configs(arguments: list[str]) -> list[str]:
    """Resolve and check what follows each --config; add the default one where there is none."""
    found = False
    for index, word in enumerate(arguments):
        if word == "--config" and index + 1 < len(arguments):
            arguments[index + 1] = _checked(arguments[index + 1])
            found = True
        elif word.startswith("--config="):
            arguments[index] = "--config=" + _checked(word.partition("=")[2])
            found = True
    return arguments if found else ["--config", _checked(DEFAULT_CONFIG), *arguments]


def _checked(name: str) -> str:
    path = find_config(name)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"config {name!r} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}, column {place.column + 1}" if place else ""
        raise InputError(
            f"config {name!r} is no YAML{where}: {getattr(error, 'problem', None) or error}"
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            f"config {name!r} must hold settings such as 'trials: 12'; it holds "
            f"{type(content).__name__}"
        )
    _check_keys(content, StudySettings, f"setting of {path.name}")
    return os.fspath(path)


def _check_keys(content: Any, settings: type, kind: str) -> None:
    """Refuse unknown keys, here and in the settings below, with the nearest known one."""
    hints = get_type_hints(settings)
    allowed = [f.name for f in dataclasses.fields(settings)]
    for key, value in content.items():
        if key not in allowed:
            raise unknown(kind, key, allowed)
        inner = [t for t in (hints[key], *get_args(hints[key])) if dataclasses.is_dataclass(t)]
        for item in value if isinstance(value, list) else [value]:
            if inner and isinstance(item, dict) and isinstance(inner[0], type):
                _check_keys(item, inner[0], f"setting of {key}")


def _explained(message: str, parser: ArgumentParser) -> InputError:
    """jsonargparse's message, shortened to what the user can act on."""
    stray = re.search(r"unrecognized arguments: (\S+)", message)
    if stray:
        name = stray[1].partition("=")[0]
        known = [option for action in parser._actions for option in action.option_strings]
        if not name.startswith("-"):
            return InputError(f"stray argument {name!r}; settings are written --name value")
        near = [k for k in known if k.startswith(name.rpartition(".")[0] or "--")]
        error = unknown("option", name, near or known)
        return InputError(str(error).partition(" (")[0] + "; --help lists all")
    wrong = re.search(r'Parser key "([^"]+)":(.*)', message, re.DOTALL)
    if wrong:
        value = re.search(r"(?:Got|Given) value: (.*)", wrong[2])
        types = re.findall(r"Expected an? (.*?)(?:\. Got value|\n|$)", wrong[2])
        allowed = " or ".join(dict.fromkeys(_type_in_words(t) for t in types))
        if value and allowed:
            return InputError(f"{wrong[1]} must be {allowed}; got {value[1].strip()!r}")
        return InputError(f"{wrong[1]}: {' '.join(wrong[2].split())}")
    return InputError(" ".join(message.split()))


def _type_in_words(name: str) -> str:
    choices = re.search(r"Literal\[(.*)\]", name)
    if choices:
        return ("one of " if "," in choices[1] else "") + choices[1].replace("'", "")
    words = {
        "int": "a whole number",
        "float": "a number",
        "str": "text",
        "bool": "true or false",
        "NoneType": "null",
        "dict": "a mapping",
        "list": "a list",
        "tuple": "a list",
    }
    bare = re.sub(r"<class '(.*)'>", r"\1", name).partition("[")[0]
    return words.get(bare, bare)
