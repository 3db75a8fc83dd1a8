"""What is compared on the table: our samplers and rungs, and Optuna as its users write it."""

import dataclasses
import time
from dataclasses import dataclass
from typing import Any, Literal

import optuna

from benchmarks.tabular.replay import replay_study
from benchmarks.tabular.table import Table
from search.settings.study import (
    FinalistSettings,
    RungSettings,
    SamplerName,
    SamplerSettings,
    StudySettings,
)
from search.space.space import Space

Stopping = Literal["none", "asha", "hyperband", "halving", "median"]
RUNGS: dict[str, RungSettings] = {
    "none": RungSettings(first=0, audit=0),
    "asha": RungSettings(first=2, factor=3, audit=0),
    "hyperband": RungSettings(name="hyperband", first=2, factor=3, audit=0),
}


@dataclass(frozen=True)
class Method:
    """One way to search; ``plain`` is Optuna without any of ours."""

    sampler: SamplerName
    stopping: Stopping
    plain: bool = False

    @property
    def name(self) -> str:
        """As it stands in results."""
        rungs = "" if self.stopping == "none" else f" + {self.stopping}"
        return f"{'Optuna ' if self.plain else ''}{self.sampler}{rungs}"


BASELINE = Method("random", "none")
SAMPLERS: tuple[SamplerName, ...] = ("random", "grid", "nsga2", "tpe", "gp")
STOPPINGS: tuple[Stopping, ...] = ("none", "asha", "hyperband")
PLAIN: tuple[Stopping, ...] = ("none", "halving", "median")
METHODS = (
    *(Method(sampler, stopping) for sampler in SAMPLERS for stopping in STOPPINGS),
    *(Method("tpe", stopping, plain=True) for stopping in PLAIN),
)


@dataclass(frozen=True)
class Step:
    """One trial: what was trained, for how many epochs, and whether it counts as complete."""

    candidate: str
    epochs: int
    complete: bool


@dataclass(frozen=True)
class Course:
    """One search: its trials in order, on a seed of the table; seconds per trial of asking."""

    table_seed: int
    steps: tuple[Step, ...]
    asking: float


def play(
    method: Method, settings: StudySettings, table: Table, seed: int, table_seed: int, trials: int
) -> Course:
    """Search once.

    Args:
        method: how.
        settings: of the space, the objective and the lookahead.
        table: the trainings.
        seed: of the search.
        table_seed: of the trainings.
        trials: how many.
    """
    if method.plain:
        return _play_plain(method, settings, table, seed, table_seed, trials)
    sampler = SamplerSettings(method.sampler, lookahead=settings.sampler.lookahead)
    replayed = replay_study(
        dataclasses.replace(
            settings,
            seed=seed,
            trials=trials,
            sampler=sampler,
            rungs=RUNGS[method.stopping],
            finalists=FinalistSettings(top=0, seeds=1, random=0),
        ),
        table,
        table_seed,
    )
    steps = (
        Step(spec.candidate_id, result.epochs, result.state == "complete")
        for spec, result in replayed.trials
    )
    return Course(table_seed, tuple(steps), replayed.asking)


def _play_plain(
    method: Method, settings: StudySettings, table: Table, seed: int, table_seed: int, trials: int
) -> Course:
    """One trial after the other; what is proposed again is trained again."""
    space = Space(settings.variant, settings.recipe)
    monitor, steps = settings.objective.monitor, []

    def objective(trial: optuna.Trial) -> float:
        candidate = table.candidate_of(space.suggest(trial))
        curve = table.training(candidate, table_seed).curves[monitor]
        for epoch, score in enumerate(curve, start=1):
            trial.report(score, epoch)
            if trial.should_prune():
                steps.append(Step(candidate, epoch, complete=False))
                raise optuna.TrialPruned
        steps.append(Step(candidate, len(curve), complete=True))
        return curve[-1]

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=_pruner(method.stopping),
    )
    begin = time.perf_counter()
    study.optimize(objective, n_trials=trials)
    return Course(table_seed, tuple(steps), (time.perf_counter() - begin) / trials)


def _pruner(stopping: str) -> Any:
    """Optuna's, at its defaults."""
    if stopping == "halving":
        return optuna.pruners.SuccessiveHalvingPruner()
    return optuna.pruners.MedianPruner() if stopping == "median" else optuna.pruners.NopPruner()
