"""One study as typed data: what `configs/search/*.yaml` holds and the command line overrides."""

from dataclasses import dataclass, field
from typing import Any, Literal

from hybrid_swin.errors import InputError
from search.experiment import ExperimentSettings, check_least

DEFAULT_CONFIG = "configs/search/digits.yaml"


@dataclass(frozen=True)
class BudgetSettings:
    """What a network may cost; what costs more is refused before it is trained.

    Args:
        parameters: at most so many, as a number or with K, M or G (`2M`).
        macs: at most so many multiply-accumulates for one image, as a number or with K, M, G.
    """

    parameters: int | float | str | None = None
    macs: int | float | str | None = None


@dataclass(frozen=True)
class SamplerSettings:
    """How candidates are proposed.

    Args:
        name: tpe learns from results; random does not.
        startup_trials: so many trials are drawn at random before TPE starts to learn.
        lookahead: trial i is asked when the trials before i - lookahead are told, whatever the
            workers' timing, so that a study depends on its seed only; at least twice the workers.
    """

    name: Literal["tpe", "random"] = "tpe"
    startup_trials: int = 6
    lookahead: int = 8


@dataclass(frozen=True)
class RungSettings:
    """Early stopping of poor trials (successive halving over epochs).

    Args:
        first: epoch of the first rung; 0 trains every trial to its end.
        factor: a trial goes on past a rung if it is among the best 1/factor there; the next rung
            is factor times as many epochs away.

    Source: A System for Massively Parallel Hyperparameter Tuning, 2018,
    https://arxiv.org/abs/1810.05934
    """

    first: int = 5
    factor: int = 3


@dataclass(frozen=True)
class FinalistSettings:
    """What is retrained from scratch and tested.

    Args:
        top: the best trials that become finalists, beside all baselines.
        seeds: fresh seeds for each; at least 5 for a claim, better 8 to 10.
    """

    top: int = 3
    seeds: int = 3


@dataclass(frozen=True)
class BaselineSettings:
    """A row that every result is seen against; trained like a finalist, never searched over.

    Args:
        label: its name on the leaderboard; the block words where left out.
        blocks: block words for every stage.
        set: other values by path, for example {stages.0.width: 48, recipe.learning_rate: 0.001}.
            What is a choice in the space and is not set takes its first value.
    """

    blocks: tuple[str, ...] = ()
    label: str = ""
    set: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StudySettings(ExperimentSettings):
    """One study.

    Args:
        name: the study's name and its folder's.
        folder: where studies are kept.
        seed: everything random in the study derives from it.
        plugins: files of your own branches, fusions or data sources.
        data: what is trained on.
        variant: the network, with {choose: [...]} or {from:, to:, step:|log:} where a value is
            searched; {same_as: path} and {times: [path, factor]} tie values.
        recipe: how it is trained; choices as above.
        objective: what is improved.
        workers: where trainings run.
        wandb: the mirror in Weights & Biases.
        budget: what a network may cost.
        baselines: rows that every result is seen against.
        sampler: how candidates are proposed.
        trials: candidates to train.
        rungs: early stopping of poor trials.
        finalists: what is retrained over seeds and tested.
        storage: the Optuna storage's URL; a journal file in the study's folder where left out. A
            password belongs in the environment: postgresql://user@host/db with PGPASSWORD.
    """

    free = (*ExperimentSettings.free, "trials", "finalists", "storage")

    budget: BudgetSettings = field(default_factory=BudgetSettings)
    baselines: tuple[BaselineSettings, ...] = ()
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    trials: int = 16
    rungs: RungSettings = field(default_factory=RungSettings)
    finalists: FinalistSettings = field(default_factory=FinalistSettings)
    storage: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(
            {
                "trials": (self.trials, 0),
                "sampler.startup_trials": (self.sampler.startup_trials, 1),
                "sampler.lookahead": (self.sampler.lookahead, 1),
                "rungs.first": (self.rungs.first, 0),
                "rungs.factor": (self.rungs.factor, 2),
                "finalists.top": (self.finalists.top, 0),
                "finalists.seeds": (self.finalists.seeds, 1),
            }
        )
        if self.storage and _holds_password(self.storage):
            raise InputError(
                "storage holds a password, which would be written into the study's "
                "settings; leave it out and set PGPASSWORD instead"
            )


def _holds_password(url: str) -> bool:
    """Whether a storage's URL is of the form user:password@host, or names a password behind."""
    _, _, place = url.partition("://")
    user, at, _ = place.rpartition("@")
    return bool(at and ":" in user) or "password=" in place.lower()
