"""A search space: a variant and a recipe with choices where values would stand.

::

    width: {choose: [32, 48, 64]}                one of these
    mlp_ratio: {from: 2, to: 4, step: 1}         an even grid; without step, any number between
    learning_rate: {from: 1e-4, to: 1e-2, log: true}
    num_heads: {times: [stages.0.width, 0.125]}  tied to another value
    blocks: {same_as: stages.0.blocks}           so one choice serves several stages
    blocks: [{choose: [w_msa, mdta]}, conv]      a choice for one block
    blocks: [{word: "{mixer}:{fusion}", mixer: {choose: [w_msa, w_msa+mdta]}, fusion: gate}]

A choice is an Optuna parameter named by its full path (``stages.0.width``,
``recipe.learning_rate``); the space is flat, so that samplers see every parameter in every trial.
A list of plain values, such as ``blocks: [w_msa, sw_msa]``, is one value with one path; the gaps
of a word (see ``templates``) have paths below it, ``stages.0.blocks.0.mixer``.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_presets import PRESET
from hybrid_swin.spec.variant import Variant, check_num_stages
from search.records.identity import candidate_id
from search.settings.preset_levels import PRESET_PATH, check_something_left
from search.space.checks import check_values, settings_of
from search.space.choices import (
    RECIPE,
    Choice,
    Range,
    Suggests,
    Tie,
    combinations_of,
    is_number,
    read_leaves,
)
from search.space.templates import Template

_RECIPE_NAMES = {f.name for f in fields(Recipe)} - {f.name for f in fields(Variant)} | {PRESET}


class Space:
    """The candidates of a study.

    Args:
        variant: fields of a variant; values may be choices.
        recipe: fields of a recipe; values may be choices.

    Raises:
        InputError: a choice that cannot be read, a tie to nothing or in a circle, values of which
            not even the first ones make a network, one that makes none with any others, or two
            that always make the same candidate.
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
        check_num_stages(variant.get("stages"))
        self.leaves = dict(read_leaves({**variant, RECIPE: dict(recipe)}, ""))
        self.parameters = tuple(v for v in self.leaves.values() if isinstance(v, Choice | Range))
        try:
            self.resolve(self.default())
        except InputError as error:
            raise self._explained(error) from None
        check_values(self.parameters, self.default(), self.identify)

    @property
    def size(self) -> int | None:
        """How many combinations there are, or None if they are not counted."""
        return combinations_of(self.parameters)

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

        Raises InputError if the values make no network, or a changed path does not exist.
        """
        values = self._values(params)
        for path, value in (changes or {}).items():
            _change(values, str(path), value)
        if PRESET_PATH in values:
            recipe = (path.split(".")[1] for path in values if path.startswith(f"{RECIPE}."))
            check_something_left(values[PRESET_PATH], recipe)
        words = tuple(f"{path}." for path, leaf in values.items() if isinstance(leaf, Template))
        tree = _tree({p: _follow(p, values) for p in values if not p.startswith(words)})
        recipe = tree.pop(RECIPE, {})
        return Variant.from_dict(tree), Recipe.from_dict(recipe)

    def value_at(self, path: str, params: Mapping[str, Any]) -> Any:
        """What stands at a path with these parameters, ties followed and words filled.

        Raises InputError for a path that does not exist, or a word that cannot be.
        """
        return _follow(path, self._values(params))

    def largest(self, path: str) -> float | None:
        """The largest number that may stand at a path; None if nothing or no number does."""
        leaf = self.leaves.get(path)
        if isinstance(leaf, Tie):
            source = self.largest(leaf.source)
            return None if source is None else leaf.factor * source
        values = leaf.values if isinstance(leaf, Choice) else (leaf,)
        if isinstance(leaf, Range):
            values = (leaf.high,)
        return max((float(v) for v in values if is_number(v)), default=None)

    def identify(self, params: Mapping[str, Any]) -> str:
        """The candidate's identity. Raises InputError where the values make no network."""
        return candidate_id(*self.resolve(params))

    def _values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What stands at every path with these parameters; ties and words are yet to be filled."""
        values: dict[str, Any] = {}
        for path, value in self.leaves.items():
            chosen = isinstance(value, Choice | Range)
            values |= read_leaves(value.value(params[path]), path) if chosen else {path: value}
        return values

    def _explained(self, error: InputError) -> InputError:
        """Why the first values make no network: a word or a value never does, or these together."""
        others = list(settings_of(self.parameters, self.default()))
        if any(_holds(self.resolve, other) for other in others):
            check_values(self.parameters, self.default(), self.identify)
            return InputError(f"{error}; put values first that make a network together")
        for path, leaf in self.leaves.items():
            if isinstance(leaf, Template) and not path.startswith(f"{RECIPE}."):
                words = [_follow(path, self._values(other)) for other in others]
                if not any(_holds(parse, word) for word in words):
                    return InputError(f"{path}: {leaf.text!r} never makes a block word: {error}")
        return error


def _holds(make: Callable[[Any], object], given: Any) -> bool:
    try:
        make(given)
    except InputError:
        return False
    return True


def _follow(path: str, values: Mapping[str, Any], seen: tuple[str, ...] = ()) -> Any:
    """The value at a path, through all ties; InputError for one to nothing or in a circle."""
    if path in seen:
        raise InputError(f"{path} is tied to itself: {' -> '.join([*seen, path])}")
    tie = values.get(path)
    if isinstance(tie, Template) or path not in values:
        below = _below(path, values)
        inner = {p.removeprefix(f"{path}."): _follow(p, values, (*seen, path)) for p in below}
        if isinstance(tie, Template):
            return tie.fill(_tree(inner))
        if not below:
            raise InputError(f"{(*seen, path)[-2]}: {unknown('value', path, values)}")
        return _lists(_tree(inner))
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


def _below(path: str, values: Mapping[str, Any]) -> list[str]:
    """Paths of the values below one; what fills a word there is the word's own."""
    inside = [p for p in values if p.startswith(f"{path}.")]
    words = tuple(f"{p}." for p in inside if isinstance(values[p], Template))
    return [p for p in inside if not p.startswith(words)]


def _change(values: dict[str, Any], path: str, value: Any) -> None:
    """Set a value, replacing what stood at the path or below it."""
    below = [p for p in values if p == path or p.startswith(f"{path}.")]
    parent = path.rpartition(".")[0]
    if path in _RECIPE_NAMES and path not in values:
        meant = f"; did you mean {f'{RECIPE}.{path}'!r}?"
        raise unknown("field of a variant", path, (f.name for f in fields(Variant)), meant)
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
