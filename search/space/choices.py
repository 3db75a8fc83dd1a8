"""What may stand in a search space where a value would: choices, ranges, and ties to others."""

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from random import Random
from typing import Any, Protocol

from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import Window
from search.space.templates import Template

RECIPE = "recipe"
_SPECIALS = ("choose", "from", "to", "step", "log", "same_as", "times")
_FORMS = "{choose: [...]}, {from:, to:, step:|log:}, {same_as: path} or {times: [path, factor]}"
_FIELDS = {f.name for owner in (Variant, Stage, Recipe) for f in fields(owner)}
_WHOLE = {  # of one number or of several
    f.name
    for owner in (Variant, Stage, Recipe)
    for f in fields(owner)
    if f.type in (int, Window, tuple[int, int])
}
_REAL = {f.name for owner in (Variant, Stage, Recipe) for f in fields(owner) if f.type is float}
_HUGE = 1e15
_MOST_VALUES = 1_000  # of one choice: each is made into a network before a study begins
_DIGITS = 12  # significant ones, of the numbers of an even grid


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

    def at(self, index: int) -> Any:
        """One of the labels."""
        return self.labels[index]

    def some(self, count: int) -> Sequence[Any]:
        """All labels: values of a choice have no order that fewer could stand for."""
        return self.labels

    def draw(self, random: Random) -> Any:
        """The label of one value; all are equally likely."""
        return random.choice(self.labels)

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
            self.step is not None or (self.log and _field(self.path) not in _REAL)
        )

    @property
    def size(self) -> int | None:
        """How many values there are; None if there is one between any two."""
        step = 1 if self.whole and self.log else self.step
        return None if step is None else int((self.high - self.low) / step + 1e-9) + 1

    def at(self, index: int) -> float:
        """One of the numbers, with the dust of float arithmetic, but not beyond the end."""
        return min(self.low + index * (self.step or 1), self.high)

    def some(self, count: int) -> Sequence[Any]:
        """At most ``count`` values, evenly spread: all of them, or both ends and some between."""
        if self.size is None:
            return (self.low, self.high)
        last = min(count, self.size) - 1
        return [self._at(round(i * (self.size - 1) / last)) for i in range(last + 1)]

    def draw(self, random: Random) -> Any:
        """One number; all are equally likely, on the scale where there are uncountably many."""
        if self.size is not None:
            return self._at(random.randrange(self.size))
        if self.log:
            return math.exp(random.uniform(math.log(self.low), math.log(self.high)))
        return random.uniform(self.low, self.high)

    def _at(self, index: int) -> float:
        """The same without the dust: 0.3, not 0.1 + 0.2."""
        number = self.at(index)
        return number if isinstance(number, int) else float(f"{number:.{_DIGITS}g}")

    def suggest(self, trial: Suggests) -> Any:
        """One number."""
        if self.whole:
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return trial.suggest_int(self.path, low, high, step=step, log=self.log)
        return trial.suggest_float(self.path, self.low, self.high, step=self.step, log=self.log)

    def value(self, label: Any) -> Any:
        """The number itself; of an even grid as it is written, whichever sampler computed it."""
        if self.step is None or self.whole:
            return label
        return self._at(round((label - self.low) / self.step))


def combinations_of(parameters: Iterable[Choice | Range]) -> int | None:
    """How many there are of all values; None if one has a value between any two."""
    sizes = [parameter.size for parameter in parameters]
    return None if None in sizes else math.prod(size for size in sizes if size is not None)


@dataclass(frozen=True)
class Tie:
    """A value that follows another: ``factor`` times the value at ``source``."""

    source: str
    factor: float = 1


def read_leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value of a nested setting by its path; choices, ties and plain lists are values.

    A word with gaps is a value too, and what fills them are values below it.
    """
    word = isinstance(node, Mapping) and "word" in node
    if isinstance(node, Mapping) and not word and any(special in node for special in _SPECIALS):
        yield path, _special(node, path)
    elif isinstance(node, Mapping) and (node or path in ("", RECIPE)):
        _check_specials(node, path, word)
        if word:
            yield path, Template(path, node["word"])
        for key, item in node.items():
            if "." in str(key):
                raise InputError(f"{path or 'variant'}: {key!r} is not a name; nest it instead")
            if not (word and key == "word"):
                yield from read_leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list | tuple) and any(
        isinstance(i, Mapping | list | tuple) for i in node
    ):
        for index, item in enumerate(node):
            yield from read_leaves(item, f"{path}.{index}")
    else:
        yield path, _frozen(node)


def _check_specials(node: Mapping[str, Any], path: str, word: bool) -> None:
    """Raise InputError for a choice whose word is misspelt, as in {choice: [1, 2]}."""
    if word:
        return
    of_value = not (_FIELDS - {"stages"}).isdisjoint(path.split("."))  # nothing stands below one
    for key in node:
        words = (*_SPECIALS, "word") if of_value else _SPECIALS
        meant = difflib.get_close_matches(str(key), words, 1, 0.6 if of_value else 0.75)
        if of_value or (meant and key not in _FIELDS):
            hint = f"; did you mean {meant[0]!r}?" if meant else ""
            raise InputError(
                f"{path or 'variant'}: {key!r} is not a choice{hint} (write a value, {_FORMS})"
            )


def _special(node: Mapping[str, Any], path: str) -> Choice | Range | Tie:
    keys = set(node)
    if keys == {"choose"}:
        return _choice(node["choose"], path)
    if keys == {"same_as"}:
        return Tie(str(node["same_as"]))
    if keys == {"times"}:
        pair = node["times"]
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not is_number(pair[1]):
            raise InputError(
                f"{path}: times takes [path, factor], for example [stages.0.width, 2]; got {pair!r}"
            )
        return Tie(str(pair[0]), pair[1])
    if {"from", "to"} <= keys <= {"from", "to", "step", "log"}:
        return _range(node, path)
    raise InputError(f"{path}: {dict(node)!r} is not a choice; write {_FORMS}")


def _choice(values: Any, path: str) -> Choice:
    if not isinstance(values, list | tuple) or not values:
        raise InputError(f"{path}: choose takes a list of at least one value; got {values!r}")
    if len(values) > _MOST_VALUES:
        raise InputError(
            f"{path}: choose lists {len(values):,} values; give at most {_MOST_VALUES:,}, or a "
            "range of numbers, {from:, to:, step:}"
        )
    for value in values:
        if any(isinstance(leaf, Choice | Range) for _, leaf in read_leaves(value, path)):
            raise InputError(f"{path}: {value!r} is a choice within a choice; list all its values")
    choice = Choice(path, tuple(_frozen(v) for v in values))
    seen: set[Any] = set()
    for label in choice.labels:
        if label in seen:
            raise InputError(f"{path}: {quote(label)} is among the choices twice")
        seen.add(label)
    return choice


def _range(node: Mapping[str, Any], path: str) -> Range:
    low, high, step, log = node["from"], node["to"], node.get("step"), node.get("log", False)
    if not (is_number(low) and is_number(high)) or not low < high:
        raise InputError(f"{path}: from {low!r} to {high!r} is not a range of numbers")
    if step is not None and (not is_number(step) or step <= 0 or log):
        raise InputError(f"{path}: step must be a number above 0, and not beside log; got {step!r}")
    if log is not False and (log is not True or low <= 0):
        raise InputError(f"{path}: log is true or false, and needs from above 0; got {log!r}")
    steps = 0.0 if step is None else (high - low) / step
    if not math.isfinite(steps) or not math.isclose(steps, round(steps), abs_tol=1e-6):
        raise InputError(
            f"{path}: steps of {step!r} from {low!r} do not end at {high!r}; "
            "choose a step that divides the distance"
        )
    span = Range(path, low, high, step, log)
    if _field(path) in _WHOLE and not span.whole:
        raise InputError(
            f"{path} is a whole number, but from {low!r} to {high!r} holds others; "
            "give whole numbers and step: 1"
        )
    return span


def _field(path: str) -> str:
    """The field's name, also of one number of several, such as ``window_size.0``."""
    return next((part for part in reversed(path.split(".")) if not part.isdecimal()), "")


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list | tuple) else value


def _label(value: Any) -> Any:
    if isinstance(value, tuple) and all(isinstance(v, str) for v in value):
        return " ".join(value) or "none"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value, default=str)


def is_number(value: Any) -> bool:
    """Whether a value is a number that arithmetic can be done with; NaN is not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _HUGE
