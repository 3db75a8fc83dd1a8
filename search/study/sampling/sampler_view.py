"""The study as samplers see it: in memory, at a moment of the study's own time.

Trial i may know the results of the trials before i - lookahead, whatever else has ended by then. So
results enter this study when the study's time has come to them, not when they arrive; and a study
that goes on, or whose storage is made again from its folder, draws what it would have drawn in one
go.
"""

import heapq
from collections.abc import Container, Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.study.pareto import Direction, Front

WAYS = {"max": StudyDirection.MAXIMIZE, "min": StudyDirection.MINIMIZE}
REFUSED = "refused"  # attribute of a draw that became no trial of ours: why it was refused

_CONSTRAINTS = "constraints:"  # before the names of Optuna's system attributes

# TPE keeps at most 25 of the best apart and weighs the others the less the older they are. So the
# best and the latest say almost all, and the time of a draw does not grow with the study.
MOST_SHOWN, BEST_SHOWN = 1000, 100


class SamplerView:
    """Draws by their number, and the results that are known by now.

    Args:
        directions: whether more or less is better, of each objective.
        sees_all: show samplers every trial; else the best and the latest of many.
    """

    def __init__(self, directions: Sequence[Direction], sees_all: bool) -> None:
        self._storage = _FilteredStorage(None if sees_all else _Best(directions))
        ways = [WAYS[direction] for direction in directions]
        self._study = optuna.create_study(storage=self._storage, directions=ways)
        self._id = self._storage.get_study_id_from_name(self._study.study_name)
        self.count = 0  # draws; the number of the next

    def ask(self, sampler: BaseSampler) -> optuna.Trial:
        """Open the next draw."""
        self._study.sampler = sampler
        self.count += 1
        return self._study.ask()

    def restore(self, trial: FrozenTrial, known: bool) -> None:
        """Add the next draw from a storage; with its result only if that is known by now."""
        if trial.state.is_finished() and not known:
            trial = optuna.trial.create_trial(
                state=TrialState.RUNNING,
                params=trial.params,
                distributions=trial.distributions,
                user_attrs=trial.user_attrs,
                # what it turned out to break is a part of its result
                system_attrs={
                    name: value
                    for name, value in trial.system_attrs.items()
                    if not name.startswith(_CONSTRAINTS)
                },
            )
        self.count += 1
        self._storage.create_new_trial(self._id, template_trial=trial)

    def end(self, number: int, state: TrialState) -> None:
        """End a draw without a result."""
        self._storage.set_trial_state_values(number, state)

    def learn(self, number: int, trial: FrozenTrial) -> None:
        """Let a draw's result be known; ``trial`` is as the storage has it, under any number."""
        for name, value in trial.constraints.items():
            optuna.Trial(self._study, number).set_constraint(name, value)
        for step, value in trial.intermediate_values.items():
            self._storage.set_trial_intermediate_value(number, step, value)
        self._storage.set_trial_state_values(number, trial.state, trial.values)

    def frozen(self, number: int) -> FrozenTrial:
        """A draw as it stands."""
        return self._storage.get_trial(number)  # ids are numbers: there is one study

    @property
    def attributes(self) -> dict[str, Any]:
        """What samplers keep at the study, such as the parents of a generation."""
        return self._storage.get_study_system_attrs(self._id)

    def keep(self, name: str, value: Any) -> None:
        """Give samplers back what they kept."""
        self._storage.set_study_system_attr(self._id, name, value)


class _FilteredStorage(optuna.storages.InMemoryStorage):
    """Shows of many trials the best and the latest; without ``best`` every trial."""

    def __init__(self, best: "_Best | None") -> None:
        super().__init__()
        self._best = best

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """What is shown, of these states."""
        trials = super().get_all_trials(study_id, deepcopy)
        if len(trials) > MOST_SHOWN and self._best is not None:
            late = trials[BEST_SHOWN - MOST_SHOWN :]
            trials = [*self._best.of(trials, len(trials) - len(late)), *late]
        return [t for t in trials if states is None or t.state in states]


class _Best:
    """The best of ever more trials: of several objectives the latest on the front.

    Trials are taken in once, in their order, when they have ended, so that 10,000 draws do not each
    look through all that were before.
    """

    def __init__(self, ways: Sequence[Direction]) -> None:
        self._ways = ways
        self._taken = 0
        self._front = Front(ways)
        self._best: list[tuple[float, int, FrozenTrial]] = []  # a heap, the worst first

    def of(self, trials: Sequence[FrozenTrial], count: int) -> list[FrozenTrial]:
        """Of the first ``count`` trials, in their order."""
        while self._taken < count and trials[self._taken].state.is_finished():
            trial = trials[self._taken]
            if trial.state == TrialState.COMPLETE:
                self._take(trial)
            self._taken += 1
        if len(self._ways) > 1:
            kept: list[FrozenTrial] = self._front.items[-BEST_SHOWN:]
        else:
            kept = [trial for _, _, trial in self._best]
        return sorted(kept, key=lambda trial: trial.number)

    def _take(self, trial: FrozenTrial) -> None:
        if len(self._ways) > 1:
            self._front.add(trial.values, trial)
            return
        sign = 1 if self._ways[0] == "max" else -1
        heapq.heappush(self._best, (sign * (trial.value or 0.0), -trial.number, trial))
        if len(self._best) > BEST_SHOWN:
            heapq.heappop(self._best)
