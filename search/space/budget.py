"""What a network may cost: by how much one exceeds it, or the widths that meet it."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from hybrid_swin.cost import Cost
from hybrid_swin.cost.width_solver import By, match_cost
from hybrid_swin.errors import InputError
from hybrid_swin.spec.variant import Variant
from search.settings.study import BudgetSettings

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_MOST = 10**15  # parameters or MACs
_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMG]?)\s*", re.IGNORECASE)


def limits(budget: BudgetSettings) -> dict[str, int]:
    """The budget's limits as numbers; none if costs are matched.

    Raises InputError if one is not an amount.
    """
    return {} if budget.mode == "match" else _amounts(budget)


class WidthMatcher:
    """Gives networks the widths with which they cost what they shall; by default none.

    Args:
        tolerance: how far it may be off, as a share.
    """

    def __init__(self, by: By | None = None, to: int = 0, tolerance: float = 0.0) -> None:
        self._by, self._to, self._tolerance = by, to, tolerance
        self._match = lru_cache(maxsize=256)(self._solve)

    def apply(self, variant: Variant) -> tuple[Variant, dict[str, Any]]:
        """The network with matched widths, and how that was done; empty where nothing was.

        Raises InputError if no widths meet the cost.
        """
        return (variant, {}) if self._by is None else self._match(variant)

    def _solve(self, variant: Variant) -> tuple[Variant, dict[str, Any]]:
        match = match_cost(variant, self._to, self._by or "macs", tolerance=self._tolerance)
        return match.variant, {"adjuster": match.adjuster, "residuals": match.residuals}


def matching(budget: BudgetSettings, paths: Sequence[str]) -> WidthMatcher:
    """How costs are met: not at all where they are limited only.

    Args:
        budget: the study's.
        paths: the parameters of its space.

    Raises:
        InputError: not exactly one cost to meet, or widths that are a choice as well.
    """
    if budget.mode == "limit":
        return WidthMatcher()
    amounts = _amounts(budget)
    if len(amounts) != 1:
        given = " and ".join(amounts) or "neither"
        raise InputError(
            f"budget.mode match meets one cost, parameters or macs; got {given}; for the other one "
            "see the leaderboard, which shows both"
        )
    widths = [path for path in paths if path.endswith((".width", "mlp_ratio"))]
    if widths:
        raise InputError(
            f"{', '.join(widths)}: widths and MLP ratio are solved where budget.mode is match; "
            "give one value, from which the proportions are taken"
        )
    [(by, to)] = amounts.items()
    return WidthMatcher("parameters" if by == "parameters" else "macs", to, budget.tolerance)


def _amounts(budget: BudgetSettings) -> dict[str, int]:
    given = {"parameters": budget.parameters, "macs": budget.macs}
    return {name: amount(v, f"budget.{name}") for name, v in given.items() if v is not None}


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
    number = round(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if number > _MOST:
        raise InputError(f"{where} must be at most {_MOST:,}; got {value!r}")
    if number < 1:
        raise InputError(f"{where} must be an amount such as 250000, 2M or 1.5G; got {value!r}")
    return number
