"""The parameters with which a space makes a network that is given: the way back from `resolve`."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.recipe import Recipe, with_defaults
from hybrid_swin.spec.variant import Variant
from search.space.choices import RECIPE, Choice, Range, Tie, is_number, read_leaves
from search.space.space import Space
from search.space.templates import Template

OF_THE_DATA = ("image_size", "in_channels", "num_classes")  # of a network, whatever it is made of
_BLOCKS = re.compile(r"stages\.(\d+)\.blocks(?:\.(\d+))?")
_MOST_WORDS = 10_000  # of one template
_NAMED = 4  # values in a message
_CLOSE = 1e-9

Params = dict[str, Any]


class NotInSpaceError(InputError):
    """A candidate that a space does not hold; the message says which value."""


def place_network(space: Space, variant: Variant, recipe: Recipe | None) -> Params:
    """The parameters that make this network and, if it is given, this recipe.

    Where the recipe is not given, its parameters take their first values. Values that the space
    fixes are not looked at: whoever builds the candidate sees whether it is the same. Raises
    NotInSpaceError for a value that is not among a parameter's.
    """
    target = _Target(variant, recipe)
    params = space.default()
    words = {p: leaf for p, leaf in space.leaves.items() if isinstance(leaf, Template)}
    for parameter in space.parameters:
        path = parameter.path
        if any(path.startswith(f"{word}.") for word in words):
            continue
        if recipe is None and (path == RECIPE or path.startswith(f"{RECIPE}.")):
            continue
        params[path] = _value_in(parameter, target)
    for path in words:
        inside = [p for p in space.parameters if p.path.startswith(f"{path}.")]
        params |= _filled(space, path, inside, params, target)
    return params


def place_values(space: Space, values: Mapping[str, Any]) -> Params:
    """The parameters of values by path, as Optuna and a leaderboard have them.

    Values of other paths are not looked at. Raises NotInSpaceError for a parameter without a value,
    or a value that is not among its own.
    """
    params = {}
    for parameter in space.parameters:
        path = parameter.path
        if path not in values:
            raise NotInSpaceError(f"it has no value for {path}")
        params[path] = _label(parameter, values[path])
    return params


def same_value(given: Any, value: Any) -> bool:
    """Whether what is given, which may be text from a table, is this value."""
    number = _number(given)
    if number is not None and is_number(value):
        return math.isclose(number, value, rel_tol=_CLOSE)
    return _same(given, value) or _text(given) == _text(value)


class _Target:
    """A network and its recipe, whose values are asked for by path."""

    def __init__(self, variant: Variant, recipe: Recipe | None) -> None:
        self._variant = variant
        self._tree = {
            **variant.to_dict(),
            RECIPE: with_defaults(recipe.to_dict()) if recipe else {},
        }

    def at(self, path: str) -> Any:
        """The value at a path; None if there is none."""
        value: Any = self._tree
        for name in path.split("."):
            if isinstance(value, Mapping):
                value = value.get(name)
            elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
                value = value[int(name)]
            else:
                return None
        return value

    def has(self, path: str, value: Any) -> bool:
        """Whether this value stands at a path; words that make the same blocks are the same."""
        match = _BLOCKS.fullmatch(path)
        if match is None:
            return _same(self.at(path), value)
        stages = self._variant.stages
        if int(match[1]) >= len(stages):
            return False
        stage = stages[int(match[1])]
        words = [value] if isinstance(value, str) else value
        own = list(stage.words()) if match[2] is None else [self.at(path)]
        if not isinstance(words, list | tuple) or not words or None in own:
            return False
        cycled = itertools.islice(itertools.cycle(words), len(own))
        return all(_canonical(a) == _canonical(b) for a, b in zip(own, cycled, strict=True))


def _value_in(parameter: Choice | Range, target: _Target) -> Any:
    """Which value of a parameter the target has."""
    path = parameter.path
    if isinstance(parameter, Range):
        return _label(parameter, target.at(path))
    for label in parameter.labels:
        leaves = read_leaves(parameter.value(label), path)
        if all(isinstance(leaf, Tie) or target.has(inside, leaf) for inside, leaf in leaves):
            return label
    raise _not_in(parameter, target.at(path))


def _filled(
    space: Space, path: str, inside: Sequence[Choice | Range], params: Params, target: _Target
) -> Params:
    """What fills the gaps of a word so that it is the target's."""
    every = [[*p.some(_MOST_WORDS)] for p in inside]
    for values in itertools.islice(itertools.product(*every), _MOST_WORDS):
        filled = dict(zip((p.path for p in inside), values, strict=True))
        with suppress(InputError):  # these make no word
            if target.has(path, space.value_at(path, params | filled)):
                return filled
    raise NotInSpaceError(f"{path} {quote(target.at(path))} is not a word that the space makes")


def _label(parameter: Choice | Range, value: Any) -> Any:
    """The parameter's own spelling of a value, which may be text from a table."""
    if isinstance(parameter, Choice):
        for label in parameter.labels:
            if label == value or (isinstance(value, str) and _text(label) == value.strip()):
                return label
        raise _not_in(parameter, value)
    number = _number(value)
    if number is None or not parameter.low <= number <= parameter.high:
        raise _not_in(parameter, value)
    if parameter.size is None:
        return float(number)
    for place in _near(parameter, number):
        if math.isclose(parameter.at(place), number, rel_tol=_CLOSE, abs_tol=_CLOSE):
            return parameter.at(place)
    raise _not_in(parameter, value)


def _near(parameter: Range, number: float) -> Iterator[int]:
    """Places on the grid around a number."""
    place = round((number - parameter.low) / (parameter.step or 1))
    return (p for p in (place, place - 1, place + 1) if 0 <= p < (parameter.size or 0))


def _not_in(parameter: Choice | Range, value: Any) -> NotInSpaceError:
    if isinstance(parameter, Range):
        allowed = f"from {parameter.low:g} to {parameter.high:g}"
        allowed += f" in steps of {parameter.step:g}" if parameter.step else ""
    else:
        labels = [_text(label) for label in parameter.labels]
        more = f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else ""
        allowed = ", ".join(labels[:_NAMED]) + more
    return NotInSpaceError(f"{parameter.path} {_text(value)[:60]} is not in the space ({allowed})")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return " ".join(map(_text, value)) or "none"
    return "" if value is None else str(value)


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return value if is_number(value) else None


def _same(one: Any, other: Any) -> bool:
    if is_number(one) and is_number(other):
        return math.isclose(one, other, rel_tol=_CLOSE)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _canonical(word: Any) -> Any:
    try:
        return parse(word).canonical()
    except InputError:
        return word
