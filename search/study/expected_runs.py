"""How many runs of each kind a study comes to: an estimate where its trials decide that."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.settings.study import StudySettings
from search.study.candidates import Candidates
from search.study.rungs import Rungs


@dataclass(frozen=True)
class RunCounts:
    """Runs of a study, by kind."""

    baselines: int  # trained as the search trains
    references: int  # of no network at all
    trials: int  # of the search, as many as the space may hold
    audits: int  # stopped trials that are trained to their end
    random_search: int  # random candidates that together cost what the search does
    means: int  # random candidates trained as finalists
    top: int  # candidates that are retrained beside the baselines
    seeds: int  # over which these and the baselines are retrained
    about: bool  # whether some of them are an estimate

    @property
    def by_folder(self) -> dict[str, int]:
        """Runs by the folder that the runs of one kind have."""
        return {
            "trials": self.trials,
            "baselines": self.baselines,
            "audits": self.audits,
            "random": self.random_search + self.means,
            "finalists": (self.baselines + self.top) * self.seeds,
            "references": self.references,
        }

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_folder.values())

    @property
    def words(self) -> str:
        """The total, with "about" before an estimate."""
        return f"{'about ' * self.about}{self.total}"


def expected_runs(
    settings: StudySettings,
    candidates: Candidates,
    train_images: int = 0,
    seeds: int | None = None,
    taken_over: int = 0,
) -> RunCounts:
    """What a study comes to, as far as can be seen before it begins.

    ``train_images`` count where rungs take part of them. ``seeds`` are the fresh ones up to the
    next planned look; those of the last one where left out. ``taken_over`` trials cost nothing.
    """
    most = math.inf if candidates.combinations is None else candidates.combinations
    trials = int(min(settings.trials, most))
    finalists, chance = settings.finalists, settings.sampler.random_search
    audits = min(settings.rungs.audit, trials) if can_stop(settings, candidates.epochs) else 0
    most_of_a_rung = train_images if settings.rungs.over == "images" else candidates.epochs
    trained = max(0, trials - taken_over)
    worth = full_trainings(settings, trained, max(1, most_of_a_rung)) + audits
    return RunCounts(
        baselines=len(candidates.baselines),
        references=int(settings.data.class_path is None),
        trials=trials,
        audits=audits,
        random_search=int(min(math.ceil(worth), most)) if chance else 0,
        means=int(min(finalists.random, most)),
        top=min(finalists.top, trials) * (2 if chance else 1),
        seeds=seeds or max(finalists.looks),
        about=chance or audits > 0,
    )


def can_stop(settings: StudySettings, epochs: int) -> bool:
    """Whether a rung may stop a trial before its end."""
    rungs = settings.rungs
    before_the_end = rungs.over == "images" or rungs.first < epochs
    return bool(settings.trials and rungs.first and before_the_end)


def full_trainings(settings: StudySettings, trials: int, most: int) -> float:
    """How many trainings to the end cost what the trials do, if each rung passes 1/factor on."""
    over, factor, objective = settings.rungs.over, settings.rungs.factor, settings.objective
    rungs = Rungs(settings.rungs, objective.monitor, objective.mode, settings.seed, most)
    return sum(_share([*rungs.of(i), most], factor, over == "images") for i in range(trials))


def _share(ends: Sequence[int], factor: float, anew: bool) -> float:
    """What one trial is expected to cost, in trainings to the end; ``anew``: at every rung."""
    begins = [0] * len(ends) if anew else [0, *ends[:-1]]
    steps = zip(begins, ends, strict=True)
    costs = ((end - begin) / factor**k for k, (begin, end) in enumerate(steps))
    return sum(costs) / ends[-1]
