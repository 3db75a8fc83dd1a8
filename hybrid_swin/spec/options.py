"""Options of parts: what may be given, how it is typed, how it is spelt in a word."""

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from hybrid_swin.errors import InputError, did_you_mean
from hybrid_swin.spec.window_rules import spell_size, window_of

_MOST_WHOLE, _MOST_NUMBER = 2**32, 1e12  # beyond any size, count, seed or share: a slip
_SIZE = re.compile(r"([1-9][0-9]{0,8})(?:x([1-9][0-9]{0,8}))?")
RANGE_WORDS = "two numbers, the lower one first, such as [0, 4095]"
_END = r"([0-9]*\.?[0-9]+(?:e-?[0-9]+)?)"
# Python's own also reads 1_1, 07 and +7, which YAML reads otherwise or not at all.
_NUMBERS = {
    int: re.compile(r"-?(0|[1-9][0-9]*)"),
    float: re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(e[-+]?[0-9]+)?", re.IGNORECASE),
}
_RANGE = re.compile(f"{_END}-{_END}")  # 0.08-1, 1e-05-1


class Sides(NamedTuple):
    """A size in tokens, which words spell ``7`` or ``7x9``: what options of this type are."""

    height: int
    width: int


OptionValue = bool | int | float | str | tuple[float, float]
Limits = Mapping[str, tuple[float, float]]  # the least and largest value, by option


@dataclass(frozen=True)
class Option:
    """One option of a part: its type or its allowed values, and its default."""

    name: str
    type: type | None
    choices: tuple[OptionValue, ...] = ()
    default: Any = None
    required: bool = False

    @property
    def allowed(self) -> str:
        """What may stand here, in words."""
        if self.choices:
            return "one of " + ", ".join(spell(c) for c in self.choices)
        if self.type is tuple:
            return f"{RANGE_WORDS}, or 0-4095 in a word"
        if self.type is Sides:
            return "a whole number of tokens, or height x width, such as 7x9"
        words = {
            bool: "true or false",
            int: f"a whole number of at most {_MOST_WHOLE:,}",
            float: f"a number of at most {_MOST_NUMBER:g}",
        }
        return words.get(self.type or object, "text")

    @property
    def numbers(self) -> str:
        """What has limits here, in words."""
        return {int: "a whole number", tuple: "two numbers"}.get(self.type or object, "a number")

    def read(self, text: str) -> Any:
        """What a word's text stands for: text where text is wanted, else a number or a truth."""
        if self.type in (str, Sides):
            return text
        for choice in self.choices:
            if spell(choice) == text:
                return choice
        if text in ("true", "false"):
            return text == "true"
        if self.type is tuple and (both := _RANGE.fullmatch(text)):
            return float(both[1]), float(both[2])
        for number, form in _NUMBERS.items():
            if form.fullmatch(text):
                with suppress(ValueError):  # of thousands of digits, which float takes for infinite
                    return number(text)
        return text

    def check(self, value: Any, where: str) -> Any:
        """The value as this option's type, or an InputError that says what is allowed."""
        if value is None and self.default is None and not self.required:
            return None  # as if it were left out
        fits = False
        if self.choices:
            for choice in self.choices:
                if value == choice and _is_bool(value) == _is_bool(choice):
                    return choice  # so that 7.0 is 7, in identities as in networks
        elif self.type is float:
            fits = isinstance(value, int | float) and not _is_bool(value) and _is_finite(value)
            fits = fits and abs(value) <= _MOST_NUMBER
            value = float(value) if fits else value
        elif self.type is int:
            fits = isinstance(value, int) and not _is_bool(value) and abs(value) <= _MOST_WHOLE
        elif self.type is tuple:
            fits = as_range(value) is not None
            value = list(value) if fits else value
        elif self.type is Sides:
            sides = as_sides(value)
            fits, value = sides is not None, sides or value
        elif self.type is str:
            # YAML has types where text is meant: a folder named 2024 is a number to it.
            fits = value is not None and not isinstance(value, list | dict)
            value = spell(value) if fits else value
        else:
            fits = self.type is None or isinstance(value, self.type)
        if not fits:
            raise InputError(
                f"{where}: option {self.name}={spell(value)} is not possible; give {self.allowed}"
                + did_you_mean(value, (c for c in self.choices if isinstance(c, str)))
            )
        return value


def as_range(value: Any) -> tuple[float, float] | None:
    """Two finite numbers, the lower one first or both equal; None for anything else."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    if not all(isinstance(x, int | float) and not _is_bool(x) and _is_finite(x) for x in value):
        return None
    low, high = float(value[0]), float(value[1])
    return (low, high) if low <= high and math.isfinite(high - low) else None


def as_sides(value: Any) -> Sides | None:
    """A size of ``7``, ``"7x9"`` or ``[7, 9]`` as height and width; None for anything else."""
    if isinstance(value, list | tuple) and len(value) == 2 and not any(map(_is_bool, value)):
        value = "x".join(map(str, value))
    read = None if _is_bool(value) else _SIZE.fullmatch(str(value))
    return Sides(int(read[1]), int(read[2] or read[1])) if read else None


def spell(value: Any) -> str:
    """A value as it stands in a word: true and false as in YAML, 0.08-1, or 7x9 of sides."""
    if isinstance(value, Sides):
        return spell_size(window_of(value))
    if isinstance(value, tuple):
        ends = (int(x) if isinstance(x, float) and x.is_integer() else x for x in value)
        return "-".join(map(str, ends))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False
