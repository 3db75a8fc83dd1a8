"""Text that stays text: jsonargparse reads strings in settings of any type as YAML once more.

So a folder called ``'010'`` would become the number 10, quotes or not. Settings' values are read
before it (`hybrid_swin.system.yaml_files`); their text passes through it spelt such that it is
nothing else to YAML, and is spelt as it was behind it.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml
from jsonargparse import ArgumentParser, Namespace

from hybrid_swin.errors import InputError
from hybrid_swin.system.yaml_files import DifferentlyRead, parse_yaml

_FROM, _TO = "\ue000", "\ue001"  # for private use, so in no text
_HIDDEN = re.compile(f"{_FROM}([0-9a-f]*){_TO}")
_LONGEST_TEXT = 10_000  # characters of a value that is text: a path, a list of inspections


def hide(value: Any, hint: Any) -> Any:
    """A value for a setting of this type, the text in it hidden where the type is ``Any``."""
    if isinstance(value, str):
        return f"{_FROM}{_bytes(value).hex()}{_TO}" if hint is Any else value
    if isinstance(value, Mapping):
        settings = _settings_in(hint)
        known = get_type_hints(settings) if settings else {}
        return {key: hide(item, known.get(key, _below(hint))) for key, item in value.items()}
    if isinstance(value, list):
        return [hide(item, _below(hint)) for item in value]
    return value


def show(value: Any) -> Any:
    """The value as it was before ``hide``; of a text, such as a message, what is hidden in it."""
    if isinstance(value, str):
        return _HIDDEN.sub(lambda found: _text(found[1]), value)
    if isinstance(value, Mapping):
        return {key: show(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(show(item) for item in value)
    return value


def show_parsed(parsed: Namespace) -> None:
    """Show what is hidden in the values of a parser, in place."""
    for key, value in vars(parsed).items():
        if isinstance(value, Namespace):
            show_parsed(value)
        else:
            setattr(parsed, key, show(value))


def show_in_yaml(text: str) -> str:
    """YAML with what is hidden in it as YAML that is read back as the same text."""

    def scalar(found: re.Match[str]) -> str:
        dumped = yaml.safe_dump(_text(found[1]), width=float("inf"), allow_unicode=True)
        return dumped.removesuffix("\n").removesuffix("\n...")

    return _HIDDEN.sub(scalar, text)


def check_words(words: Iterable[str], parser: ArgumentParser) -> list[str]:
    """The words of a command line, each option's value read as a file's would be.

    Raises:
        InputError: a value that programs read in different ways, or one that is too large; or a
            zero byte, which no file's name has.
    """
    found: list[str] = []
    option = ""
    for word in words:
        if "\0" in word:
            raise InputError(f"{option or 'an argument'} holds a zero byte: {word!r}; leave it out")
        name, equals, value = word.partition("=")
        if "--" in (word, value):  # which argparse drops
            raise InputError(f"{name if equals else option or 'an argument'} is '--'; give a value")
        if word.startswith("--"):
            option = "" if equals else name
            found.append(f"{name}={_checked(name, value, parser)}" if equals else word)
        else:
            found.append(_checked(option, word, parser) if option else word)
            option = ""
    return found


def _checked(option: str, text: str, parser: ArgumentParser) -> str:
    hint = _hint_of(option.removesuffix("+"), parser)
    if not _is_text(hint) and any("\ud800" <= char <= "\udfff" for char in text):
        raise InputError(f"{option} holds bytes that are not UTF-8: {text!r}")
    if hint is None or _is_text(hint):
        if len(text) > _LONGEST_TEXT:
            raise InputError(f"{option}: a value of {len(text):,} characters; give a shorter one")
        return text
    try:
        value = parse_yaml(text, option)
    except DifferentlyRead as error:
        raise InputError(str(error).replace(": line 1: ", ": ", 1)) from None
    except InputError:
        return text  # for the parser to judge
    hidden = hide(value, hint)
    if isinstance(hidden, str):
        return hidden
    return text if hidden == value else json.dumps(hidden, default=str)


def _hint_of(option: str, parser: ArgumentParser) -> Any:
    """The type that an option, or a path below one, takes; None if unknown."""
    actions, below = parser._option_string_actions, 0
    while option not in actions:
        option, dot, _ = option.rpartition(".")
        below += 1
        if not dot:
            return None
    action = actions[option]
    hint = getattr(action, "_typehint", action.type)
    for _ in range(below):
        hint = _below(hint)
    return hint


def _is_text(hint: Any) -> bool:
    """Whether a value of this type is text as it stands: no number, no list."""
    return hint is str or (
        get_origin(hint) in (Union, UnionType) and set(get_args(hint)) == {str, type(None)}
    )


def _settings_in(hint: Any) -> type | None:
    for inner in (hint, *get_args(hint)):
        if isinstance(inner, type) and dataclasses.is_dataclass(inner):
            return inner
    return None


def _below(hint: Any) -> Any:
    """The type of the values in a container of this type."""
    for inner in (hint, *get_args(hint)):
        origin = get_origin(inner)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return get_args(inner)[1]
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return get_args(inner)[0]
    return hint if hint is Any else None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(digits: str) -> str:
    return bytes.fromhex(digits).decode("utf-8", "surrogatepass")
