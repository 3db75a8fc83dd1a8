"""What was planned for the hours of a command, and when they end."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from hybrid_swin.errors import InputError
from hybrid_swin.system.program import door
from search.launch.hours.pace import Pace
from search.launch.hours.wall_time import CLOSING, PLANNED, most_that_fit, too_long
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import ExperimentSettings
from search.statistics.formatting import seconds_text
from search.study.deadline import TimePlan

_MOST_HOURS = 24 * 366.0
_SHARE_TO_END = 0.95  # of the hours, at which the last training must have ended


def of_hours(plan: TimePlan | None) -> str:
    """How much of the hours is planned, for the end of a line; empty for no limit."""
    if plan is None:
        return ""
    hours = seconds_text(plan.limit.hours * 3600)
    return f"; about {seconds_text(plan.seconds)} of {hours}"


def check_place(settings: ExperimentSettings) -> None:
    """Raise InputError for trainings elsewhere than on this machine, where the pilots run.

    Elsewhere neither the pace is known before a worker has come, nor how many will come, nor when.
    """
    name = settings.executor["name"]
    number = "seeds" if isinstance(settings, ComparisonSettings) else "trials"
    if name != "local":
        raise InputError(
            f"--hours times pilots on this machine, and executor.name {name} trains elsewhere; "
            f"begin with --executor.name local on one of those machines, which others may then "
            f"join by `{door()} work FOLDER`, or leave --hours out and give --{number}"
        )


@dataclass(frozen=True)
class Clock:
    """The hours of a command.

    Raises InputError for hours in which nothing can be done, or that nobody waits for.
    """

    hours: float  # that it may take
    begin: float  # when it began, as ``time.monotonic`` counts

    def __post_init__(self) -> None:
        if not 0 < self.hours <= _MOST_HOURS:
            raise InputError(
                f"--hours must be above 0 and at most {_MOST_HOURS:g}; got {self.hours:g}"
            )

    @property
    def ends(self) -> float:
        """When the last training must have ended."""
        return self.begin + self.hours * 3600 * _SHARE_TO_END - CLOSING

    @property
    def gone(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.begin

    def to_plan(self, start: float) -> float:
        """Seconds of trainings that may be planned now, if a worker starts in ``start`` seconds."""
        return self.hours * 3600 * PLANNED - self.gone - start - CLOSING

    def fit(
        self,
        what: str,
        seconds: Callable[[int], float],
        numbers: tuple[int, int],
        pace: Pace,
        instead: str,
    ) -> int:
        """The largest number that fits, of the least and the most.

        ``what`` and ``instead``, which may be given instead of more hours, are for the message;
        ``seconds`` is from the first training to the last, by the number. Raises InputError if even
        the least takes longer.
        """
        (least, most), left = numbers, self.to_plan(pace.start)
        number = most_that_fit(seconds, least, most, left)
        if number < least or seconds(number) > left:
            needed = seconds(least) + pace.start + CLOSING + self.gone
            raise too_long(what, needed, self.hours, instead)
        return number
