"""Settings over settings: what a later file, the command line or a Python call changes.

A later mapping changes the names that it gives and leaves the others; a list or a plain value is
replaced. A dataclass of settings may say four things more:

- ``one_value``: fields, with the keys by which a mapping in them is known to be one value, such as
  ``{choose: [...]}``. Such a mapping is replaced whole, unless a path leads into it.
- ``named_by``: fields, with the name in them that says what the others are options of. A mapping
  that gives it another value replaces the earlier one whole.
- ``whole_by``: fields, with the name in them that stands for a whole value, such as ``preset``. A
  mapping that gives it replaces the earlier one whole.
- ``left_behind(before, changes)``: names that go when others are given, as the options of a source
  when another source is named.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import fields
from typing import Any, TypeGuard, get_args

from hybrid_swin.errors import InputError
from hybrid_swin.system.schema import dataclass_in, hints_of


class _ByPath(dict[str, Any]):
    """A mapping that a path such as ``recipe.epochs`` made: it leads to a value, and is none."""


def nested(given: Iterable[tuple[str, Any]], settings: type) -> dict[str, Any]:
    """Values by path as mappings in each other; of what is given twice, the later wins.

    Raises:
        InputError: a path leads into a list.
    """
    tree: dict[str, Any] = _ByPath()
    for path, value in given:
        for name in reversed(path.split(".")):
            value = _ByPath({name: value})
        tree = changed(tree, value, settings)
    return tree


def changed(
    content: Mapping[str, Any], changes: Mapping[str, Any], settings: type | None = None
) -> dict[str, Any]:
    """The settings with the changes in them; neither of the two is altered.

    Args:
        content: plain values as they stand in a file.
        changes: likewise, or from `nested`.
        settings: the dataclass that both describe.

    Raises:
        InputError: a path leads into a list.
    """
    return _changed(content, changes, settings, "", frozenset())


def without_empty_texts(content: Mapping[str, Any], settings: type) -> dict[str, Any]:
    """Settings as a program wrote them, less the empty texts that stand for what is left out.

    A user who writes one means something else, and is told so.
    """
    kept = dict(content)
    hints = hints_of(settings)
    for field in fields(settings):
        value = kept.get(field.name)
        inner = dataclass_in(hints[field.name])
        each = next(filter(None, map(dataclass_in, get_args(hints[field.name]))), None)
        if value == "" and field.default == "":
            del kept[field.name]
        elif inner and _is_mapping(value):
            kept[field.name] = without_empty_texts(value, inner)
        elif each and isinstance(value, list | tuple):
            kept[field.name] = [
                without_empty_texts(v, each) if _is_mapping(v) else v for v in value
            ]
    return kept


def in_list(path: str, above: str) -> InputError:
    """What to say where a path leads into a list."""
    return InputError(
        f"{path}: an entry of a list cannot be set alone; give the whole list as {above}, or "
        "change a copy of the file"
    )


def _changed(
    content: Mapping[str, Any],
    changes: Mapping[str, Any],
    settings: type | None,
    path: str,
    keys: Set[str],
) -> dict[str, Any]:
    left_behind: Callable[..., Set[str]] = getattr(settings, "left_behind", lambda *_: set())
    gone = left_behind(content, changes)
    result = type(content)() if isinstance(content, _ByPath) else {}
    result |= {name: value for name, value in content.items() if name not in gone}
    hints = hints_of(settings) if settings else {}
    for name, change in changes.items():
        before, place = result.get(name), f"{path}{name}"
        if isinstance(before, list | tuple) and isinstance(change, _ByPath):
            raise in_list(f"{place}.{next(iter(change))}", place)
        inner = getattr(settings, "one_value", {}).get(name, keys)
        named = getattr(settings, "named_by", {}).get(name)
        whole = getattr(settings, "whole_by", {}).get(name)
        if named and _names_another(named, before, change):
            result[name] = change
        elif whole and _is_mapping(change) and whole in change and not isinstance(before, _ByPath):
            result[name] = change
        elif _is_mapping(before) and _is_mapping(change) and _merges(before, change, inner):
            result[name] = _changed(
                before, change, dataclass_in(hints.get(name)), f"{place}.", inner
            )
        else:
            result[name] = change
    return result


def _is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _names_another(name: str, before: object, change: object) -> bool:
    both = _is_mapping(before) and _is_mapping(change)
    return both and name in before and name in change and before[name] != change[name]  # type: ignore[operator,index]


def _merges(before: Mapping[str, Any], change: Mapping[str, Any], keys: Set[str]) -> bool:
    return isinstance(change, _ByPath) or not keys & (before.keys() | change.keys())
