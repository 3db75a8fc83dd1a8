"""The Optuna side of a study: storage, sampler, drawing candidates, telling results."""

import copy
import hashlib
import json
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from hybrid_swin.errors import InputError
from search.identity import derive_seed
from search.journal import repair_journal
from search.run_folder import State
from search.settings import StudySettings
from search.space import Space

JOURNAL = "optuna.journal"
optuna.logging.set_verbosity(optuna.logging.WARNING)  # the coordinator says what matters
# Draws for one trial before the rest are made at random, and before the space counts as used up.
_RANDOM_AFTER = 16
_EXHAUSTED_AFTER = 400

# Attributes of an Optuna trial: which of our trials it was drawn for, and why it was refused.
_FOR, _REFUSED = "trial", "refused"
_SETTINGS = "settings"  # attribute of the Optuna study: of which settings it is


@dataclass(frozen=True)
class Refusal:
    """Why a draw is no candidate. ``excess`` > 0 by name teaches the sampler where not to look."""

    reason: str
    excess: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Draw:
    """An accepted draw: our trial's index, Optuna's number and the parameters."""

    index: int
    number: int
    params: dict[str, Any]


Judge = Callable[[dict[str, Any]], Refusal | None]


class Study:
    """Ask and tell, in an order that depends on nothing but the seed.

    Optuna's trials are our trials and the refused draws between them. A refusal for cost is an
    infeasible PRUNED trial, from which the sampler learns; one for repetition is a FAIL, from which
    it does not.
    """

    def __init__(self, settings: StudySettings, space: Space, folder: Path) -> None:
        self.repaired = 0
        self._settings = settings
        self._space = space
        self._study = self._open(folder)
        self._claim()
        self._past = _Past(settings.name, self._study._storage)
        trials = self._study.get_trials(deepcopy=False)
        self._told = {
            t.user_attrs[_FOR]: t for t in trials if t.state != TrialState.RUNNING and _is_taken(t)
        }

    def _open(self, folder: Path) -> optuna.Study:
        objective = self._settings.objective
        try:
            return optuna.create_study(
                study_name=self._settings.name,
                storage=self._storage(folder),
                direction="maximize" if objective.mode == "max" else "minimize",
                load_if_exists=True,
                pruner=optuna.pruners.NopPruner(),
            )
        except Exception as error:  # whatever a database driver or a damaged file raises
            where = self._settings.storage or folder / JOURNAL
            mend = (
                "check the address, the server and PGPASSWORD, and that its driver is installed"
                if self._settings.storage
                else "delete it: it is made again from the finished trials"
            )
            reason = str(error).strip().partition("\n")[0]
            raise InputError(
                f"the Optuna storage {str(where)!r} cannot be opened "
                f"({type(error).__name__}: {reason}); {mend}"
            ) from error

    def _claim(self) -> None:
        """Refuse a study of other settings: a database knows studies by their name only."""
        text = json.dumps(self._settings.fixed() | {"plugins": []}, sort_keys=True)
        mark = hashlib.sha256(text.encode()).hexdigest()[:10]
        known = self._study.user_attrs.get(_SETTINGS)
        if known is None:
            self._study.set_user_attr(_SETTINGS, mark)
        elif known != mark:
            raise InputError(
                f"the Optuna storage holds another study {self._settings.name!r}, of other "
                "settings; give another --name"
            )

    def _storage(self, folder: Path) -> Any:
        if self._settings.storage:
            return self._settings.storage
        journal = folder / JOURNAL
        # The study's own lock is held: a lock file here was left by a coordinator that was killed.
        for stale in folder.glob(f"{JOURNAL}.lock*"):
            with suppress(FileNotFoundError):
                stale.unlink()
        self.repaired = repair_journal(journal)
        backend = JournalFileBackend(str(journal), JournalFileOpenLock(str(journal)))
        return optuna.storages.JournalStorage(backend)

    def ask(self, index: int, judge: Judge) -> Draw | None:
        """Draw trial ``index``; None where the space holds no further candidate.

        ``judge`` refuses a draw or takes it. A trial that was asked before is given again.
        """
        known = self._told.get(index)
        if known is not None:
            return Draw(index, known.number, known.params)
        self._past.told = max(0, index + 1 - self._settings.sampler.lookahead)
        refused = self._refused_for(index)
        while refused < _EXHAUSTED_AFTER:
            trial = self._open_draw(index, at_random=refused >= _RANDOM_AFTER)
            params = self._space.suggest(trial)
            refusal = judge(params)
            if refusal is None:
                return Draw(index, trial.number, params)
            self._refuse(trial, refusal)
            refused += 1
        return None

    def tell(
        self,
        draw: Draw,
        state: State,
        score: float | None,
        curve: Sequence[tuple[int, float]] = (),
    ) -> None:
        """Tell how a trial ended: its score, and some of its scores by epoch.

        A diverged trial is a pruned one without a curve, which to TPE is worse than any with one:
        its candidate is to blame. A failed one teaches nothing: the machine may be to blame.
        """
        frozen = self._study.get_trials(deepcopy=False)[draw.number]
        if frozen.state != TrialState.RUNNING:
            return  # told before the coordinator was killed
        trial = optuna.trial.Trial(self._study, frozen._trial_id)
        for epoch, value in curve:
            if epoch not in frozen.intermediate_values and state != "diverged":
                trial.report(value, epoch)
        if state in ("stopped", "diverged"):
            self._study.tell(trial, state=TrialState.PRUNED)
        elif state == "failed" or score is None:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, score)

    def summary(self) -> dict[str, int]:
        """How many draws were taken and refused, by state."""
        trials = self._study.get_trials(deepcopy=False)
        refused = [t for t in trials if _REFUSED in t.user_attrs]
        return {
            "drawn": len(trials),
            "refused_for_cost": len([t for t in refused if t.state == TrialState.PRUNED]),
            "refused_as_known": len([t for t in refused if t.state == TrialState.FAIL]),
            "running": len([t for t in trials if t.state == TrialState.RUNNING]),
        }

    def _open_draw(self, index: int, at_random: bool) -> optuna.Trial:
        """The draw that a killed coordinator left open, or a new one; the same sampler for both.

        A sampler that is made again repeats its draws, so each draw has a seed of its own.
        """
        left_open = self._left_open(index)
        number = left_open.number if left_open else len(self._study.get_trials(deepcopy=False))
        sampler = self._sampler(derive_seed(self._settings.seed, "draw", number), at_random)
        self._past.sampler = sampler
        if left_open is None:
            trial = self._past.ask()
        else:
            trial = optuna.trial.Trial(self._past, left_open._trial_id)
            self._draw_again(trial, left_open, sampler)
        if _FOR not in trial.user_attrs:
            trial.set_user_attr(_FOR, index)
        return trial

    def _draw_again(
        self, trial: optuna.Trial, left_open: FrozenTrial, sampler: optuna.samplers.BaseSampler
    ) -> None:
        """Use up the random numbers that the values which are stored already have taken."""
        known = left_open.distributions
        if len(known) == len(self._space.parameters):
            return  # nothing is left to be drawn
        for name in [p.path for p in self._space.parameters if p.path in known]:
            if not known[name].single() and name not in trial.relative_params:
                sampler.sample_independent(self._past, left_open, name, known[name])

    def _left_open(self, index: int) -> FrozenTrial | None:
        """A RUNNING trial drawn for this index, or the last one if it was not yet labelled."""
        trials = self._study.get_trials(deepcopy=False)
        for trial in reversed(trials):
            if trial.state == TrialState.RUNNING and trial.user_attrs.get(_FOR) == index:
                return trial
        last = trials[-1] if trials else None
        unlabelled = last is not None and _FOR not in last.user_attrs
        return last if last is not None and unlabelled and last.state.name == "RUNNING" else None

    def _sampler(self, seed: int, at_random: bool) -> optuna.samplers.BaseSampler:
        if at_random or self._settings.sampler.name == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        startup = self._settings.sampler.startup_trials
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)

    def _refuse(self, trial: optuna.Trial, refusal: Refusal) -> None:
        trial.set_user_attr(_REFUSED, refusal.reason)
        known = self._study.get_trials(deepcopy=False)[trial.number].constraints
        for name, value in (refusal.excess or {}).items():
            if name not in known:  # as it is where a coordinator was killed in the middle of this
                trial.set_constraint(name, value)
        state = TrialState.PRUNED if refusal.excess else TrialState.FAIL
        self._study.tell(trial, state=state)

    def _refused_for(self, index: int) -> int:
        """Draws for this trial that were refused before; only the last trials can be of it."""
        count = 0
        for trial in reversed(self._study.get_trials(deepcopy=False)):
            if trial.user_attrs.get(_FOR) not in (index, None):
                break
            count += _REFUSED in trial.user_attrs and trial.state != TrialState.RUNNING
        return count


class _Past(optuna.Study):
    """The study as it was when the first ``told`` of our trials were told; samplers see this one.

    So a study that goes on with more trials, or whose storage is made again from its folder, draws
    what it would have drawn in one go. A trial that was told later is one that runs.
    """

    told = 0

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        trials = map(self._as_it_was, super()._get_trials(deepcopy))
        return [trial for trial in trials if states is None or trial.state in states]

    def _as_it_was(self, trial: FrozenTrial) -> FrozenTrial:
        if not _is_taken(trial) or trial.user_attrs[_FOR] < self.told:
            return trial
        trial = copy.copy(trial)
        trial.state, trial.values, trial.intermediate_values = TrialState.RUNNING, None, {}
        return trial


def _is_taken(trial: FrozenTrial) -> bool:
    """Whether a draw became one of our trials."""
    return _FOR in trial.user_attrs and _REFUSED not in trial.user_attrs


def sample_params(space: Space, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Random points of a space, of no study."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(count):
        yield space.suggest(study.ask())
