"""What a study and a comparison have in common, as typed data."""

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe_presets import PRESET, with_preset
from hybrid_swin.spec.values import Range, check_numbers, check_ranges
from hybrid_swin.system.files import expanded
from search.settings.executor import executor_options
from search.settings.first_weights import InitSettings, shortest
from search.settings.names import check_name
from search.settings.preset_levels import check_one_preset
from search.settings.wandb import WandbSettings

SCHEMA_VERSION = 1
OF_SPACE = {"choose", "from", "to", "step", "log", "same_as", "times", "word"}

MOST_TRAININGS, MOST_SEEDS = 100_000, 1000  # of one experiment
_PARTS = Range(1, 1024)  # cores and devices of the largest machines
_WAITING = Range(0, 366 * 86_400, open_below=True)


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
class WorkerSettings:
    """How many trainings run at once, and on what.

    Args:
        count: worker processes; auto is one per visible GPU (see per_device and devices), else one
            per usable CPU core as memory allows; with another executor than local, as many as its
            machines have room for.
        threads: CPU threads of each worker.
        accelerator: as Lightning names it: auto, cpu, gpu, mps, ...
        devices: GPUs of one training, or processes on a CPU. Each takes a part of every batch;
            results are those of one device but for rounding.
        per_device: trainings that share one GPU; not with several devices per training.
        attempts: how often a training that crashes is tried.
        time_limit_minutes: an attempt that takes longer is killed; it costs one attempt.
        silence_factor: an attempt that is silent for this many times the slowest epoch (or start,
            or end) of comparable runs so far is killed; it costs one attempt, and a run that has
            hung twice is not tried again. A large value switches this off.
        silence_minutes: a shorter silence is never too long.
        epoch_minutes: a longer one always is, also of the first training: give more if an epoch
            takes longer.
        checkpoint_seconds: an interrupted training continues from a state that is at most this old.
    """

    count: Annotated[int | Literal["auto"], _PARTS] = "auto"
    threads: Annotated[int, _PARTS] = 1
    accelerator: str = "auto"
    devices: Annotated[int, _PARTS] = 1
    per_device: Annotated[int, _PARTS] = 1
    attempts: Annotated[int, Range(1, 100)] = 3
    time_limit_minutes: Annotated[float, _WAITING] = 240.0
    silence_factor: Annotated[float, Range(1, 1_000_000)] = 20.0
    silence_minutes: Annotated[float, _WAITING] = 10.0
    epoch_minutes: Annotated[float, _WAITING] = 60.0
    checkpoint_seconds: Annotated[float, _WAITING] = 10.0


@dataclass(frozen=True)
class ExperimentSettings:
    """Trainings in a folder of their own (abstract: a study, a comparison).

    Args:
        name: of the study or comparison, and of its folder.
        folder: where studies and comparisons are kept.
        seed: everything random in it derives from it.
        plugins: files of your own parts: branches, fusions, data sources, inspections,
            augmentations, optimizers, schedules; --plugin FILE adds one.
        data: what is trained on.
        variant: the network.
        recipe: how it is trained; ``preset`` names one, and what stands beside it counts first.
        init: weights that every training starts from, such as an ImageNet Swin's: a file, or a
            mapping with weights. What does not fit, such as the head, starts fresh.
        objective: what is measured and improved.
        workers: how many trainings run at once, and on what.
        executor: where they run: ``name`` is local (this machine), agents (machines that join),
            ray or slurm; what else stands beside it are options of that executor.
        wandb: the mirror in Weights & Biases.
    """

    # Settings that may change between two starts: they add work or move it elsewhere, and change no
    # result that is there already.
    free: ClassVar[tuple[str, ...]] = ("folder", "workers", "executor", "wandb")

    # The executor's other names are options of the one that is named.
    named_by: ClassVar[Mapping[str, str]] = {"executor": "name"}

    # A preset in a later file or on the command line is the whole recipe, with what is beside it.
    whole_by: ClassVar[Mapping[str, str]] = {"recipe": PRESET}

    # Mappings that are a value of the space, by a key in them (see hybrid_swin.system.changes).
    one_value: ClassVar[Mapping[str, Set[str]]] = {"variant": OF_SPACE, "recipe": OF_SPACE}

    name: str = "study"
    folder: str = "runs"
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0  # what generators of random numbers take
    plugins: tuple[str, ...] = ()
    data: DataSettings = field(default_factory=DataSettings)
    variant: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    init: str | InitSettings | None = None
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    workers: WorkerSettings = field(default_factory=WorkerSettings)
    executor: dict[str, Any] = field(default_factory=lambda: {"name": "local"})
    wandb: WandbSettings = field(default_factory=WandbSettings)

    def __post_init__(self) -> None:
        check_name(self.name)
        check_one_preset(self.recipe, self.changes)
        object.__setattr__(self, "recipe", with_preset(self.recipe))
        object.__setattr__(self, "init", shortest(self.init))
        self.wandb.check()
        executor_options(self.executor)
        check_numbers(self)

    @property
    def changes(self) -> Sequence[Mapping[str, Any]]:
        """What single networks of it change in variant and recipe, by path."""
        return ()

    @property
    def first_weights(self) -> InitSettings | None:
        """The weights that trainings start from, however they were written."""
        return InitSettings(self.init) if isinstance(self.init, str) else self.init

    @property
    def path(self) -> Path:
        """The folder of this experiment."""
        return expanded(self.folder) / self.name

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in YAML and JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return plain

    def fixed(self) -> dict[str, Any]:
        """The settings that results depend on: these must stay the same when it goes on."""
        return {key: value for key, value in self.to_dict().items() if key not in self.free}


def looks_of(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """Numbers of seeds at which conclusions are drawn: one, or those of a list."""
    return (seeds,) if isinstance(seeds, int) else tuple(seeds)


def check_looks(name: str, seeds: int | Sequence[int]) -> None:
    """Raise InputError for a list of looks that does not rise, or looks where nothing can show."""
    looks = looks_of(seeds)
    for seeds_at_look in looks:
        check_ranges({name: (seeds_at_look, Range(1, MOST_SEEDS))})
    if not looks or list(looks) != sorted(set(looks)):
        raise InputError(
            f"{name} must be a number, or a rising list such as [3, 5, 8]; got {seeds!r}"
        )
    if len(looks) > 1 and looks[0] < 2:
        raise InputError(
            f"{name} {list(looks)}: one seed gives no interval, so the look at {looks[0]} could "
            "show nothing; begin the list at 2 or more"
        )


def check_size(trainings: int, settings: str) -> None:
    """Raise InputError for more trainings than one folder holds; these settings make them fewer."""
    if trainings > MOST_TRAININGS:
        raise InputError(
            f"these settings come to {trainings:,} trainings, and one folder holds "
            f"{MOST_TRAININGS:,}; make {settings} smaller"
        )


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Where two settings differ, as ``path: old -> new``."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}, key=str):
            yield from differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif old != new:
        yield f"{path}: {old!r} -> {new!r}"
