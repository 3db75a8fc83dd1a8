"""YAML files as people write them: plain values, and no key that silently overrides another."""

import re
from pathlib import Path
from typing import Any

import yaml

from hybrid_swin.errors import InputError

_FLOAT, _TIMESTAMP = "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"
_MERGE = "tag:yaml.org,2002:merge"  # the tag of <<, which may stand several times


def read_yaml(path: str | Path, what: str) -> Any:
    """The plain values in a file.

    Args:
        path: the file.
        what: how messages call it, as in ``config 'mine.yaml'``.

    Raises:
        InputError: it cannot be read, is no YAML, or gives a key twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except _GivenTwice as error:
        raise InputError(f"{what}: {error}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{what} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}, column {place.column + 1}" if place else ""
        problem = getattr(error, "problem", None) or error
        raise InputError(f"{what} is no YAML{where}: {problem}") from error


class _GivenTwice(Exception):
    """A key that stands twice in one mapping."""


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-4 is a number, as in YAML 1.2, and 2024-05-01 is text: a folder's name."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # the parent's declaration
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

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
                raise _GivenTwice(f"{key.value!r} is given twice, in {where}; keep one of them")
            lines[key.tag, key.value] = line
        return mapping


_Loader.add_implicit_resolver(
    _FLOAT, re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)
