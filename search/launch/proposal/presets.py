"""Presets of `--preset`: how many trials, seeds and steps; the only place where they stand.

Each number is a range. The wanted values choose the size of the network: the largest one with which
they fit the time. If even the smallest network is too slow, numbers go down to the least; what time
is left raises them up to the most. The least are the least that conclusions need: 3 seeds give an
interval (`ComparisonSettings`), and 10 epochs tell whether a training had ended (`undertrained`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Span:
    """The least, the wanted and the most of a number."""

    least: int
    wanted: int
    most: int


@dataclass(frozen=True)
class Preset:
    """What a preset means."""

    name: str  # what is typed for it
    hours: float  # where --hours is left out
    trials: Span  # of a study
    seeds: Span  # fresh ones of each finalist, or paired ones of each arm
    steps: Span  # of one training, in batches
    top: int  # trials that become finalists
    random: int  # random candidates whose mean is a row
    random_search: bool  # a second search that does not learn, of the same cost
    audit: int  # stopped trials that are trained to their end
    learning_rates: tuple[float, ...]  # times the rule's, that arms of a comparison choose from
    widest: int  # width of the first stage of the largest network
    largest: int  # pixels along the shorter side of an image

    def adapted(self, given: Mapping[str, Any]) -> "Preset":
        """The preset with the numbers that the command line gives among its settings."""
        finalists, sampler, rungs = (given.get(n, {}) for n in ("finalists", "sampler", "rungs"))
        seeds = finalists.get("seeds", given.get("seeds"))
        rates = given.get("learning_rates")
        numbers = {
            "top": finalists.get("top"),
            "random": finalists.get("random"),
            "random_search": sampler.get("random_search"),
            "audit": rungs.get("audit"),
            "trials": _exactly(given.get("trials")),
            "seeds": _exactly(max(seeds) if isinstance(seeds, list) else seeds),
            "learning_rates": rates and (1.0,) * len(rates),
        }
        changes: dict[str, Any] = {k: v for k, v in numbers.items() if v is not None}
        return replace(self, **changes)


def _exactly(number: int | None) -> Span | None:
    return None if number is None else Span(number, number, number)


_PRESETS = (
    Preset(
        name="quick",
        hours=1.0,
        trials=Span(4, 8, 24),
        seeds=Span(3, 3, 5),
        steps=Span(100, 400, 1600),
        top=2,
        random=2,
        random_search=False,
        audit=0,
        learning_rates=(1.0,),
        widest=48,
        largest=64,
    ),
    Preset(
        name="careful",
        hours=8.0,
        trials=Span(8, 24, 100),
        seeds=Span(3, 5, 10),
        steps=Span(300, 1500, 12_000),
        top=3,
        random=5,
        random_search=True,
        audit=2,
        learning_rates=(0.5, 1.0, 2.0),
        widest=64,
        largest=128,
    ),
)
PRESETS = {preset.name: preset for preset in _PRESETS}
