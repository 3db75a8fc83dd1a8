"""Whether one more trial or seed fits into the time that is left; decided once and written down."""

import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from search.records.runs import RunResult, RunSpec
from search.records.time_limit import LEAST_SEEDS, TimeLimit, write_time_limit

FEWEST_SEEDS = 2  # that are trained where the time is over early: one gives no interval


@dataclass(frozen=True)
class TimePlan:
    """What was planned for the hours, and when they end."""

    limit: TimeLimit  # the decisions
    ends: float  # when the last training must have ended, as ``time.monotonic`` counts
    seconds: float  # that trainings, start and end are expected to take
    search_seconds: float  # of one training of the search, by the pilot
    final_seconds: float  # of one retrained network, by the pilot
    least_trials: int = 0  # that are asked for in any case
    least_seeds: int = FEWEST_SEEDS  # that are trained in any case


class Deadline:
    """Keeps a study or comparison within its hours.

    What a training takes is the mean of those that have ended, or the pilot's until one has. The
    clock only ever says "no more": which trial or seed comes next does not depend on it. ``limit``
    has the decisions so far, which are written into the folder.
    """

    def __init__(
        self,
        plan: TimePlan,
        folder: Path,
        slots: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit, self.slots = plan.limit, slots
        self.least_trials, self.least_seeds = plan.least_trials, plan.least_seeds
        self._folder, self._ends, self._clock = folder, plan.ends, clock
        self._expected = {"search": plan.search_seconds, "final": plan.final_seconds}
        self._took: dict[str, list[float]] = {"search": [], "final": []}
        self._whole: list[float] = []  # trainings of the search that no rung stopped

    def begin(self) -> None:
        """Write down what was planned, before the first training."""
        write_time_limit(self._folder, self.limit)

    def heard(self, spec: RunSpec, result: RunResult) -> None:
        """Learn from a training that has ended."""
        total = result.seconds.get("total", 0.0)
        if spec.kind == "reference" or result.state not in ("complete", "stopped") or not total:
            return
        self._took[spec.stage].append(total)
        if spec.stage == "search" and result.state == "complete":
            self._whole.append(total)

    def allows_trial(self, index: int, search: float, random_search: float, finals: float) -> bool:
        """Whether trial ``index`` is to be asked for; the first "no" is for good.

        Args:
            index: of the trial.
            search: trainings of the search that are to come without it, and audits.
            random_search: those of a random search beside it; 0 if there is none.
            finals: retrained networks, over all seeds.
        """
        trial, final = self._seconds("search"), self._seconds("final")
        arms = 2 if random_search else 1
        work = (search + random_search + arms) * trial + finals * final
        needed = work / self.slots + trial + final
        return self._allows("trials", index, self.least_trials, needed)

    def allows_seed(self, index: int, runs: float, waiting: float) -> bool:
        """Whether seed ``index`` of all networks is to be trained; the first "no" is for good.

        Args:
            index: of the seed.
            runs: trainings that it takes.
            waiting: trainings that are to come without it.
        """
        final = self._seconds("final")
        needed = (runs + waiting) * final / self.slots + final
        return self._allows("seeds", index, self.least_seeds, needed)

    def finalists_in_time(self, most: int, runs: Callable[[int], float]) -> int:
        """How many of the best are retrained: fewer, if else there is no time for the least seeds.

        If not even one leaves that time, as many as planned. The first answer is for good.

        Args:
            most: that were planned.
            runs: trainings that are to come, by the number of them.
        """
        if self.limit.top:
            return min(most, self.limit.top)
        final = self._seconds("final")
        needed = {top: runs(top) * final / self.slots + final for top in range(most, 0, -1)}
        top = next((top for top, seconds in needed.items() if seconds <= self.left), most)
        if top < most:
            why = (
                f"only the best {top} of {most} finalists {'is' if top == 1 else 'are'} retrained, "
                f"so that there is time for {LEAST_SEEDS} seeds: with all, {needed[most]:.0f} s "
                f"were needed to the end, and {max(0.0, self.left):.0f} s were left"
            )
            self.limit = replace(self.limit, top=top, why=(*self.limit.why, why))
            write_time_limit(self._folder, self.limit)
        return top

    @property
    def left(self) -> float:
        """Seconds until the last training must have ended."""
        return self._ends - self._clock()

    @property
    def last_word(self) -> str:
        """Why it was decided last."""
        return self.limit.why[-1] if self.limit.why else ""

    def _seconds(self, stage: str) -> float:
        took = self._took[stage]
        if took:
            return statistics.fmean(took)
        expected, pilot = self._expected[stage], self._expected["search"]
        if stage == "final" and self._whole and pilot:
            # as much slower than the pilot as whole trainings of the search were
            return expected * max(1.0, statistics.fmean(self._whole) / pilot)
        return expected

    def _allows(
        self, what: Literal["trials", "seeds"], index: int, least: int, needed: float
    ) -> bool:
        decided = self.limit.trials if what == "trials" else self.limit.seeds
        if decided:
            return index < decided
        if index < least or needed <= self.left:
            return True
        why = (
            f"no {what[:-1]} after {index} was begun: with it, {needed:.0f} s were needed to the "
            f"end, and {max(0.0, self.left):.0f} s were left"
        )
        decisions: dict[str, Any] = {what: index, "why": (*self.limit.why, why)}
        self.limit = replace(self.limit, **decisions)
        write_time_limit(self._folder, self.limit)
        return False


def no_deadline() -> Deadline:
    """One that allows everything, and decides nothing."""
    limit, most = TimeLimit(math.inf, 0, 0), sys.maxsize
    return Deadline(TimePlan(limit, math.inf, 0.0, 0.0, 0.0, most, most), Path(), slots=1)
