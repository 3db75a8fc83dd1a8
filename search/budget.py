"""What a network may cost, and by how much one exceeds it."""

import re
from collections.abc import Mapping
from dataclasses import asdict

from hybrid_swin.cost import Cost
from hybrid_swin.errors import InputError
from search.settings import BudgetSettings

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMG]?)\s*", re.IGNORECASE)


def limits(budget: BudgetSettings) -> dict[str, int]:
    """The budget's limits as numbers. Raises InputError where one is no amount."""
    return {
        name: amount(v, f"budget.{name}") for name, v in asdict(budget).items() if v is not None
    }


def excess(cost: Cost, limit: Mapping[str, int]) -> dict[str, float]:
    """By what share each limit is exceeded: at most 0 where it is kept."""
    return {name: getattr(cost, name) / most - 1 for name, most in limit.items()}


def over(cost: Cost, limit: Mapping[str, int]) -> str:
    """What is exceeded, in words; empty where everything is kept."""
    return ", ".join(
        f"{getattr(cost, name):,} {name} of at most {most:,}"
        for name, most in limit.items()
        if getattr(cost, name) > most
    )


def amount(value: int | float | str, where: str) -> int:
    """A number, or text with K, M or G. Raises InputError that names the place."""
    match = _NUMBER.fullmatch(str(value))
    found = round(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if found < 1:
        raise InputError(f"{where} must be an amount such as 250000, 2M or 1.5G; got {value!r}")
    return found
