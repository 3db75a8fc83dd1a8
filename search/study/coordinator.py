"""The loop of a study: baselines, search, finalists, leaderboard. It never trains itself.

A study is a function of its settings and its seed. Trial i is asked when exactly the trials before
i - lookahead + 1 are told, results are told in the trials' order, and what a job needs to know
(cut-offs, seeds) travels with it; so neither the workers' number nor their timing changes anything.
The folder is the truth: a result is on the disk before Optuna hears of it.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from search.execution.dispatcher import Dispatcher
from search.execution.view import View
from search.records.finalists_file import write_finalists
from search.records.imported import Imported
from search.records.looks import read_looks
from search.records.runs import RESULT_FILE, FinishedRun, RunSpec
from search.records.time_limit import LEAST_SEEDS
from search.settings.study import StudySettings
from search.study import objectives
from search.study.candidates import Candidates
from search.study.deadline import Deadline, no_deadline
from search.study.expected_runs import expected_runs, full_trainings
from search.study.finalists import choose_finalists, each_once
from search.study.imported_trials import ImportedTrials
from search.study.looks import next_target
from search.study.proposals import Proposals
from search.study.random_candidates import RandomCandidates, training_cost
from search.study.rungs import Rungs
from search.study.sampling.study import OptunaStudy

# Seconds to wait for workers while a proposal is being made, and while none is.
_SHORT, _LONG = 0.02, 1.0
_AHEAD = 2  # retrained networks that wait for each worker before a further seed is decided


class Coordinator:
    """Runs one study, whose folder the caller has locked, to its end.

    Args:
        train_images: of the study's data; 0 if unknown.
        reference: the point from which hypervolumes are measured.
        imported: the candidates that are tried first; None for none.
        deadline: until when it must have ended; None for no such limit.
    """

    def __init__(
        self,
        settings: StudySettings,
        folder: Path,
        candidates: Candidates,
        randoms: RandomCandidates,
        study: OptunaStudy,
        dispatcher: Dispatcher,
        train_images: int,
        reference: Mapping[str, float],
        view: View,
        deadline: Deadline | None = None,
        imported: Imported | None = None,
    ) -> None:
        self._settings = settings
        self._imported = ImportedTrials(imported)
        self._seeds = next_target(settings.finalists.looks, read_looks(folder))
        self._deadline = deadline or no_deadline()
        self._folder = folder
        self._candidates = candidates
        self._randoms = randoms
        self._dispatcher = dispatcher
        self._train_images = train_images
        self._reference = reference
        self._view = view
        self._study = study
        self._results: dict[str, FinishedRun] = {}
        objective = settings.objective
        over_images = settings.rungs.over == "images"
        most = train_images if over_images else candidates.epochs
        self._rungs = Rungs(settings.rungs, objective.monitor, objective.mode, settings.seed, most)
        decided = self._deadline.limit.trials  # in an earlier start
        self._trials = min(settings.trials, decided or settings.trials)
        self._means = list(randoms.finals(settings.finalists.random))
        expected = expected_runs(
            settings, candidates, train_images, self._seeds, self._imported.num_taken_over
        )
        self._expected = replace(expected, means=len(self._means))
        results = folder.glob(f"finalists/*/*/{RESULT_FILE}")
        self._ended_finals = sum(1 for _ in results)  # in an earlier start

    def run(self) -> None:
        """Everything, or what is left of it."""
        self._expect()
        for spec in self._candidates.baselines:
            self._dispatcher.submit(spec)
        if self._settings.data.class_path is None:
            self._dispatcher.submit(self._candidates.reference())
        with Proposals(self._study, self._candidates) as asking:
            trials = self._search(asking)
            asking.finish()
        audits = self._audits(trials)
        more = [*audits, *self._random_search(trials, audits)]
        self._expect(audits=len(audits), random_search=len(more) - len(audits), about=False)
        for spec in more:
            self._dispatcher.submit(spec)
        audited, random = (
            [self._wait_for(spec) for spec in more if spec.kind == kind]
            for kind in ("audit", "random")
        )
        top = self._finalists_in_time()
        chosen = {
            "baselines": self._candidates.baselines,
            "search": self._choose([*trials, *audited], top),
            "random_search": self._choose(random, top),
        }
        write_finalists(self._folder, chosen, self._view.note)
        both = [*chosen["search"], *chosen["random_search"]]
        finalists = each_once(both, self._candidates.baselines)
        self._expect(top=len(finalists))
        self._submit_finals_in_time(finalists)
        while self._dispatcher.busy:
            self._collect(_LONG)

    def _search(self, asking: Proposals) -> list[FinishedRun]:
        """Ask and tell until the trials are done; returns them."""
        last, lookahead = self._trials, self._settings.sampler.lookahead
        num_proposals = 0
        waiting: deque[RunSpec] = deque()  # without a result so far
        trials: list[FinishedRun] = []  # of 10,000, so light
        num_asked = 0

        def ask_ahead() -> None:
            nonlocal num_asked, last
            while num_asked < min(last, self._imported.ahead_of(len(trials), lookahead)):
                if num_asked >= lookahead and not self._has_time_for(num_asked, len(trials)):
                    last = num_asked
                    if num_proposals == last:
                        self._submit_independent()
                    return
                self._ask(asking, num_asked)
                num_asked += 1

        ask_ahead()
        if not last:
            self._submit_independent()
        while len(trials) < last:
            idle = not self._dispatcher.busy
            for trial in asking.next(_LONG if idle else _SHORT):
                if trial is None:
                    last = min(last, num_proposals)
                    continue
                num_proposals += 1
                waiting.append(trial)
                self._submit_trial(trial, num_proposals - 1)
                if num_proposals == last:
                    self._submit_independent()
            if last == num_proposals < self._trials:
                self._say_used_up(last)
            if self._dispatcher.busy:
                self._collect(0.0 if len(asking) else _LONG)
            while waiting and waiting[0].key in self._results:
                spec, number = waiting.popleft(), len(trials)
                result = self._results.pop(spec.key)[1]
                if not spec.imported_from:
                    self._rungs.tell(number, result)
                values = objectives.finite_values(spec, result, self._settings.objective.against)
                asking.tell(number, result, values, self._rungs.curve(result))
                trials.append(
                    (self._candidates.light(spec), replace(result, history=(), metrics={}))
                )
                ask_ahead()
        return trials

    def _ask(self, asking: Proposals, index: int) -> None:
        """Ask for a trial; rungs neither stop what was imported nor learn from it.

        It was chosen elsewhere for being good: among such, the share that goes on would be unfair
        to the study's own trials.
        """
        origin = self._imported.origin(index)
        if origin:
            asking.ask(index, {}, (), origin)
        else:
            asking.ask(index, self._rungs.cutoffs(index), self._rungs.images(index))

    def _submit_trial(self, trial: RunSpec, index: int) -> None:
        known = self._imported.known(trial, index)
        if known is not None:
            self._dispatcher.adopt(trial, *known)
        self._dispatcher.submit(trial, trial.key in self._candidates.begun)

    def _has_time_for(self, index: int, num_results: int) -> bool:
        """Whether a further trial leaves time for the finalists."""
        if index < self._deadline.least_trials:
            return True
        expected = self._expected
        chance = expected.random_search > 0
        trained = index - min(index, self._imported.num_taken_over)
        worth = full_trainings(self._settings, trained, max(1, self._rungs.most))
        finals = (expected.baselines + expected.top) * self._seeds + expected.means
        if self._deadline.allows_trial(
            index,
            search=max(self._dispatcher.running, index - num_results) + expected.audits,
            random_search=worth + expected.audits if chance else 0,
            finals=max(0, finals - self._ended_finals),
        ):
            return True
        self._view.note(self._deadline.last_word)
        self._trials = index
        self._expect(trials=index)
        return False

    def _submit_independent(self) -> None:
        """What the search's outcome does not change: workers need not wait for its end."""
        self._submit_finals(self._candidates.baselines, self._least_seeds)
        for spec in self._means:
            self._dispatcher.submit(spec)

    def _say_used_up(self, trials: int) -> None:
        self._view.note(
            f"no further candidate was found after {trials} trials: all that was proposed "
            "is known already or beyond the budget"
        )
        self._trials = trials
        arms = 2 if self._settings.sampler.random_search else 1
        self._expect(trials=trials, top=min(self._expected.top, trials * arms))
        self._submit_independent()

    def _audits(self, trials: Sequence[FinishedRun]) -> list[RunSpec]:
        """Stopped trials to be trained to their end, drawn at random."""
        drawn = self._rungs.audited(trials)
        return [self._candidates.audit(self._candidates.whole(spec)) for spec in drawn]

    def _random_search(
        self, trials: Sequence[FinishedRun], audits: Sequence[RunSpec]
    ) -> list[RunSpec]:
        """Random candidates that cost as much to train as the search and its audits do."""
        if not self._settings.sampler.random_search:
            return []
        return list(self._randoms.search(training_cost(trials, audits, self._train_images)))

    def _finalists_in_time(self) -> int:
        """So many of the best of each search that at least three seeds of all fit, if they can."""
        most, early = self._settings.finalists.top, len(self._least_seeds)
        seeds, baselines = min(self._seeds, LEAST_SEEDS), len(self._candidates.baselines)
        if early >= seeds:
            return most
        arms = 2 if self._settings.sampler.random_search else 1
        waiting = self._dispatcher.running + baselines * (seeds - early) - self._ended_finals
        top = self._deadline.finalists_in_time(
            most, lambda top: max(0, waiting + arms * top * seeds)
        )
        if top < most:
            self._view.note(self._deadline.last_word)
        return top

    def _choose(self, runs: Sequence[FinishedRun], top: int) -> list[RunSpec]:
        chosen = choose_finalists(runs, top, self._settings.objective, self._reference)
        return [self._candidates.whole(spec) for spec in chosen]

    def _expect(self, **known: Any) -> None:
        """Say how many runs the study comes to, with what is known by now."""
        self._expected = expected = replace(self._expected, **known)
        self._view.expect(expected.total, expected.by_folder, expected.about)

    @property
    def _least_seeds(self) -> range:
        """Those that are trained in any case."""
        return range(min(self._seeds, self._deadline.least_seeds))

    def _submit_finals(self, specs: Sequence[RunSpec], seeds: Sequence[int]) -> None:
        """Seed by seed, so that all rows fill up alike."""
        for index in seeds:
            for spec in specs:
                self._dispatcher.submit(self._candidates.finalist(spec, index))

    def _submit_finals_in_time(self, finalists: Sequence[RunSpec]) -> None:
        """The finals seed by seed, as long as the next seed of all rows leaves none unfinished."""
        deadline = self._deadline
        self._submit_finals(finalists, self._least_seeds)
        rows = [*self._candidates.baselines, *finalists]
        for index in range(len(self._least_seeds), self._seeds):
            while self._dispatcher.running > _AHEAD * deadline.slots:
                self._collect(_LONG)
            to_come = self._to_come(rows, index)
            if not deadline.allows_seed(index, to_come, self._dispatcher.running):
                self._view.note(deadline.last_word)
                self._seeds = index
                self._expect(seeds=index)
                return
            self._submit_finals(rows, [index])

    def _to_come(self, specs: Sequence[RunSpec], index: int) -> int:
        """Trainings of one seed that no earlier start has ended."""
        keys = [self._candidates.finalist(spec, index).key for spec in specs]
        return sum(not (self._folder / key / RESULT_FILE).exists() for key in keys)

    def _wait_for(self, spec: RunSpec) -> FinishedRun:
        while spec.key not in self._results:
            self._collect(_LONG)
        return self._results[spec.key]

    def _collect(self, timeout: float) -> None:
        for spec, result in self._dispatcher.results(timeout):
            self._deadline.heard(spec, result)
            if spec.kind in ("trial", "audit", "random"):
                self._results[spec.key] = (spec, result)  # somebody waits for it
