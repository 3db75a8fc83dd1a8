"""Values of settings as users write them: read, or refused with what is allowed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, get_type_hints

from hybrid_swin.errors import InputError, did_you_mean, quote, unknown
from hybrid_swin.errors.plain_text import harmless
from hybrid_swin.spec.window_rules import Window, window_of

_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Range:
    """Numbers from ``least`` to ``most``; an end that is open is refused itself."""

    least: float
    most: float
    whole: bool = False
    open_below: bool = False
    open_above: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number is among them; NaN is not."""
        above = value > self.least if self.open_below else value >= self.least
        return above and (value < self.most if self.open_above else value <= self.most)

    @property
    def words(self) -> str:
        """The range in words."""
        kind = "a whole number" if self.whole else "a number"
        start = f"above {self.least:g}" if self.open_below else f"of at least {self.least:g}"
        end = f"below {self.most:g}" if self.open_above else f"at most {_spelt(self.most)}"
        return f"{kind} {start} and {end}"

    def read(self, name: str, value: Any) -> float | int:
        """A value as a number of this range; text is taken where it spells one, as in 1e-3.

        Raises InputError if it is not such a number.
        """
        number = value
        if isinstance(number, str) and len(number) < 100 and _NUMBER.fullmatch(number):
            number = float(number)
        fits = isinstance(number, int | float) and not isinstance(number, bool)
        if not fits or not self.holds(number) or (self.whole and number != int(number)):
            raise InputError(f"{name} must be {self.words}; got {value!r}")
        return int(number) if self.whole else float(number)


SHARE = Range(0, 1, open_above=True)
"""Rates of dropout and of stochastic depth: all of it would keep nothing."""


def check_ranges(values: Mapping[str, tuple[float, Range]]) -> None:
    """Raise InputError for the first setting (its value, its range) that is out of range."""
    for name, (value, allowed) in values.items():
        if not allowed.holds(value):
            beyond = "at most" if value > allowed.least else "at least"
            end = allowed.most if beyond == "at most" else allowed.least
            word = "above" if beyond == "at least" and allowed.open_below else beyond
            raise InputError(f"{name} must be {word} {_spelt(end)}; got {value}")


def check_numbers(settings: Any, path: str = "") -> None:
    """Raise InputError for the first number that is not in the range that its type names.

    ``threads: Annotated[int, Range(1, 64)]`` names one. Fields that are dataclasses are looked
    into; words, such as auto, are not judged.
    """
    hints = get_type_hints(type(settings), include_extras=True)
    for field in fields(settings):
        value, place = getattr(settings, field.name), f"{path}{field.name}"
        if is_dataclass(value):
            check_numbers(value, f"{place}.")
        for allowed in getattr(hints[field.name], "__metadata__", ()):
            if isinstance(value, int | float) and isinstance(allowed, Range):
                check_ranges({place: (value, allowed)})


@dataclass(frozen=True)
class Word:
    """Text that becomes one word of a command: without blanks, and not like an option."""


def check_texts(settings: Any, path: str = "") -> None:
    """Raise InputError for the first text of several lines, or with characters that nobody sees.

    For settings that go into scripts and commands; also of texts in lists and mappings. A field
    whose type names a `Word` takes one.
    """
    hints = get_type_hints(type(settings), include_extras=True)
    for field in fields(settings):
        value, place = getattr(settings, field.name), f"{path}{field.name}"
        for text in _texts(value):
            if harmless(text) != text or "\n" in text:
                raise InputError(
                    f"{place} has a character that nobody sees, or several lines: {quote(text)}; "
                    "write it on one line, of letters, digits, blanks and signs"
                )
            word = any(
                isinstance(kind, Word) for kind in getattr(hints[field.name], "__metadata__", ())
            )
            if word and (text.startswith("-") or text != "".join(text.split())):
                raise InputError(
                    f"{place} must be one word that does not begin with a dash; got {quote(text)}"
                )


def _texts(value: Any) -> list[str]:
    """All texts in a value, the keys of mappings among them."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    return [t for v in value for t in _texts(v)] if isinstance(value, list | tuple) else []


def _spelt(number: float) -> str:
    return f"{number:,}" if number == int(number) and abs(number) < 1e15 else f"{number:g}"


# Beyond any network: what is larger is a slip, which would only surface as a full memory.
_MOST, MOST_PIXELS = 10**9, 2**16


def check_choice(value: Any, choices: tuple[str, ...], where: str) -> None:
    """Raise InputError for a value that is none of the choices."""
    if value not in choices:
        raise InputError(
            f"{where} must be one of {', '.join(choices)}; got {value!r}"
            + (" (quote it in YAML)" if isinstance(value, bool) else "")
            + did_you_mean(value, choices)
        )


def check_fields(data: Mapping[str, Any], cls: type, kind: str) -> None:
    """Raise InputError for a key that is not a field of a dataclass."""
    allowed = [f.name for f in fields(cls)]
    for key in data:
        if key not in allowed:
            raise unknown(kind, key, allowed)


def read_image_size(value: Any) -> tuple[int, int]:
    """Pixels (height, width), of one number or two."""
    sides = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(sides) != 2:
        raise InputError(f"image_size must be one number or [height, width]; got {value!r}")
    height, width = (read_whole(side, 1, "image_size", MOST_PIXELS) for side in sides)
    return height, width


def read_whole(value: Any, least: int, where: str, most: int = _MOST) -> int:
    """A whole number; 7.0 is one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{where} must be a whole number of at least {least}; got {value!r}")
    if value > most:
        raise InputError(f"{where} must be at most {most:,}; got {value:,}")
    return value


def read_window(value: Any, where: str) -> Window:
    """One number where both sides are equal, which is how most windows are written."""
    sides = list(value) if isinstance(value, list | tuple) else [value, value]
    try:
        height, width = (read_whole(side, 1, where) for side in sides)
    except (InputError, ValueError):  # a side that cannot be, or not two of them
        raise InputError(
            f"{where} must be a whole number from 1 to {_MOST:,}, or two for height and width, "
            f"such as [7, 9]; got {quote(value, 60)}"
        ) from None
    return window_of((height, width))


def plain_window(window: Window) -> int | list[int]:
    """As it stands in YAML."""
    return list(window) if isinstance(window, tuple) else window


def read_positive(value: Any, most: float, where: str) -> float:
    """A number above 0."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= most:
        raise InputError(f"{where} must be a number above 0 and at most {most}; got {value!r}")
    return float(value)
