"""Candidates of the same block words, told apart by the values in which they differ."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hybrid_swin.spec.recipe import with_defaults
from search.leaderboard.rows.row import Row
from search.records.runs import RunSpec

Candidate = Row | RunSpec
_BLOCKS = re.compile(r"stages\.\d+\.blocks\b.*")  # what the block words say already


def labels(candidates: Sequence[Candidate]) -> list[str]:
    """Their labels; where several share one, with values: ``conv (width 32, mlp_ratio 2)``."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.label, []).append(candidate)
    paths = {label: _telling(group) for label, group in groups.items()}
    return [_labelled(candidate, paths[candidate.label]) for candidate in candidates]


def value_at(candidate: Candidate, path: str) -> Any:
    """What stands at a parameter's path in network or recipe, or was proposed; None if unknown."""
    whole = {**(candidate.variant or {}), "recipe": with_defaults(candidate.recipe or {})}
    value: Any = whole
    for name in path.split("."):
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return candidate.params.get(path)
    return value


def _telling(group: Sequence[Candidate]) -> list[str]:
    """Paths of values that tell a group apart: what was searched, and as little else as does it."""
    if len({candidate.candidate_id for candidate in group}) == 1:
        return []
    searched = dict.fromkeys(path for candidate in group for path in candidate.params)
    paths = [p for p in searched if not _BLOCKS.fullmatch(p) and len(_texts(group, [p])) > 1]
    for path in dict.fromkeys(path for candidate in group for path in _leaves(candidate)):
        if len(_texts(group, paths)) == len({candidate.candidate_id for candidate in group}):
            break
        if len(_texts(group, [*paths, path])) > len(_texts(group, paths)):
            paths.append(path)
    return paths


def _leaves(candidate: Candidate) -> Iterator[str]:
    """Paths of all plain values of network and recipe."""
    stack: list[tuple[str, Any]] = [("recipe", candidate.recipe), ("", candidate.variant)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, list) and any(isinstance(item, Mapping) for item in node):
            node = {str(index): item for index, item in enumerate(node)}
        if isinstance(node, Mapping):
            inner = [(f"{path}.{name}" if path else name, item) for name, item in node.items()]
            stack += reversed(inner)
        elif node is not None:
            yield path


def _texts(group: Sequence[Candidate], paths: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(_text(value_at(candidate, path)) for path in paths) for candidate in group}


def _labelled(candidate: Candidate, paths: Sequence[str]) -> str:
    known = {path: text for path in paths if (text := _text(value_at(candidate, path)))}
    details = ", ".join(f"{_name(path, paths)} {text}" for path, text in known.items())
    return f"{candidate.label} ({details})" if details else candidate.label


def _name(path: str, paths: Sequence[str]) -> str:
    """The last part of a path; the whole one, ``stage 1 width``, where others end alike."""
    last = path.rpartition(".")[2]
    if sum(other.rpartition(".")[2] == last for other in paths) == 1:
        return last
    return path.replace("stages.", "stage ").replace("blocks.", "block ").replace(".", " ")


def _text(value: Any) -> str:
    """A value in few characters; empty for one that is unknown or holds others by name."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return " ".join(map(_text, value))
    return "" if value is None or isinstance(value, Mapping) else str(value)
