"""One study as typed data: what `configs/search/*.yaml` holds and the command line overrides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from hybrid_swin.spec.values import Range
from search.settings.experiment import (
    MOST_TRAININGS,
    ExperimentSettings,
    ObjectiveSettings,
    check_looks,
    check_size,
    looks_of,
)
from search.settings.names import check_label
from search.settings.storage_url import check_hosts, check_storage

DEFAULT_CONFIG = "configs/search/digits.yaml"


SamplerName = Literal["auto", "tpe", "gp", "nsga2", "random", "grid"]
CostName = Literal["parameters", "macs", "activations", "latency", "memory"]
MEASURED_COSTS = ("latency", "memory")


@dataclass(frozen=True)
class StudyObjective(ObjectiveSettings):
    """What the search improves.

    Args:
        against: costs to be kept low at the same time: parameters, macs and activations are known
            before training; latency (ms) and memory (MiB) are measured by workers, so that a study
            against them depends on more than its seed.
        reference: the worst values that still count for the hypervolume, by name; for what is left
            out a score of 0 (a loss that of guessing), and 1.1 times the budget's limit or else the
            highest-cost candidate seen. Needed for latency and memory.
    """

    against: tuple[CostName, ...] = ()
    reference: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BudgetSettings:
    """What a network may cost.

    Args:
        parameters: the largest number, plain or with K, M or G (`2M`).
        macs: the largest number of multiply-accumulates for one image, likewise.
        mode: limit refuses what costs more before it is trained; match gives every candidate and
            baseline the widths that meet the one cost that is given.
        tolerance: how far a matched cost may be off, as a share.
    """

    parameters: int | float | str | None = None
    macs: int | float | str | None = None
    mode: Literal["limit", "match"] = "limit"
    tolerance: Annotated[float, Range(0, 1)] = 0.02


@dataclass(frozen=True)
class SamplerSettings:
    """How candidates are proposed.

    Args:
        name: tpe learns from all trials, also stopped ones; gp (a Gaussian process) from those that
            ran to their end; nsga2 breeds them; random and grid do not learn; auto chooses grid,
            tpe or gp by the space, the trials, the rungs and the lookahead, and says why.
        startup_trials: trials that are drawn at random before tpe and gp start to learn.
        population: trials of one generation of nsga2.
        lookahead: trials that are proposed ahead of results. Trial i is proposed when exactly the
            results up to trial i - lookahead are known, so that a study depends on its seed and
            not on the workers' timing. Give at least twice the workers.
        random_search: train a random search of the same training cost as well, and its best among
            the finalists: what did learning from results bring?
    """

    name: SamplerName = "auto"
    startup_trials: Annotated[int, Range(1, MOST_TRAININGS)] = 6
    population: Annotated[int, Range(2, MOST_TRAININGS)] = 20
    lookahead: Annotated[int, Range(1, 10_000)] = 8
    random_search: bool = False


@dataclass(frozen=True)
class RungSettings:
    """Early stopping of poor trials (successive halving).

    Args:
        name: asha stops at every rung; hyperband begins some trials at later rungs, some at none,
            because early scores can mislead.
        over: rungs are epochs of one training, or trainings on ever more images.
        first: the first rung, in epochs or train images; 0 for no rungs.
        factor: a trial goes on past a rung if it is among the best 1/factor there; the next rung
            is factor times as many epochs or images away.
        audit: stopped trials, drawn at random, that are trained to their end after all. They show
            whether the rungs stop good ones, and can become finalists.

    Source: A System for Massively Parallel Hyperparameter Tuning, 2018,
    https://arxiv.org/abs/1810.05934; Hyperband, 2018, https://arxiv.org/abs/1603.06560
    """

    name: Literal["asha", "hyperband"] = "asha"
    over: Literal["epochs", "images"] = "epochs"
    first: Annotated[int, Range(0, 10**9)] = 5  # images of any data set
    factor: Annotated[int, Range(2, 1000)] = 3  # which leaves one trial of a thousand
    audit: Annotated[int, Range(0, MOST_TRAININGS)] = 2


@dataclass(frozen=True)
class FinalistSettings:
    """What is retrained from scratch and tested, beside all baselines.

    Args:
        top: the best trials that become finalists.
        seeds: fresh seeds for each; at least 5 for a claim, better 8 to 10. A seed varies first
            weights, the order of images, and which images validate (unless the splits are given);
            never which ones test. A rising list, such as [3, 5, 8], plans looks: each start trains
            up to the next of them and concludes, at levels that keep false alarms over all looks
            together at 5%.
        random: candidates that are drawn at random within the budget and trained once each. Their
            mean is a row: what you get without a search.
    """

    top: Annotated[int, Range(0, MOST_TRAININGS)] = 3
    seeds: int | tuple[int, ...] = 3
    random: Annotated[int, Range(0, MOST_TRAININGS)] = 5

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of fresh seeds at which conclusions are drawn."""
        return looks_of(self.seeds)


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
        variant: the network, with {choose: [...]} or {from:, to:, step:|log:} where a value is
            searched; {same_as: path} and {times: [path, factor]} tie values.
        recipe: how it is trained; choices as above. `preset` names one, and what stands beside it
            counts first.
        budget: what a network may cost.
        baselines: rows that every result is seen against.
        sampler: how candidates are proposed.
        trials: candidates to train.
        rungs: early stopping of poor trials.
        finalists: what is retrained over seeds and tested.
        storage: the Optuna storage's URL; a journal file in the study's folder where left out. A
            password belongs in the environment: postgresql://user@host/db with PGPASSWORD.
        storage_wait_seconds: a database that stops answering, as in a restart, is tried again for
            so long; then the study ends, and the same command goes on with it.
    """

    free = (
        *ExperimentSettings.free,
        "trials",
        "finalists",
        "storage",
        "storage_wait_seconds",
    )

    objective: StudyObjective = field(default_factory=StudyObjective)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    baselines: tuple[BaselineSettings, ...] = ()
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    trials: Annotated[int, Range(0, MOST_TRAININGS)] = 16
    rungs: RungSettings = field(default_factory=RungSettings)
    finalists: FinalistSettings = field(default_factory=FinalistSettings)
    storage: str | None = None
    storage_wait_seconds: Annotated[float, Range(0, 7 * 24 * 3600)] = 60.0

    @property
    def changes(self) -> Sequence[Mapping[str, Any]]:
        """What baselines change, by path."""
        return [baseline.set for baseline in self.baselines]

    def __post_init__(self) -> None:
        super().__post_init__()
        for index, baseline in enumerate(self.baselines):
            check_label(baseline.label, f"baselines.{index}.label")
        sampler, finalists = self.sampler, self.finalists
        check_looks("finalists.seeds", finalists.seeds)
        arms = len(self.baselines) + finalists.top * (1 + sampler.random_search)
        retrained = arms * max(finalists.looks)
        check_size(
            self.trials * (1 + sampler.random_search) + retrained + finalists.random,
            "trials, finalists.top or finalists.seeds",
        )
        if self.storage is not None:
            check_storage(self.storage)
            check_hosts(self.storage, self.executor["name"])
