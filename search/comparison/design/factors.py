"""Factors: what is varied beside the arms, and what each combination of levels changes."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from search.settings.comparison import ComparisonSettings
from search.settings.names import check_label

_DATA = "data."
_LABEL = "label"  # of a level that is a mapping
_SPECIAL = ("base", "stages", "fusion")  # the others are paths


@dataclass(frozen=True)
class Cell:
    """One combination of factor levels.

    Args:
        levels: by factor, as they are shown.
        data: what is trained on there.
    """

    levels: dict[str, Any]
    data: DataSettings

    @property
    def name(self) -> str:
        """Readable, such as ``reach=4, fusion=gate``; empty where there are no factors."""
        return name_of(self.levels)


@dataclass(frozen=True)
class Point:
    """A cell, and what its levels mean for the arms.

    Args:
        cell: the levels and the data.
        changes: values of the variant and the recipe by path.
        base: block words that arms add to; empty for the network's own.
        stages: where arms add: ``all`` or a list.
        fusion: how what is added joins; None for the default.
    """

    cell: Cell
    changes: Mapping[str, Any]
    base: tuple[str, ...] = ()
    stages: Any = "all"
    fusion: str | None = None


def name_of(levels: Mapping[str, Any]) -> str:
    """Levels in words."""
    short = short_names(levels)
    return ", ".join(f"{short[factor]}={spell_level(level)}" for factor, level in levels.items())


def short_names(factors: Iterable[str]) -> dict[str, str]:
    """Of a path its last part, where no other has the same."""
    last = {factor: factor.rpartition(".")[2] for factor in factors}
    ends = list(last.values())
    return {factor: end if ends.count(end) == 1 else factor for factor, end in last.items()}


def combinations(factors: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of levels; one without levels where there are no factors.

    Raises:
        InputError: a factor without levels, or with one twice.
    """
    for name, levels in factors.items():
        if not isinstance(levels, list | tuple) or not levels:
            raise InputError(f"factors.{name} must be a list of levels; got {levels!r}")
        for level in levels:
            if isinstance(level, Mapping) and _LABEL in level:
                check_label(str(level[_LABEL]), f"factors.{name}: the label")
        spelt = [json.dumps(level, sort_keys=True, default=str) for level in levels]
        twice = next((s for s in spelt if spelt.count(s) > 1), None)
        if twice:
            raise InputError(f"factors.{name} has the level {twice} twice")
    for chosen in product(*factors.values()):
        yield dict(zip(factors, chosen, strict=True))


def make_point(settings: ComparisonSettings, levels: Mapping[str, Any]) -> Point:
    """What one combination of levels changes.

    A level that is a mapping sets several paths at once, whatever the factor is called; ``label``
    in it is how it is shown.

    Raises:
        InputError: a level of the wrong kind, or a path of the data that does not exist.
    """
    changes: dict[str, Any] = {}
    special: dict[str, Any] = {}
    for name, level in levels.items():
        if name in _SPECIAL:
            special[name] = level
        else:
            changes |= dict(level) if isinstance(level, Mapping) else {name: level}
            changes.pop(_LABEL, None)
    data = settings.data.to_dict()
    for path in [path for path in changes if path.startswith(_DATA)]:
        _set(data, path.removeprefix(_DATA), changes.pop(path), path)
    base, fusion = special.get("base", ()), special.get("fusion")
    if isinstance(base, str) or not all(isinstance(word, str) for word in base):
        raise InputError(f"factors.base: a level is a list of block words; got {base!r}")
    if fusion is not None and not isinstance(fusion, str):
        raise InputError(f"factors.fusion: a level is a fusion's name; got {fusion!r}")
    cell = Cell(dict(levels), DataSettings.from_dict(data))
    return Point(cell, changes, tuple(base), special.get("stages", "all"), fusion)


def _set(data: dict[str, Any], path: str, value: Any, where: str) -> None:
    """Set a value below the data's settings; what is not a setting there is refused by them."""
    *parents, last = path.split(".")
    for name in parents:
        inner = data.get(name)
        if not isinstance(inner, dict):
            raise InputError(
                f"factors: {where} is not a setting of the data; did you mean options?"
            )
        data = inner
    data[last] = value


def spell_level(level: Any) -> str:
    """A level in words."""
    if isinstance(level, Mapping):
        return str(level[_LABEL]) if _LABEL in level else "{" + name_of(level) + "}"
    if isinstance(level, list | tuple):
        return "[" + " ".join(map(str, level)) + "]"
    return str(level).lower() if isinstance(level, bool) else str(level)
