"""The loop of a comparison: learning rates first, then paired seeds. It never trains itself."""

from collections.abc import Callable

from search.compare.plan import Entry, Plan
from search.dispatcher import Dispatcher, View
from search.run_folder import RunResult, RunSpec


class Schedule:
    """Runs one comparison to its end.

    An arm's seeds begin as soon as its own learning rate is chosen; what it comes to depends on its
    own runs only, so workers and their timing change nothing.

    Args:
        plan: what is to be trained.
        dispatcher: runs what is submitted.
        on_finished: called with each run that has ended, for mirrors.
        view: what watches.
    """

    def __init__(
        self,
        plan: Plan,
        dispatcher: Dispatcher,
        on_finished: Callable[[RunSpec], None],
        view: View,
    ) -> None:
        self._plan = plan
        self._dispatcher = dispatcher
        self._on_finished = on_finished
        self._view = view
        self._results: dict[str, RunResult] = {}
        self._submitted: set[str] = set()

    def run(self) -> None:
        """Everything, or what is left of it."""
        waiting = list(self._plan.entries)
        self._view.expect(sum(self._plan.trainings()))
        for entry in waiting:
            for rate in range(len(entry.recipes)):
                for spec in self._plan.selection(entry, rate):
                    self._submit(spec)
        waiting = self._submit_finals(waiting)
        while self._dispatcher.busy:
            for spec, result in self._dispatcher.results():
                self._results[spec.key] = result
                self._on_finished(spec)
            waiting = self._submit_finals(waiting)

    def _submit_finals(self, waiting: list[Entry]) -> list[Entry]:
        """Submit the seeds of all whose rate is chosen, seed by seed; returns the others."""
        chosen = {id(entry): self._plan.choose(entry, self._results) for entry in waiting}
        ready = [(entry, rate) for entry in waiting if (rate := chosen[id(entry)]) is not None]
        for seed in range(self._plan.settings.seeds):
            for entry, rate in ready:
                spec = self._plan.finals(entry, rate)[seed]
                self._submit(spec)
        return [entry for entry in waiting if chosen[id(entry)] is None]

    def _submit(self, spec: RunSpec) -> None:
        if spec.key not in self._submitted:
            self._submitted.add(spec.key)
            self._dispatcher.submit(spec)
