"""YAML and JSON files as people write them: plain values that mean the same to every reader.

Reading costs little whatever the file holds: its bytes, its depth and its values, with those that
``*`` repeats, are counted before anything is made of them.
"""

import copy
import json
import math
import re
import stat
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import yaml

from hybrid_swin.errors import InputError

_YAML_BYTES = 2**20  # beyond any settings that a person writes or a study leaves
_JSON_BYTES = 2**26  # a receipt names every image that was left out
_DEPTH, _VALUES = 50, 20_000  # of a YAML file
_STR, _FLOAT, _INT, _BOOL, _MERGE, _VALUE, _TIMESTAMP = (
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "float", "int", "bool", "merge", "value", "timestamp")
)
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_OCTAL_1_2 = re.compile(r"[-+]?0o[0-7_]+")
_ZEROS_FIRST = re.compile(r"([-+]?)0+([0-9]+)")
_LONGEST_NUMBER = 100  # characters
_TAGS = ("!", _STR, "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")  # that may be written


class DifferentlyRead(InputError):
    """What YAML would take and we do not: it is read in different ways, or is too much."""


def read_yaml(path: str | Path, what: str) -> Any:
    """The plain values in a file; one that is named ``.json`` is JSON.

    Raises InputError if it cannot be read, is not YAML (JSON), gives a key twice, is too large or
    too deep, or holds a value that programs read in different ways, such as ``010`` or ``no``.
    """
    try:
        file = Path(path)
        is_json = file.suffix == ".json"
        text = _text(file, _JSON_BYTES if is_json else _YAML_BYTES, what)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{what} cannot be read: {error}") from error
    return _parse_json(text, what) if is_json else parse_yaml(text, what)


def to_yaml(content: Any, flow: bool | None = False) -> str:
    """Plain values as YAML that every reader, ``parse_yaml`` too, reads back as the same.

    With ``flow`` in brackets; None for brackets around what holds plain values only.
    """
    return yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=flow
    )


def parse_yaml(text: str, what: str) -> Any:
    """The plain values in a text; arguments and errors as of ``read_yaml``."""
    if len(text) > _YAML_BYTES:
        raise InputError(f"{what} is longer than {_YAML_BYTES:,} characters; write it shorter")
    try:
        return copy.deepcopy(_load(text))
    except _Refused as error:
        raise DifferentlyRead(f"{what}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}, column {place.column + 1}" if place else ""
        problem = getattr(error, "problem", None) or error
        raise InputError(f"{what} is not YAML{where}: {problem}") from error


@lru_cache(maxsize=16)  # one command reads a study's settings several times
def _load(text: str) -> Any:
    return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader


def _text(file: Path, most: int, what: str) -> str:
    if not stat.S_ISREG(file.stat().st_mode):
        raise InputError(f"{what} is not a regular file")
    with file.open("rb") as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise InputError(f"{what} is larger than {most:,} bytes; no settings are that long")
    return content.decode("utf-8-sig")


def _parse_json(text: str, what: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except _Refused as error:
        raise InputError(f"{what}: {error}") from None
    except RecursionError:
        raise InputError(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{what} is not JSON: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise _Refused(f"{twice!r} is given twice; keep one of them")
    return mapping


def _no_number(name: str) -> NoReturn:
    raise _Refused(f"{name} is not a number that a setting can have; write a finite one")


def _instead(tag: str, text: str) -> str | None:
    """What to write, where YAML 1.1, YAML 1.2 and people disagree about a plain word."""
    if tag == _BOOL and text.lower() not in ("true", "false"):
        meant = "true" if text.lower() in ("yes", "on") else "false"
        return f"write {meant}, or {text!r} in quotes for the word"
    if tag == _VALUE:
        return f"write {text!r} in quotes"
    if _OCTAL_1_2.fullmatch(text):
        return f"write {int(text.replace('_', ''), 8)}, or {text!r} in quotes for text"
    if zeros := _ZEROS_FIRST.fullmatch(text):  # octal, decimal or text
        return f"write {zeros[1]}{zeros[2]}, or {text!r} in quotes for text"
    if tag in (_INT, _FLOAT) and not (_WHOLE.fullmatch(text) or _NUMBER.fullmatch(text)):
        if text.lower().strip("+-.") in ("inf", "nan"):
            return f"write a finite number, or {text!r} in quotes for text"
        number = yaml.safe_load(text[:_LONGEST_NUMBER])
        if ":" in text:  # to base 60 in YAML 1.1, which hardly anybody means
            return f"write {text!r} in quotes for a time, or {number} for that number"
        return f"write {number}, or {text!r} in quotes for text"
    return None


def _finite(number: str) -> bool:
    """Whether a number as it is written is within those that arithmetic can be done with."""
    try:
        return len(number) <= _LONGEST_NUMBER and math.isfinite(float(number))
    except ValueError:  # one of YAML 1.1, which is refused with what to write instead
        return True


class _Refused(Exception):
    """A file that YAML would take and we do not."""


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-4 and -.5 are numbers, as in YAML 1.2, and 2024-05-01, a folder, is text."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # the parent's declaration
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._sizes: dict[int, int] = {}  # values in a node, with those that aliases repeat
        self._made = 0

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        """A node as it is written, counted."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        alias, line = isinstance(event, yaml.AliasEvent), event.start_mark.line + 1
        if getattr(event, "tag", None) not in (None, *_TAGS):
            raise _Refused(f"line {line}: a tag such as {event.tag!r} is not taken; leave it out")
        self._depth += 1
        if self._depth > _DEPTH:
            raise _Refused(f"line {line} is nested more than {_DEPTH} deep")
        node: yaml.Node = super().compose_node(parent, index)  # type: ignore[assignment]
        self._depth -= 1
        if alias and id(node) not in self._sizes:
            raise _Refused(f"line {line} repeats what it is itself a part of")
        if not alias:
            self._made += 1
            self._sizes[id(node)] = 1 + sum(self._sizes[id(inner)] for inner in _inside(node))
        if max(self._made, self._sizes[id(node)]) > _VALUES:
            raise _Refused(f"it comes to more than {_VALUES:,} values by line {line}")
        return node

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        """A scalar that means the same to every reader."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        node = super().compose_scalar_node(anchor)
        line = node.start_mark.line + 1
        instead = _instead(node.tag, node.value) if event.implicit[0] else None
        if instead:
            raise _Refused(f"line {line}: programs read {node.value!r} differently; {instead}")
        if node.tag in (_INT, _FLOAT) and not _finite(node.value):
            raise _Refused(f"line {line}: {node.value} is beyond any setting; write a smaller one")
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """A mapping as it is written, before << merges others into it."""
        mapping = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in mapping.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            line = key.start_mark.line + 1
            if (key.tag, key.value) in lines:
                first = lines[key.tag, key.value]
                where = f"line {line}" if first == line else f"lines {first} and {line}"
                raise _Refused(f"{key.value!r} is given twice, in {where}; keep one of them")
            lines[key.tag, key.value] = line
        return mapping


def _inside(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [inner for pair in node.value for inner in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(r"(?:[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+|[-+]\.[0-9]+)$"),
    list("-+.0123456789"),
)


class _Dumper(yaml.SafeDumper):
    """YAML in which a text that some program would take for another value stands in quotes."""


for _tag, _pattern in ((_FLOAT, _NUMBER), (_INT, _OCTAL_1_2), (_INT, _ZEROS_FIRST)):
    _Dumper.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern.pattern})$"), None)
