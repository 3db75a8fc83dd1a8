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

import math
from collections.abc import Mapping
from dataclasses import fields
from random import Random
from typing import Any

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.recipe import Recipe
from hybrid_swin.variant import Variant
from search.choices import (
    RECIPE,
    Choice,
    Range,
    Suggests,
    Tie,
    is_number,
    read_leaves,
)

_TRIES = 100  # combinations after which a value counts as one that never fits


class Space:
    """The candidates of a study.

    Args:
        variant: fields of a variant; values may be choices.
        recipe: fields of a recipe; values may be choices.

    Raises:
        InputError: a choice that cannot be read, a tie to nothing or in a circle, or values of
            which not even the first ones make a network, or one that makes none with any others.
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
        self.leaves = dict(read_leaves({**variant, RECIPE: dict(recipe)}, ""))
        self.parameters = tuple(v for v in self.leaves.values() if isinstance(v, Choice | Range))
        self.resolve(self.default())
        for parameter in self.parameters:
            for label in parameter.labels[1:] if isinstance(parameter, Choice) else ():
                self._check_use(parameter.path, label)

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
            values |= read_leaves(value.value(params[path]), path) if chosen else {path: value}
        for path, value in (changes or {}).items():
            _change(values, str(path), value)
        tree = _tree({path: _follow(path, values) for path in values})
        recipe = tree.pop(RECIPE, {})
        return Variant.from_dict(tree), Recipe.from_dict(recipe)

    def _check_use(self, path: str, label: Any) -> None:
        """Refuse a choice, such as a misspelt word, that the search would silently never train."""
        draw = Random(0)  # noqa: S311  # no secret
        others, first = self.default(), None
        for _ in range(_TRIES):
            try:
                self.resolve({**others, path: label})
            except InputError as error:
                first = first or error
            else:
                return
            others = {
                p.path: draw.choice(p.labels if isinstance(p, Choice) else (p.low, p.high))
                for p in self.parameters
            }
        raise InputError(f"{path}: {label!r} makes no network with any other values: {first}")


def _follow(path: str, values: Mapping[str, Any], seen: tuple[str, ...] = ()) -> Any:
    """The value at a path, through all ties; InputError for one to nothing or in a circle."""
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
    if not is_number(value):
        raise InputError(f"{path}: {tie.source} is {value!r}, which has no multiple")
    product = value * tie.factor
    whole = math.isfinite(product) and math.isclose(product, round(product), rel_tol=1e-9)
    return round(product) if whole else product


def _change(values: dict[str, Any], path: str, value: Any) -> None:
    """Set a value, replacing what stood at the path or below it."""
    below = [p for p in values if p == path or p.startswith(f"{path}.")]
    parent = path.rpartition(".")[0]
    free = parent in ("", RECIPE) or any(p.startswith(f"{parent}.") for p in values)
    if not below and (parent in values or not free):
        raise unknown("path", path, values)
    for old in below:
        del values[old]
    for name, leaf in read_leaves(value, path):
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
