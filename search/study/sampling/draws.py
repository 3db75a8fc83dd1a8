"""What a study draws: accepted candidates, and why others are refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """Why a draw is not a candidate. ``excess`` > 0 by name teaches the sampler what to avoid."""

    reason: str
    excess: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Draw:
    """An accepted draw: our trial's index, Optuna's number and the parameters."""

    index: int
    number: int
    params: dict[str, Any]
