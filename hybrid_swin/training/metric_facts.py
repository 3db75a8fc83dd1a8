"""What is known of each metric without computing it: its bounds, its direction, how it is written.

Imports nothing: tables and checks need these facts where no torch is loaded.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class MetricFacts:
    """One metric."""

    low: float
    high: float  # may be infinite
    higher_is_better: bool = True
    per_image: bool = False  # whether it is a share of images, so that n images tell it to 1/n
    in_percent: bool = False  # whether it is written in percent


METRICS = {
    "loss": MetricFacts(0.0, math.inf, higher_is_better=False),
    "accuracy": MetricFacts(0.0, 1.0, per_image=True, in_percent=True),
    "top5": MetricFacts(0.0, 1.0, per_image=True, in_percent=True),
    "f1": MetricFacts(0.0, 1.0),
    "balanced_accuracy": MetricFacts(0.0, 1.0, in_percent=True),
    "auroc": MetricFacts(0.0, 1.0),
    "calibration_error": MetricFacts(0.0, 1.0, higher_is_better=False),
}
LOGGED = tuple(METRICS)  # by this program; top5 from 10 classes
METRICS |= {  # by networks or data modules of users
    "kappa": MetricFacts(-1.0, 1.0),
    "mcc": MetricFacts(-1.0, 1.0),
}


def facts_of(monitor: str) -> MetricFacts | None:
    """Of a logged metric such as ``val/accuracy``; None for one of the user's own."""
    return METRICS.get(monitor.rpartition("/")[2])


def bounds_of(monitor: str) -> tuple[float, float] | None:
    """The least and the largest value of a metric; None if unknown."""
    facts = facts_of(monitor)
    return (facts.low, facts.high) if facts else None


def metric_text(name: str, value: float) -> str:
    """A metric as it is written: a share in percent, four decimals else."""
    facts = facts_of(name)
    return f"{100 * value:.1f}%" if facts is not None and facts.in_percent else f"{value:.4f}"
