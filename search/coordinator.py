"""The loop of a study: baselines, search, finalists, leaderboard. It never trains itself.

A study is a function of its settings and its seed. Trial i is asked when exactly the trials before
i - lookahead + 1 are told, results are told in the trials' order, and what a job needs to know
(cut-offs, seeds) travels with it; so neither the workers' number nor their timing changes anything.
The folder is the truth: a result is on the disk before Optuna hears of it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from search.candidates import Candidates, choose_finalists
from search.dispatcher import Dispatcher, View
from search.run_folder import RunResult, RunSpec
from search.rungs import Rungs
from search.settings import StudySettings
from search.study import Draw, Study
from search.study_folder import record_test_read

# Points of a learning curve that Optuna keeps beside the rungs: enough for a dashboard's plot.
_CURVE_POINTS = 10


class Coordinator:
    """Runs one study to its end.

    Args:
        settings: the study.
        folder: where it lies, locked by the caller.
        candidates: what may be trained.
        study: the Optuna side.
        dispatcher: runs what is submitted.
        data: what is known of the images, as by ``about_data``.
        on_finished: called with each run that has ended, for mirrors.
        view: what watches.
    """

    def __init__(
        self,
        settings: StudySettings,
        folder: Path,
        candidates: Candidates,
        study: Study,
        dispatcher: Dispatcher,
        data: Mapping[str, Any],
        on_finished: Callable[[RunSpec], None],
        view: View,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._candidates = candidates
        self._study = study
        self._dispatcher = dispatcher
        self._data = data
        self._on_finished = on_finished
        self._view = view
        self._ended: dict[str, tuple[RunSpec, RunResult]] = {}
        self._all_asked = False

    def run(self) -> None:
        """Everything, or what is left of it."""
        top, trials = self._settings.finalists.top, self._settings.trials
        self._expect(trials, min(top, trials))
        for spec in self._candidates.baselines:
            self._dispatcher.submit(spec)
        if self._settings.data.class_path is None:
            self._submit_final(self._candidates.reference())
        told = self._search()
        finalists = choose_finalists(told, top, self._settings.objective.mode)
        self._expect(len(told), len(finalists))
        self._submit_finals(finalists)
        while self._dispatcher.busy:
            self._collect()

    def _search(self) -> list[tuple[RunSpec, RunResult]]:
        """Ask and tell until the trials are done; returns them."""
        objective, halving = self._settings.objective, self._settings.rungs
        rungs = Rungs(halving.first, halving.factor, objective.monitor, objective.mode)
        asked: list[tuple[Draw, RunSpec]] = []
        told: list[tuple[RunSpec, RunResult]] = []
        last = self._ask(asked, rungs, told=0, last=self._settings.trials)
        while len(told) < last:
            draw, spec = asked[len(told)]
            while spec.key not in self._ended:
                self._collect()
            told.append(self._ended[spec.key])
            self._tell(draw, told[-1][1], rungs)
            last = self._ask(asked, rungs, len(told), last)
        return told

    def _ask(self, asked: list[tuple[Draw, RunSpec]], rungs: Rungs, told: int, last: int) -> int:
        """Ask and submit all trials that the told ones allow; returns how many there will be."""
        while len(asked) < min(last, told + self._settings.sampler.lookahead):
            draw = self._study.ask(len(asked), self._candidates.judge)
            if draw is None:
                self._view.note(
                    f"the space holds no further candidate after {len(asked)} trials: every draw "
                    "was known already or beyond the budget"
                )
                last = len(asked)
                self._expect(last, min(self._settings.finalists.top, last))
                break
            spec = self._candidates.trial(draw, rungs.cutoffs())
            asked.append((draw, spec))
            self._dispatcher.submit(spec)
        if len(asked) == last and not self._all_asked:
            # Baselines are finalists whatever the search says: workers need not wait for its end.
            self._submit_finals(self._candidates.baselines)
            self._all_asked = True
        return last

    def _tell(self, draw: Draw, result: RunResult, rungs: Rungs) -> None:
        monitor = self._settings.objective.monitor
        rungs.tell(result.history)
        every = max(1, result.epochs_planned // _CURVE_POINTS)
        curve = [
            (int(epoch["epoch"]), float(epoch[monitor]))
            for epoch in result.history
            if monitor in epoch
            and (epoch["epoch"] % every == 0 or epoch["epoch"] in (*rungs.epochs, result.epochs))
        ]
        self._study.tell(draw, result.state, result.score, curve)

    def _expect(self, trials: int, finalists: int) -> None:
        """Say how many runs the study comes to."""
        baselines, seeds = len(self._candidates.baselines), self._settings.finalists.seeds
        reference = self._settings.data.class_path is None
        finals = (baselines + finalists) * seeds
        self._view.expect(baselines + reference + trials + finals)

    def _submit_finals(self, specs: Sequence[RunSpec]) -> None:
        """Seed by seed, so that all rows fill up alike."""
        for index in range(self._settings.finalists.seeds):
            for spec in specs:
                self._submit_final(self._candidates.finalist(spec, index))

    def _submit_final(self, spec: RunSpec) -> None:
        record_test_read(self._folder, "study", spec.key, spec.candidate_id, self._data)
        self._dispatcher.submit(spec)

    def _collect(self) -> None:
        for spec, result in self._dispatcher.results():
            self._ended[spec.key] = (spec, result)
            self._on_finished(spec)
