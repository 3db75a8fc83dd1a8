"""The loop of a comparison: of each paired seed the learning rate, then the training itself."""

from search.comparison.design.matched_arms import PlannedArm
from search.comparison.design.plan import ComparisonPlan
from search.execution.dispatcher import Dispatcher
from search.execution.view import View
from search.records.runs import RunResult, RunSpec
from search.study.deadline import Deadline, no_deadline

_AHEAD = 2  # runs that wait for each worker before the next seed's learning rates are asked for


class Schedule:
    """Runs one comparison to its end.

    A seed of an arm begins as soon as its own learning rate is chosen; what it comes to depends on
    the arm's own runs only, so workers and their timing change nothing. Seeds come one after the
    other, so that a comparison that is ended early holds whole pairs.

    Args:
        plan: what is to be trained.
        dispatcher: runs what is submitted.
        view: what watches.
        slots: trainings at once.
        deadline: until when it must have ended; None for no such limit.
    """

    def __init__(
        self,
        plan: ComparisonPlan,
        dispatcher: Dispatcher,
        view: View,
        slots: int = 1,
        deadline: Deadline | None = None,
    ) -> None:
        self._plan = plan
        self._dispatcher = dispatcher
        self._view = view
        self._slots = slots
        self._deadline = deadline or no_deadline()
        self.seeds = plan.seeds  # fewer where the time is over
        self._results: dict[str, RunResult] = {}
        self._submitted: set[str] = set()

    def run(self) -> None:
        """Everything, or what is left of it."""
        self._view.expect(sum(self._plan.trainings()))
        next_seed = 0
        waiting: list[tuple[int, PlannedArm]] = []
        while waiting or next_seed < self.seeds or self._dispatcher.busy:
            while next_seed < self.seeds and self._unended < _AHEAD * self._slots:
                if not self._has_time_for(next_seed):
                    break
                self._submit_selection(next_seed)
                waiting += [(next_seed, entry) for entry in self._plan.entries]
                next_seed += 1
                waiting = self._submit_finals(waiting)
            for spec, result in self._dispatcher.results():
                self._results[spec.key] = result
                self._deadline.heard(spec, result)
            waiting = self._submit_finals(waiting)

    def _has_time_for(self, seed: int) -> bool:
        """Whether a further seed of all arms can end in time; sets the seeds where it cannot."""
        chosen, final = self._plan.trainings()
        shared = chosen if self._plan.settings.choose_rate == "once" else 0
        each = (chosen + final - shared) / self._plan.seeds
        if self._deadline.allows_seed(seed, each, self._unended):
            return True
        self._view.note(self._deadline.last_word)
        self.seeds = seed
        self._view.expect(round(shared + seed * each))
        return False

    @property
    def _unended(self) -> int:
        """Runs that were submitted and have not ended."""
        return len(self._submitted) - len(self._results)

    def _submit_selection(self, seed: int) -> None:
        """Submit the trainings that choose the learning rates of one final seed."""
        for entry in self._plan.entries:
            for rate in range(len(entry.recipes)):
                for spec in self._plan.selection(entry, rate, seed):
                    self._submit(spec)

    def _submit_finals(self, waiting: list[tuple[int, PlannedArm]]) -> list[tuple[int, PlannedArm]]:
        """Submit the final trainings of which the rate is chosen; returns the others."""
        left = []
        for seed, entry in waiting:
            rate = self._plan.choose(entry, self._results, seed)
            if rate is None:
                left.append((seed, entry))
                continue
            self._submit(self._plan.final(entry, rate, seed))
        return left

    def _submit(self, spec: RunSpec) -> None:
        if spec.key not in self._submitted:
            self._submitted.add(spec.key)
            self._dispatcher.submit(spec)
