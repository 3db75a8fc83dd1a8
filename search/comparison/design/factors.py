"""Factors: what is varied beside the arms, and what each combination of levels changes."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError, quote
from hybrid_swin.errors.plain_text import visible
from search.settings.comparison import ComparisonSettings
from search.settings.names import check_label

ARM = "arm"  # the factor that the arms are
BASE, STAGES, FUSION = "base", "stages", "fusion"  # the factors that are not paths
_DATA = "data."
_LABEL = "label"  # of a level that is a mapping
_CHOICES = {"choose", "from", "to", "same_as", "times"}  # a space has these, a factor has levels
_SPECIAL = (BASE, STAGES, FUSION)


@dataclass(frozen=True)
class Cell:
    """One combination of factor levels.

    Args:
        levels: by factor, as they are shown.
        data: what is trained on there.
    """

    levels: dict[str, Any]
    data: DataSettings

    @cached_property
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


def have_same_images(cells: Iterable[Cell]) -> bool:
    """Whether no factor changes the data."""
    return len({json.dumps(cell.data.to_dict(), sort_keys=True) for cell in cells}) < 2


def short_names(factors: Iterable[str]) -> dict[str, str]:
    """Of a path its last part, where no other has the same and the arms are not called so."""
    last = {factor: factor.rpartition(".")[2] for factor in factors}
    ends = [*last.values(), ARM]
    return {factor: end if ends.count(end) == 1 else factor for factor, end in last.items()}


def combinations(factors: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of levels; one without levels where there are no factors.

    Raises:
        InputError: a factor without levels or with a name that means nothing, or levels that
            cannot be told apart.
    """
    for name, levels in factors.items():
        if name in ("", ARM):
            raise InputError(
                f"factors: {name!r} cannot be a factor's name (the arms are the factor {ARM!r}); "
                "give a path, or a name of your own for levels that are mappings"
            )
        _check_levels(name, levels)
    made = [dict(zip(factors, chosen, strict=True)) for chosen in product(*factors.values())]
    check_told_apart(made)
    yield from made


def _check_levels(name: str, levels: object) -> None:
    """Raise InputError for a factor without levels, or with two that are shown alike."""
    if not isinstance(levels, list | tuple) or not levels:
        raise InputError(f"factors.{name} must be a list of levels; got {levels!r}")
    for level in levels:
        if isinstance(level, Mapping):
            _check_mapping(level, name)
    texts = [json.dumps(level, sort_keys=True, default=str) for level in levels]
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice:
        raise InputError(f"factors.{name} has the level {twice} twice")
    seen: dict[str, Any] = {}
    for level in levels:
        spelt = spell_level(level)
        if visible(spelt) != spelt:
            raise InputError(
                f"factors.{name}: the level {quote(level)} holds line breaks or control characters;"
                " give it a label: {label: ..., PATH: VALUE}"
            )
        if spelt in seen:
            raise InputError(
                f"factors.{name}: the levels {quote(seen[spelt])} and {quote(level)} are both "
                f"shown as {spelt!r}, so their cells could not be told apart; give each a label of "
                "its own, {label: ..., PATH: VALUE}"
            )
        seen[spelt] = level


def _check_mapping(level: Mapping[str, Any], name: str) -> None:
    """Raise InputError for a level that sets no values by path, or with a label of no use."""
    if level.keys() & _CHOICES:
        raise InputError(
            f"factors.{name}: the level {quote(level)} is a choice, and a comparison does not "
            "search; list its values as levels"
        )
    for path in level.keys() & {BASE, FUSION}:
        raise InputError(
            f"factors.{name}: a level that is a mapping sets values by path, and {path} is a factor"
            f" of its own: factors.{path}"
        )
    if _LABEL not in level:
        return
    label = level[_LABEL]
    if isinstance(label, bool) or not isinstance(label, str | int | float) or label == "":
        raise InputError(f"factors.{name}: the label of a level must be text; got {label!r}")
    check_label(str(label), f"factors.{name}: the label")


def check_told_apart(cells: Iterable[Mapping[str, Any]]) -> None:
    """Raise InputError for two combinations of levels of one name: results go by the name."""
    seen: dict[str, Mapping[str, Any]] = {}
    for levels in cells:
        name = name_of(levels)
        if seen.setdefault(name, levels) != levels:
            raise InputError(
                f"factors: two cells are both called {name!r}, so their arms could not be told "
                "apart; give their levels other labels, and the comparison another name if it has "
                "begun"
            )


def make_point(settings: ComparisonSettings, levels: Mapping[str, Any]) -> Point:
    """What one combination of levels changes.

    A level that is a mapping sets several paths at once, whatever the factor is called; ``label``
    in it is how it is shown.

    Raises:
        InputError: a level of the wrong kind, or a path of the data that does not exist.
    """
    changes: dict[str, Any] = {}
    for name, level in levels.items():
        if name not in _SPECIAL:
            changes |= paths_of(name, level)
    data = settings.data.to_dict()
    for path in [path for path in changes if path.startswith(_DATA)]:
        _set(data, path.removeprefix(_DATA), changes.pop(path), path)
    base, fusion = levels.get(BASE, ()), levels.get(FUSION)
    if not isinstance(base, list | tuple) or not all(isinstance(word, str) for word in base):
        raise InputError(f"factors.base: a level is a list of block words; got {base!r}")
    if fusion is not None and not isinstance(fusion, str):
        raise InputError(f"factors.fusion: a level is a fusion's name; got {fusion!r}")
    cell = Cell(dict(levels), DataSettings.from_dict(data))
    return Point(cell, changes, tuple(base), levels.get(STAGES, "all"), fusion)


def paths_of(name: str, level: Any) -> dict[str, Any]:
    """What a level of a factor that is a path sets, by path."""
    if not isinstance(level, Mapping):
        return {name: level}
    return {path: value for path, value in level.items() if path != _LABEL}


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
