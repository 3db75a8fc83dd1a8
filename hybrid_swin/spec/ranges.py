"""The numbers that a setting takes: every one has a largest, beyond which it is a slip."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybrid_swin.errors import InputError

_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Range:
    """Numbers from ``least`` to ``most``.

    Args:
        least: the smallest; itself refused where ``open_below``.
        most: the largest; itself refused where ``open_above``.
        whole: whether they are whole.
        open_below: see ``least``.
        open_above: see ``most``.
    """

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

        Raises:
            InputError: it is no such number.
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


def _spelt(number: float) -> str:
    return f"{number:,}" if number == int(number) and abs(number) < 1e15 else f"{number:g}"
