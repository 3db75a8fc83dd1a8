"""One study as typed data: what `configs/search/*.yaml` holds and the command line overrides."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from hybrid_swin.data_settings import DataSettings
from hybrid_swin.errors import InputError
from search.wandb_settings import WandbSettings

SCHEMA_VERSION = 1

# Settings that may change between two starts of one study: they add work or move it elsewhere, and
# change no result that is there already.
_FREE = ("folder", "trials", "finalists", "workers", "wandb", "storage")


@dataclass(frozen=True)
class ObjectiveSettings:
    """What the search improves.

    Args:
        monitor: a logged validation metric: val/accuracy, val/loss, val/f1, val/balanced_accuracy,
            val/auroc, val/calibration_error, val/top5.
        mode: whether more or less of it is better.
    """

    monitor: str = "val/accuracy"
    mode: Literal["max", "min"] = "max"


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
class WorkerSettings:
    """Where trainings run.

    Args:
        count: worker processes; auto is one a visible GPU, else one a usable CPU core as memory
            allows.
        threads: CPU threads of each worker.
        accelerator: as Lightning names it: auto, cpu, gpu, mps, ...
        devices: devices of one training, as Lightning counts them.
        attempts: how often a training that crashes is tried.
        time_limit_minutes: an attempt that takes longer is killed; it costs one attempt.
        checkpoint_seconds: an interrupted training continues from a state at most so old.
    """

    count: int | Literal["auto"] = "auto"
    threads: int = 1
    accelerator: str = "auto"
    devices: int = 1
    attempts: int = 3
    time_limit_minutes: float = 240.0
    checkpoint_seconds: float = 10.0


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
class StudySettings:
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
        budget: what a network may cost.
        baselines: rows that every result is seen against.
        sampler: how candidates are proposed.
        trials: candidates to train.
        rungs: early stopping of poor trials.
        finalists: what is retrained over seeds and tested.
        workers: where trainings run.
        wandb: the mirror in Weights & Biases.
        storage: the Optuna storage's URL; a journal file in the study's folder where left out. A
            password belongs in the environment: postgresql://user@host/db with PGPASSWORD.
    """

    name: str = "study"
    folder: str = "runs"
    seed: int = 0
    plugins: tuple[str, ...] = ()
    data: DataSettings = field(default_factory=DataSettings)
    variant: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    baselines: tuple[BaselineSettings, ...] = ()
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    trials: int = 16
    rungs: RungSettings = field(default_factory=RungSettings)
    finalists: FinalistSettings = field(default_factory=FinalistSettings)
    workers: WorkerSettings = field(default_factory=WorkerSettings)
    wandb: WandbSettings = field(default_factory=WandbSettings)
    storage: str | None = None

    def __post_init__(self) -> None:
        if (
            not self.name
            or not all(c.isalnum() or c in "-_." for c in self.name)
            or (self.name.startswith(".") or not self.name.isascii())
        ):
            raise InputError(
                f"name {self.name!r} becomes a folder and a W&B group; use letters, "
                "digits, '-', '_' and '.'"
            )
        least = {
            "trials": (self.trials, 0),
            "sampler.startup_trials": (self.sampler.startup_trials, 1),
            "sampler.lookahead": (self.sampler.lookahead, 1),
            "rungs.first": (self.rungs.first, 0),
            "rungs.factor": (self.rungs.factor, 2),
            "finalists.top": (self.finalists.top, 0),
            "finalists.seeds": (self.finalists.seeds, 1),
            "workers.threads": (self.workers.threads, 1),
            "workers.devices": (self.workers.devices, 1),
            "workers.attempts": (self.workers.attempts, 1),
        }
        if self.workers.count != "auto":
            least["workers.count"] = (int(self.workers.count), 1)
        for name, (value, minimum) in least.items():
            if value < minimum:
                raise InputError(f"{name} must be at least {minimum}; got {value}")
        for name, span in (
            ("time_limit_minutes", self.workers.time_limit_minutes),
            ("checkpoint_seconds", self.workers.checkpoint_seconds),
        ):
            if not span > 0:  # NaN is not either
                raise InputError(f"workers.{name} must be above 0; got {span}")
        if self.storage and _holds_password(self.storage):
            raise InputError(
                "storage holds a password, which would be written into the study's "
                "settings; leave it out and set PGPASSWORD instead"
            )

    @property
    def path(self) -> Path:
        """The study's folder."""
        return Path(self.folder).expanduser() / self.name

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in YAML and JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return plain

    def fixed(self) -> dict[str, Any]:
        """The settings that results depend on: these must stay the same when a study goes on."""
        return {key: value for key, value in self.to_dict().items() if key not in _FREE}


def _holds_password(url: str) -> bool:
    """Whether a storage's URL is of the form user:password@host, or names a password behind."""
    _, _, place = url.partition("://")
    user, at, _ = place.rpartition("@")
    return bool(at and ":" in user) or "password=" in place.lower()


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Where two settings differ, as ``path: old -> new``."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}, key=str):
            yield from differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif old != new:
        yield f"{path}: {old!r} -> {new!r}"
