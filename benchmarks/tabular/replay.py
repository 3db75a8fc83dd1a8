"""A study whose trainings are looked up in the table: the real search, in a second."""

import dataclasses
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import optuna

from benchmarks.tabular.table import Table
from hybrid_swin.errors import InputError
from search.execution.dispatcher import Dispatcher
from search.execution.training import falls_short
from search.execution.view import Silent
from search.records.runs import FinishedRun, RunResult, RunSpec
from search.settings.experiment import ObjectiveSettings
from search.settings.study import StudySettings
from search.space.space import Space
from search.study.candidates import Candidates
from search.study.coordinator import Coordinator
from search.study.random_candidates import RandomCandidates
from search.study.sampling.study import OptunaStudy

# Images: so that rungs of images are asked for, which the table then refuses.
_MANY = 10**6


class TableDispatcher:
    """Stands for a `search.execution.dispatcher.Dispatcher`: answers every run from a table.

    As in a worker, a run stops itself at the first rung that it falls short of, unless that is its
    last epoch. The search is on one seed of the table; retrained runs are on the others, in turn.

    Args:
        table: the trainings.
        objective: the metric that rungs look at.
        table_seed: of the search.
    """

    def __init__(self, table: Table, objective: ObjectiveSettings, table_seed: int) -> None:
        self._table, self._objective, self._seed = table, objective, table_seed
        self._others = [seed for seed in table.seeds if seed != table_seed]
        self._waiting: deque[FinishedRun] = deque()
        self.ended: list[FinishedRun] = []

    @property
    def busy(self) -> bool:
        """Whether any answer has not been fetched."""
        return bool(self._waiting)

    def submit(self, spec: RunSpec, begun: bool = False) -> None:
        """Take a run.

        Raises:
            InputError: one that is not in the table.
        """
        self._waiting.append((spec, self._answer(spec)))

    def results(self, timeout: float = 1.0) -> Iterator[FinishedRun]:
        """All that was submitted and not fetched, in order."""
        while self._waiting:
            self.ended.append(self._waiting.popleft())
            yield self.ended[-1]

    def _answer(self, spec: RunSpec) -> RunResult:
        if spec.image_rungs:
            raise InputError("the table holds no trainings on few images; give rungs.over epochs")
        if spec.kind == "reference":
            return RunResult(spec.key, 1, "complete", None)  # no network, so not in the table
        training = self._table.training(spec.candidate_id, self._seed_of(spec))
        monitor, last = self._objective.monitor, training.epochs
        curve, epochs = training.curves[monitor], last
        for epoch, score in enumerate(curve[:-1], start=1):
            cutoff = spec.cutoffs.get(str(epoch))
            if cutoff is not None and falls_short(score, cutoff, self._objective.mode):
                epochs = epoch
                break
        history = tuple(
            {"epoch": epoch + 1, **{name: c[epoch] for name, c in training.curves.items()}}
            for epoch in range(epochs)
        )
        seconds = training.cost(epochs)
        return RunResult(
            key=spec.key,
            attempt=1,
            state="complete" if epochs == last else "stopped",
            score=curve[epochs - 1],
            epochs=epochs,
            epochs_planned=last,
            passes=float(epochs),
            history=history,
            metrics={name: c[epochs - 1] for name, c in training.curves.items()},
            seconds={"fit": seconds, "total": seconds},
        )

    def _seed_of(self, spec: RunSpec) -> int:
        if spec.stage == "search":
            return self._seed
        if not self._others:
            raise InputError("retrained runs need a table of two seeds and more")
        return self._others[spec.seed_index % len(self._others)]


@dataclass(frozen=True)
class Replayed:
    """A study that was replayed.

    Args:
        trials: in the order in which they were told.
        others: baselines, audits, finalists and random runs, in the order in which they ended.
        asking: seconds per trial that asking and telling took.
    """

    trials: list[FinishedRun]
    others: list[FinishedRun]
    asking: float


def replay_study(settings: StudySettings, table: Table, table_seed: int) -> Replayed:
    """Run a study as `search.launch.study.launch_study` does, on the table.

    Raises:
        InputError: settings that the table does not answer.
    """
    if table_seed not in table.seeds:
        raise InputError(f"unknown table seed {table_seed}; the table has {table.seeds}")
    space = Space(settings.variant, settings.recipe)
    candidates = Candidates(settings, space)
    dispatcher = TableDispatcher(table, settings.objective, table_seed)
    with tempfile.TemporaryDirectory() as folder:
        settings = dataclasses.replace(settings, folder=folder)
        settings.path.mkdir()
        storage = optuna.storages.InMemoryStorage()
        study = _Timed(OptunaStudy(settings, space, Path(folder), storage=storage))
        try:
            Coordinator(
                settings,
                settings.path,
                candidates,
                RandomCandidates(settings, space, candidates),
                cast(OptunaStudy, study),
                cast(Dispatcher, dispatcher),
                train_images=_MANY,
                reference={},
                view=Silent(),
            ).run()
        finally:
            study.close()
    trials = [run for run in dispatcher.ended if run[0].kind == "trial"]
    others = [run for run in dispatcher.ended if run[0].kind != "trial"]
    return Replayed(trials, others, study.seconds / max(1, len(trials)))


class _Timed:
    """A study that adds up the seconds of asking and telling."""

    def __init__(self, study: OptunaStudy) -> None:
        self._study = study
        self.knows = study.knows
        self.close = study.close
        self.seconds = 0.0

    def ask(self, *arguments: Any) -> Any:
        begin = time.perf_counter()
        try:
            return self._study.ask(*arguments)
        finally:
            self.seconds += time.perf_counter() - begin

    def tell(self, *arguments: Any) -> None:
        begin = time.perf_counter()
        self._study.tell(*arguments)
        self.seconds += time.perf_counter() - begin
