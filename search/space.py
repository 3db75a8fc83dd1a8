"""A search space: a variant and a recipe with choices where values would stand.

::

    width: {choose: [32, 48, 64]}                one of these
    mlp_ratio: {from: 2, to: 4, step: 1}         an even grid; without step, any number between
    learning_rate: {from: 1e-4, to: 1e-2, log: true}
    num_heads: {times: [stages.0.width, 0.125]}  tied to another value
    depth: {same_as: stages.0.depth}

A choice is an Optuna parameter named by its full path (``stages.0.width``,
``recipe.learning_rate``); the space is flat, so that samplers see every parameter in every trial.
A list of plain values, such as ``blocks: [w_msa, sw_msa]``, is one value with one path.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Protocol

from hybrid_swin.block_words import parse
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.recipe import Recipe
from hybrid_swin.variant import Stage, Variant

RECIPE = "recipe"
_WORDS = ("choose", "from", "to", "step", "log", "same_as", "times")
_WHOLE = {f.name for owner in (Variant, Stage, Recipe) for f in fields(owner) if f.type is int}


class Suggests(Protocol):
    """What a space needs of Optuna's trial."""

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any: ...  # noqa: D102
    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int: ...  # noqa: D102
    def suggest_float(  # noqa: D102
        self, name: str, low: float, high: float, *, step: float | None, log: bool
    ) -> float: ...


@dataclass(frozen=True)
class Choice:
    """One of several values. Optuna sees the labels, which are what dashboards show."""

    path: str
    values: tuple[Any, ...]

    @cached_property
    def labels(self) -> list[Any]:
        """A value itself where Optuna can hold it, else its spelling."""
        return [_label(value) for value in self.values]

    @property
    def default(self) -> Any:
        """The label of the first value."""
        return self.labels[0]

    @property
    def size(self) -> int | None:
        """How many values there are."""
        return len(self.values)

    def suggest(self, trial: Suggests) -> Any:
        """The label of one value."""
        return trial.suggest_categorical(self.path, self.labels)

    def value(self, label: Any) -> Any:
        """The value behind a label."""
        return self.values[self.labels.index(label)]


@dataclass(frozen=True)
class Range:
    """A number between two, on a grid, a logarithmic scale or anywhere."""

    path: str
    low: float
    high: float
    step: float | None
    log: bool

    @property
    def default(self) -> Any:
        """The lower end."""
        return self.low

    @property
    def whole(self) -> bool:
        """Whether only whole numbers occur."""
        return all(isinstance(v, int) for v in (self.low, self.high, self.step or 1)) and (
            self.step is not None or self.log
        )

    @property
    def size(self) -> int | None:
        """How many values there are; None where they are not counted."""
        return None if self.step is None else int((self.high - self.low) / self.step + 1e-9) + 1

    def suggest(self, trial: Suggests) -> Any:
        """One number."""
        if self.whole:
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return trial.suggest_int(self.path, low, high, step=step, log=self.log)
        return trial.suggest_float(self.path, self.low, self.high, step=self.step, log=self.log)

    def value(self, label: Any) -> Any:
        """The number itself."""
        return label


@dataclass(frozen=True)
class Tie:
    """A value that follows another: ``factor`` times the value at ``source``."""

    source: str
    factor: float = 1


class Space:
    """The candidates of a study.

    Args:
        variant: fields of a variant; values may be choices.
        recipe: fields of a recipe; values may be choices.

    Raises:
        InputError: a choice that cannot be read, a tie to nothing or in a circle, or values of
            which not even the first ones make a network.
    """

    def __init__(self, variant: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
        for given, owner, kind in (
            (variant, Variant, "field of a variant"),
            (recipe, Recipe, "recipe setting"),
        ):
            known = [f.name for f in fields(owner)]
            for name in given:
                if name not in known:
                    raise unknown(kind, name, known)
        self.leaves = dict(_leaves({**variant, RECIPE: dict(recipe)}, ""))
        self.parameters = tuple(v for v in self.leaves.values() if isinstance(v, Choice | Range))
        for parameter in self.parameters:
            _check_parameter(parameter)
        self.resolve(self.default())

    @property
    def size(self) -> int | None:
        """How many combinations there are, or None where they are not counted."""
        sizes = [p.size for p in self.parameters]
        return None if None in sizes else math.prod(s for s in sizes if s is not None)

    def default(self) -> dict[str, Any]:
        """The first value of every choice, as Optuna parameters."""
        return {p.path: p.default for p in self.parameters}

    def suggest(self, trial: Suggests) -> dict[str, Any]:
        """Draw every parameter from a trial."""
        return {p.path: p.suggest(trial) for p in self.parameters}

    def resolve(
        self, params: Mapping[str, Any], changes: Mapping[str, Any] | None = None
    ) -> tuple[Variant, Recipe]:
        """The candidate of these parameters, with some values (by path) set to others.

        Raises:
            InputError: the values make no network, or a changed path does not exist.
        """
        values: dict[str, Any] = {}
        for path, value in self.leaves.items():
            chosen = isinstance(value, Choice | Range)
            values |= _leaves(value.value(params[path]), path) if chosen else {path: value}
        for path, value in (changes or {}).items():
            _change(values, str(path), value)
        tree = _tree({path: _follow(path, values) for path in values})
        recipe = tree.pop(RECIPE, {})
        return Variant.from_dict(tree), Recipe.from_dict(recipe)


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value of a nested setting by its path; choices, ties and plain lists are values."""
    if isinstance(node, Mapping) and any(word in node for word in _WORDS):
        yield path, _special(node, path)
    elif isinstance(node, Mapping) and (node or path in ("", RECIPE)):
        for key, item in node.items():
            if "." in str(key):
                raise InputError(f"{path or 'variant'}: {key!r} is no name; nest it instead")
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list | tuple) and any(
        isinstance(i, Mapping | list | tuple) for i in node
    ):
        for index, item in enumerate(node):
            yield from _leaves(item, f"{path}.{index}")
    else:
        yield path, _frozen(node)


def _follow(path: str, values: Mapping[str, Any], seen: tuple[str, ...] = ()) -> Any:
    """The value at a path, through all ties. Raises InputError for one to nothing or in a circle."""
    if path not in values:
        raise InputError(f"{(*seen, path)[-2]}: {unknown('value', path, values)}")
    if path in seen:
        raise InputError(f"{path} is tied to itself: {' -> '.join([*seen, path])}")
    tie = values[path]
    if not isinstance(tie, Tie):
        return tie
    value = _follow(tie.source, values, (*seen, path))
    if tie.factor == 1:
        return value
    if not _is_number(value):
        raise InputError(f"{path}: {tie.source} is {value!r}, which has no multiple")
    product = value * tie.factor
    whole = math.isfinite(product) and math.isclose(product, round(product), rel_tol=1e-9)
    return round(product) if whole else product


def _special(node: Mapping[str, Any], path: str) -> Choice | Range | Tie:
    keys = set(node)
    if keys == {"choose"}:
        return _choice(node["choose"], path)
    if keys == {"same_as"}:
        return Tie(str(node["same_as"]))
    if keys == {"times"}:
        pair = node["times"]
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not _is_number(pair[1]):
            raise InputError(
                f"{path}: times takes [path, factor], for example [stages.0.width, 2]; got {pair!r}"
            )
        return Tie(str(pair[0]), pair[1])
    if {"from", "to"} <= keys <= {"from", "to", "step", "log"}:
        return _range(node, path)
    raise InputError(
        f"{path}: {dict(node)!r} is no choice; write {{choose: [...]}}, "
        "{from:, to:, step:|log:}, {same_as: path} or {times: [path, factor]}"
    )


def _choice(values: Any, path: str) -> Choice:
    if not isinstance(values, list | tuple) or not values:
        raise InputError(f"{path}: choose takes a list of at least one value; got {values!r}")
    for value in values:
        if any(isinstance(leaf, Choice | Range) for _, leaf in _leaves(value, path)):
            raise InputError(f"{path}: {value!r} is a choice within a choice; list all its values")
    choice = Choice(path, tuple(_frozen(v) for v in values))
    twice = [v for i, v in enumerate(choice.labels) if v in choice.labels[:i]]
    if twice:
        raise InputError(f"{path}: {twice[0]!r} is among the choices twice")
    return choice


def _range(node: Mapping[str, Any], path: str) -> Range:
    low, high, step, log = node["from"], node["to"], node.get("step"), node.get("log", False)
    if not (_is_number(low) and _is_number(high)) or not low < high:
        raise InputError(f"{path}: from {low!r} to {high!r} is no range of numbers")
    if step is not None and (not _is_number(step) or step <= 0 or log):
        raise InputError(f"{path}: step must be a number above 0, and not beside log; got {step!r}")
    if log is not False and (log is not True or low <= 0):
        raise InputError(f"{path}: log is true or false, and needs from above 0; got {log!r}")
    if step is not None:
        steps = (high - low) / step
        if not math.isclose(steps, round(steps), abs_tol=1e-6):
            raise InputError(
                f"{path}: steps of {step!r} from {low!r} do not end at {high!r}; "
                f"give to: {low + math.floor(steps) * step!r}"
            )
    return Range(path, low, high, step, log)


def _check_parameter(parameter: Choice | Range) -> None:
    """Refuse what no draw could ever use: it would be refused again and again, and never said."""
    names = [name for name in parameter.path.split(".") if not name.isdecimal()]
    if isinstance(parameter, Range):
        if names[-1] in _WHOLE and not parameter.whole:
            raise InputError(
                f"{parameter.path} is a whole number, but from {parameter.low!r} to "
                f"{parameter.high!r} holds others; give whole numbers and step: 1"
            )
    elif names[-1] == "blocks":
        for value in parameter.values:
            for word in value if isinstance(value, tuple) else (value,):
                try:
                    parse(word)
                except InputError as error:
                    raise InputError(f"{parameter.path}: {error}") from None


def _change(values: dict[str, Any], path: str, value: Any) -> None:
    """Set a value, replacing what stood at the path or below it."""
    below = [p for p in values if p == path or p.startswith(f"{path}.")]
    parent = path.rpartition(".")[0]
    known = below or parent in ("", RECIPE) or any(p.startswith(f"{parent}.") for p in values)
    if not known:
        raise unknown("path", path, values)
    for old in below:
        del values[old]
    for name, leaf in _leaves(value, path):
        if isinstance(leaf, Choice | Range):
            raise InputError(f"{name}: {value!r} is a choice; give one value")
        values[name] = leaf


def _tree(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts and lists from values by path."""
    root: dict[str, Any] = {}
    for path, value in leaves.items():
        node = root
        *parents, last = path.split(".")
        for name in parents:
            node = node.setdefault(name, {})
        node[last] = list(value) if isinstance(value, tuple) else value
    return {name: _lists(node) for name, node in root.items()}


def _lists(node: Any) -> Any:
    """Dicts whose keys are 0, 1, 2, ... become lists."""
    if not isinstance(node, dict):
        return node
    items = {key: _lists(value) for key, value in node.items()}
    if items and all(str(key).isdecimal() for key in items):
        return [items[key] for key in sorted(items, key=int)]
    return items


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list | tuple) else value


def _label(value: Any) -> Any:
    if isinstance(value, tuple) and all(isinstance(v, str) for v in value):
        return " ".join(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value, default=str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
