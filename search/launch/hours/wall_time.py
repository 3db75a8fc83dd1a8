"""How long a study or a comparison takes from start to end, and what fits into so many hours."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe import Recipe
from search.records.time_limit import LEAST_SEEDS
from search.settings.experiment import ExperimentSettings

#: Share of the hours that is planned with; the rest is for pilots that were too quick.
PLANNED = 0.8
#: Seconds for figures, tables and the mirror's last words after the last training.
CLOSING = 10.0
_SMALLEST, _SHORTEST = 16, 20  # pixels and epochs that are not halved any more


@dataclass(frozen=True)
class StudyWork:
    """Seconds of one training of each kind, and how many of each there are."""

    trial: float  # seconds of a trial that is not stopped
    baselines: float  # seconds of all baselines, trained once each
    final: float  # seconds of a retrained trial
    final_baselines: float  # seconds of all baselines, retrained over one seed
    worth: Callable[[int], float]  # by a number of trials, how many unstopped trials cost as much
    audits: int  # stopped trials that are trained to their end
    arms: int  # 2 where a random search of the same cost runs beside the search, else 1
    top: int  # retrained candidates of each arm
    means: int  # random candidates that are trained as finalists
    past_seconds: Mapping[str, float] = field(default_factory=dict)  # of ended runs, by part

    def seconds(self, trials: int, seeds: int, slots: int) -> float:
        """From the first training to the last, on so many workers.

        At the end of the search and at the end of the study the slots wait for one training each.
        """
        search = self.arms * (self.worth(trials) + min(self.audits, trials)) * self.trial
        top = self.arms * min(self.top, trials)
        finals = seeds * (self.final_baselines + top * self.final) + self.means * self.final
        parts = {"baselines": self.baselines + self.trial, "search": search, "finals": finals}
        left = sum(
            max(0.0, whole - self.past_seconds.get(part, 0.0)) for part, whole in parts.items()
        )
        return left / slots + self.trial + self.final


@dataclass(frozen=True)
class ComparisonWork:
    """Seconds of the trainings of a comparison."""

    once: float  # of those that choose learning rates for all seeds
    per_seed: float  # of one seed of all arms, with the choice of its learning rates
    longest: float  # of one training
    past_seconds: float = 0.0  # of ended runs

    def seconds(self, seeds: int, slots: int) -> float:
        """From the first training to the last, on so many workers."""
        left = max(0.0, self.once + seeds * self.per_seed - self.past_seconds)
        return left / slots + 2 * self.longest


def most_that_fit(seconds: Callable[[int], float], least: int, most: int, time: float) -> int:
    """The largest number from ``least`` to ``most`` that takes at most ``time``; 0 for none."""
    if seconds(least) > time:
        return 0
    low, high = least, most
    while low < high:
        middle = -(-(low + high) // 2)
        low, high = (middle, high) if seconds(middle) <= time else (low, middle - 1)
    return low


def hours_for(seconds: float) -> float:
    """The hours to give so that trainings of so many seconds are planned, rounded up."""
    hours = seconds / PLANNED / 3600
    digits = 1 if hours >= 1 else 2 if hours >= 0.1 else 3
    unit: int = 10**digits
    return math.ceil(hours * unit) / unit


def too_long(what: str, seconds: float, hours: float, instead: str) -> InputError:
    """The error for settings of which even the least takes longer than the hours given."""
    needed = hours_for(seconds)
    return InputError(
        f"{what} takes at least {needed:g} h on this machine, and --hours is {hours:g}; give "
        f"--hours {needed:g}, or {instead}"
    )


def what_takes(kind: str, num_runs: int) -> str:
    """What the hours are for, in messages: a study, or the rest of one that has begun."""
    runs = "run has" if num_runs == 1 else "runs have"
    return (
        f"the rest of this {kind}, of which {num_runs} {runs} ended,"
        if num_runs
        else f"a {kind} of these settings"
    )


def shorter_settings(
    settings: ExperimentSettings, seeds: int, setting: str, num_runs: int = 0
) -> str:
    """Options to give instead of more hours, the most effective first.

    Once runs have ended, only those that change none of them.
    """
    fewer = f"fewer seeds: --{setting} {LEAST_SEEDS}" if seeds > LEAST_SEEDS else ""
    if num_runs:
        return fewer or "leave --hours out: then it ends when all is trained"
    size = settings.variant.get("image_size")
    side = size[0] if isinstance(size, list | tuple) else size
    ways = []
    if isinstance(side, int) and side >= 2 * _SMALLEST and settings.data.source == "folder":
        ways.append(f"a smaller image size: --variant.image_size {side // 2}")
    epochs = settings.recipe.get("epochs", Recipe.epochs)
    if isinstance(epochs, int) and epochs >= _SHORTEST:
        ways.append(f"fewer epochs: --recipe.epochs {epochs // 2}")
    if fewer:
        ways.append(fewer)
    return ", or ".join(ways) or "smaller widths and fewer baselines or arms"
