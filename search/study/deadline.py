"""Whether one more trial or seed fits into the time that is left; decided once and written down."""

import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from search.records.runs import RunResult, RunSpec
from search.records.time_limit import TimeLimit, write_time_limit


class Deadline:
    """Keeps a study or comparison within its hours.

    What a training takes is the mean of those that have ended, or the pilot's until one has. The
    clock only ever says "no more": which trial or seed comes next does not depend on it.

    Args:
        limit: the decisions so far.
        folder: where they are written.
        ends: when the last training must have ended, by ``clock``.
        slots: trainings at once.
        least_trials: trials that are asked for in any case.
        least_seeds: seeds that are trained in any case.
        search_seconds: of one training of the search, by the pilot.
        final_seconds: of one retrained network, by the pilot.
        clock: seconds.
    """

    def __init__(
        self,
        limit: TimeLimit,
        folder: Path,
        ends: float,
        slots: int,
        *,
        least_trials: int = 0,
        least_seeds: int = 2,
        search_seconds: float = 0.0,
        final_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = limit
        self.slots = slots
        self.least_seeds = least_seeds
        self._folder = folder
        self._ends = ends
        self.least_trials = least_trials
        self._clock = clock
        self._expected = {"search": search_seconds, "final": final_seconds}
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
    return Deadline(limit, Path(), math.inf, 1, least_trials=most, least_seeds=most)
