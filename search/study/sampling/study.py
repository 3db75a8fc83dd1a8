"""The Optuna side of a study: storage, drawing candidates, telling results."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from search.records.identity import derive_seed
from search.records.journal import JOURNAL
from search.records.runs import State
from search.settings.study import SamplerName, StudySettings
from search.space.space import Space
from search.statistics.formatting import counted
from search.study.objectives import directions
from search.study.sampling.draws import Draw, Refusal
from search.study.sampling.sampler_view import REFUSED, SamplerView
from search.study.sampling.samplers import Samplers, choose_sampler
from search.study.sampling.storage import claim, open_database, open_journal, open_study
from search.study.sampling.storage_patience import Patience

if TYPE_CHECKING:
    from search.study.sampling.database import Database

optuna.logging.set_verbosity(optuna.logging.WARNING)  # the coordinator says what matters
# Refused draws for one trial, before the space counts as used up: of what was known already, and in
# all, since where one draw in a hundred fits the budget, hundreds in a row do not.
_MOST_KNOWN, _MOST_REFUSED = 400, 4000

# The constraint that a training breaks which ran out of memory. By how much is not known; refusals
# for cost, beside which it stands, say their excess as a share of the limit.
MEMORY, TOO_MUCH = "memory", 1.0

_FOR = "trial"  # attribute of an Optuna trial: which of our trials it was drawn for

Judge = Callable[[dict[str, Any]], Refusal | None]


class OptunaStudy:
    """Ask and tell, in an order that depends on nothing but the seed.

    Optuna's trials are our trials and the refused draws between them. A refusal for cost is an
    infeasible PRUNED trial, from which TPE learns; one for repetition is a FAIL, from which nobody
    does. A draw is made in memory and stored in one write, so that a kill leaves it whole or
    not at all.

    Args:
        sampler: which, where it was chosen before.
        storage: instead of the settings'.
        owner: a word that no other folder has; two that share a database would tell each other's
            trials.
        say: is told when a database stops answering, and when it answers again.
        given: parameters of the first trials, which are tried instead of proposals.
        known_results: so many of the first trials are told before any other is asked for, so that
            their results are known however far the lookahead reaches.

    Raises:
        InputError: a storage that cannot be opened, that holds another study, or, from any method,
            that has not answered for longer than the settings allow.
    """

    def __init__(
        self,
        settings: StudySettings,
        space: Space,
        folder: Path,
        sampler: SamplerName | None = None,
        storage: optuna.storages.BaseStorage | None = None,
        owner: str = "",
        say: Callable[[str], None] = lambda text: None,
        given: Sequence[Mapping[str, Any]] = (),
        known_results: int = 0,
    ) -> None:
        self._settings, self._given, self._known_results = settings, given, known_results
        self._database: Database | None = None
        # what belongs together is one write where the storage offers that
        self._together: Callable[[], AbstractContextManager[None]] = nullcontext
        self._space = space
        self._samplers = Samplers(sampler or choose_sampler(settings, space)[0], settings, space)
        if storage is not None:
            self._study, self._storage = open_study(settings, storage)
        elif settings.storage:
            opened, self._database = open_database(settings, settings.storage)
            self._study, self._storage = opened
        else:  # a journal in the folder is this folder's, whatever became of the file that says so
            owner = ""
            opened, journal = open_journal(settings, folder, say)
            self._study, self._storage = opened
            self._together = journal.together
        where = settings.storage or str(folder / JOURNAL)
        cut = self._database.cut if self._database else None
        self._patience = Patience(where, settings.storage_wait_seconds, say, cut)
        self._patience.keep(lambda: claim(self._study, settings, owner))
        self._id = self._patience.keep(lambda: self._storage.get_study_id_from_name(settings.name))
        self._memory = SamplerView(directions(settings.objective), self._samplers.sees_all)
        self._taken: dict[int, FrozenTrial] = {}  # by our index
        self._numbers: dict[int, int] = {}  # of these draws in the memory, likewise
        self._refused: Counter[int] = Counter()  # draws for our trial of this index
        self._repeated: Counter[int] = Counter()  # of these, known already
        self._learnt = 0  # results of the trials before this one are in the memory
        self._num_stored = 0  # draws of ours that the storage is known to hold
        self._num_foreign, self._say = 0, say
        self._earlier = self._restore()  # draws that are not yet in the memory

    def close(self) -> None:
        """Let a call fail at once where the storage does not answer; another thread may call it."""
        self._patience.end()

    def knows(self, index: int) -> bool:
        """Whether trial ``index`` was asked before."""
        return index in self._taken

    def ask(self, index: int, judge: Judge) -> Draw | None:
        """Draw trial ``index``; None if the space holds no further candidate.

        ``judge`` refuses a draw or takes it. A trial that was asked before is given again.
        """
        known = self._taken.get(index)
        if known is not None:
            return Draw(index, known.number, known.params)
        num_results = max(index + 1 - self._settings.sampler.lookahead, 0)
        if index >= self._known_results:
            num_results = max(num_results, self._known_results)
        self._remember(num_results)
        self._learn(num_results)
        while not self._used_up(index):
            refused = self._refused[index]
            number = self._memory.count
            seed = derive_seed(self._settings.seed, "draw", number)
            near = self._known_before(refused)
            if index < len(self._given) and not refused:
                sampler = self._samplers.give(self._given[index], seed)
            else:
                own = number - self._num_given(index)
                sampler = self._samplers.make(own, seed, self._learnt, refused, near)
            trial = self._memory.ask(sampler)
            params = self._space.suggest(trial)
            trial.set_user_attr(_FOR, index)
            refusal = judge(params)
            if refusal is None:
                self._taken[index], self._numbers[index] = self._store(number), number
                return Draw(index, number, params)
            self._count(index, self._refuse(trial, refusal))
        return None

    def tell(
        self,
        index: int,
        state: State,
        values: Sequence[float] | None,
        curve: Sequence[tuple[int, float]] = (),
    ) -> None:
        """Tell how trial ``index`` ended: its objectives' values, and some of its scores by epoch.

        A diverged trial is a pruned one without a curve, which to TPE is worse than any with one:
        its candidate is the cause. An infeasible one is a pruned one that breaks a constraint, as
        a refusal for cost. A failed one teaches nothing: the machine may be the cause.
        """
        frozen = self._taken[index]
        if frozen.state != TrialState.RUNNING:
            return  # told before the coordinator was killed

        def tell() -> FrozenTrial:
            with self._together():
                return self._tell(frozen, state, values, curve)

        self._taken[index] = self._patience.keep(tell)

    def _tell(
        self,
        trial: FrozenTrial,
        state: State,
        values: Sequence[float] | None,
        curve: Sequence[tuple[int, float]],
    ) -> FrozenTrial:
        """Write a trial's end, or what of it is not yet written; returns the trial."""
        known_as = self._storage.get_trial_id_from_study_id_trial_number(self._id, trial.number)
        stored = self._storage.get_trial(known_as)
        if stored.state != TrialState.RUNNING:
            return stored  # written, though the answer did not arrive
        # Optuna keeps no curves of trials with several objectives.
        several = self._settings.objective.against
        for epoch, value in () if state == "diverged" or several else curve:
            if epoch not in stored.intermediate_values:
                self._storage.set_trial_intermediate_value(known_as, epoch, value)
        try:
            if state == "infeasible" and MEMORY not in stored.constraints:
                optuna.Trial(self._study, known_as).set_constraint(MEMORY, TOO_MUCH)
            if state in ("stopped", "diverged", "infeasible"):
                self._study.tell(trial.number, state=TrialState.PRUNED)
            elif state == "failed" or values is None:
                self._study.tell(trial.number, state=TrialState.FAIL)
            else:
                self._study.tell(trial.number, list(values))
        except (UpdateFinishedTrialError, ValueError):
            # a write that was cut off has taken effect after all, since we looked
            if self._storage.get_trial(known_as).state == TrialState.RUNNING:
                raise
        return self._storage.get_trial(known_as)

    def summary(self) -> dict[str, int]:
        """How many draws were taken and refused, by state; asks no storage."""
        refused, known = self._refused.total(), self._repeated.total()
        return {
            "drawn": len(self._taken) + refused,
            "refused_for_cost": refused - known,
            "refused_as_known": known,
            "running": sum(t.state == TrialState.RUNNING for t in self._taken.values()),
        }

    def _restore(self) -> list[FrozenTrial]:
        """Bring back the draws of earlier starts."""
        trials = self._patience.keep(lambda: self._study.get_trials(deepcopy=False))
        for trial in trials:
            index = trial.user_attrs.get(_FOR)
            if index is None:
                continue
            self._num_stored += 1
            if REFUSED in trial.user_attrs:
                self._count(index, trial.state)
            else:
                self._taken[index] = trial
        self._note_foreign(len(trials))
        return [trial for trial in trials if _FOR in trial.user_attrs]

    def _note_foreign(self, num_trials: int) -> None:
        """Say that the storage holds trials that somebody put there; nothing is made of them.

        Draws are numbered without them, so that a study does not depend on when they came.
        """
        foreign = num_trials - self._num_stored
        if foreign > self._num_foreign:
            self._num_foreign = foreign
            self._say(
                f"the Optuna storage holds {counted(foreign, 'trial')} that this study did not "
                "make: left out, neither trained nor learnt from; --import-trials begins a study "
                "with candidates of your own"
            )

    def _remember(self, num_results: int) -> None:
        """Take earlier draws into the memory, with the results whose time has come by now.

        Only before the first new draw: asking for trials that were asked before needs no memory.
        """
        for trial in self._earlier:
            index, refused = trial.user_attrs[_FOR], REFUSED in trial.user_attrs
            if not refused:
                self._numbers[index] = self._memory.count
            newest = trial if refused else self._taken[index]
            self._memory.restore(newest, refused or index < num_results)
        if self._earlier:
            self._learnt = num_results
            kept = self._patience.keep(self._kept)
            for name, value in kept.items():
                self._memory.keep(name, value)
        self._earlier = []

    def _learn(self, num_results: int) -> None:
        """Let the results of the first ``num_results`` trials be known."""
        while self._learnt < num_results:
            self._memory.learn(self._numbers[self._learnt], self._taken[self._learnt])
            self._learnt += 1

    def _known_before(self, refused: int) -> dict[str, Any] | None:
        """The last draw, where it was refused as known; of what is too dear samplers learn."""
        last = self._memory.frozen(self._memory.count - 1) if refused else None
        return last.params if last is not None and last.state == TrialState.FAIL else None

    def _used_up(self, index: int) -> bool:
        if self._samplers.size is not None:
            return self._memory.count - self._num_given(index) >= self._samplers.size
        return self._repeated[index] >= _MOST_KNOWN or self._refused[index] >= _MOST_REFUSED

    def _num_given(self, index: int) -> int:
        """How many draws were given up to now, the first of each trial to which one was."""
        before = min(index, len(self._given))
        return before + (index < len(self._given) and self._refused[index] > 0)

    def _count(self, index: int, state: TrialState) -> None:
        self._refused[index] += 1
        self._repeated[index] += state == TrialState.FAIL

    def _refuse(self, trial: optuna.Trial, refusal: Refusal) -> TrialState:
        trial.set_user_attr(REFUSED, refusal.reason)
        for name, value in (refusal.excess or {}).items():
            trial.set_constraint(name, value)
        state = TrialState.PRUNED if refusal.excess else TrialState.FAIL
        self._memory.end(trial.number, state)
        self._store(trial.number)
        return state

    def _store(self, number: int) -> FrozenTrial:
        """Write a draw, and before it what the sampler keeps at the study."""
        stored = self._patience.keep(
            lambda: self._write(number), lambda: self._written() or self._write(number)
        )
        self._num_stored += 1
        self._note_foreign(stored.number + 1)
        return stored

    def _write(self, number: int) -> FrozenTrial:
        with self._together():
            kept = self._kept()
            for name, value in self._memory.attributes.items():
                if name not in kept:
                    self._storage.set_study_system_attr(self._id, name, value)
            frozen = self._memory.frozen(number)
            made = self._storage.create_new_trial(self._id, template_trial=frozen)
            return self._storage.get_trial(made)

    def _written(self) -> FrozenTrial | None:
        """The draw in the storage, if its writing was cut off after it had taken effect.

        Nobody else writes draws of this study, so one more than we know of is that one, whatever
        number it has: trials that were put into the storage by hand count, too.
        """
        if self._database is not None:
            self._database.wait_for_writes(self._id)
        ours = [t for t in self._study.get_trials(deepcopy=False) if _FOR in t.user_attrs]
        return ours[-1] if len(ours) > self._num_stored else None

    def _kept(self) -> dict[str, Any]:
        """What samplers keep at the study."""
        return self._storage.get_study_system_attrs(self._id)
