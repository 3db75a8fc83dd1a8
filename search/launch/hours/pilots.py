"""Timed pilots of a few epochs of few images, on all workers at once."""

import itertools
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from hybrid_swin.data.loading import LoadedData
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.system.console import Console
from search.execution.dispatcher import Dispatcher
from search.execution.job import Executor
from search.execution.workers import image_cache, start_workers
from search.launch.hours.pace import Pace, PilotTiming, pace_of
from search.launch.hours.pilot_watch import PilotWatch
from search.records.runs import RunSpec
from search.settings.experiment import ExperimentSettings

Settings = TypeVar("Settings", bound=ExperimentSettings)

_SHARE = 0.04  # of the hours, that pilots may take
_GUESS = 1e10  # MACs a second, before anything was measured
_EPOCHS = 5
_STEP = 3  # forward passes that a training step costs


@dataclass(frozen=True)
class SplitSizes:
    """Images of an epoch, of validation and of test.

    Of a data module of the user's own 1, 0 and 1: what an epoch holds is not known, and is the same
    for all trainings.
    """

    epoch: int
    validation: int
    test: int


def split_sizes(data: LoadedData | None, settings: DataSettings) -> SplitSizes:
    """The sizes of loaded images; ``None`` for a data module of the user's own."""
    if data is None:
        return SplitSizes(1, 0, 1)
    splits = data.splits
    epoch = min(settings.epoch_images or len(splits.train), len(splits.train))
    return SplitSizes(epoch, len(splits.validation), len(splits.test))


@contextmanager
def pilot_folder(settings: Settings, keep_images: bool = True) -> Iterator[Settings]:
    """The settings in a temporary folder of this machine, which shares the images of their own.

    Without ``keep_images`` nothing is left behind: they are decoded there, and go with it.
    """
    with tempfile.TemporaryDirectory(prefix="hybrid-swin-") as temporary:
        rehearsal = replace(settings, folder=temporary, executor={"name": "local"})
        if keep_images:
            cache = image_cache(settings).absolute()
            cache.mkdir(parents=True, exist_ok=True)
            image_cache(rehearsal).symlink_to(cache)
        rehearsal.path.mkdir()
        yield rehearsal


@contextmanager
def pilot_workers(
    settings: Settings,
    console: Console,
    lookahead: int | None = None,
    keep_images: bool = True,
) -> "Iterator[PilotWorkers[Settings]]":
    """Workers in a `pilot_folder`. Raises InputError as `start_workers`."""
    console.print("starting workers ...", style="dim")
    with pilot_folder(settings, keep_images) as rehearsal:
        started = time.monotonic()
        with start_workers(rehearsal, lookahead) as executor:
            executor.wait_until_ready()  # before images are decoded, which is done once
            yield PilotWorkers(rehearsal, executor, time.monotonic() - started, console)


@dataclass(frozen=True)
class PilotWorkers(Generic[Settings]):
    """Workers that are ready for pilots."""

    settings: Settings  # of their folder
    executor: Executor  # the workers
    start: float  # seconds until they were ready
    console: Console  # where progress is said

    def pace(
        self,
        specs: Iterable[RunSpec],
        data: DataSettings,
        sizes: SplitSizes,
        job_settings: Mapping[str, Any],
        hours: float = 1.0,
    ) -> Pace:
        """Train pilots of some runs on all workers at once, and measure the pace.

        They take a small share of the hours. Raises InputError for a pilot that does not come to
        the end of an epoch.
        """
        pilots, slots = short_pilots(specs, data, sizes, hours), self.executor.slots
        warm = max(slots, len(pilots))
        # those before are the first in their workers, which nearly no training is
        chosen = list(itertools.islice(itertools.cycle(pilots), slots + warm))
        epochs = sum((pilot.recipe or {})["epochs"] for pilot in chosen)
        workers, timings = self.settings.workers, {}
        with PilotWatch(self.console, len(chosen), epochs, slots) as watch:
            dispatcher = Dispatcher(self.settings.path, self.executor, workers, job_settings, watch)
            for index, pilot in enumerate(chosen):
                dispatcher.submit(replace(pilot, key=f"trials/{index:04d}", seed=index))
            while dispatcher.busy:
                for spec, result in dispatcher.results():
                    if not result.epochs:
                        raise InputError(f"the pilot training {result.state}: {result.error}")
                    timings[spec.seed] = PilotTiming(
                        macs=spec.cost["macs"],
                        images=(spec.data or {}).get("epoch_images") or sizes.epoch,
                        validation=sizes.validation,
                        epochs=result.epochs,
                        epoch=watch.mean(spec.key) or result.seconds["fit"] / result.epochs,
                        total=result.seconds["total"],
                    )
        return pace_of([timings[index] for index in range(slots, slots + warm)], self.start, slots)


def short_pilots(
    specs: Iterable[RunSpec], data: DataSettings, sizes: SplitSizes, hours: float
) -> list[RunSpec]:
    """Trainings of a few epochs of few images, which take a small share of the hours.

    The networks of the lowest and the highest MACs, and the lowest one on a single batch: so the
    parts of `Pace` can be told apart.
    """
    ordered = sorted(specs, key=lambda spec: spec.cost["macs"])
    low, high = _short(ordered[0]), _short(ordered[-1])
    if data.class_path is not None:
        return [low, high]
    batch = max(int((spec.recipe or {})["batch_size"]) for spec in (low, high))
    affordable = hours * 3600 * _SHARE * _GUESS / (_EPOCHS * _STEP * high.cost["macs"])
    most = max(1, min(sizes.epoch, max(2 * batch, int(affordable))))
    images = ((low, min(batch, most)), (low, most), (high, most))
    return [
        replace(spec, data=replace(data, epoch_images=count).to_dict()) for spec, count in images
    ]


def _short(spec: RunSpec) -> RunSpec:
    recipe = dict(spec.recipe or {})
    epochs = min(_EPOCHS, int(recipe["epochs"]))
    return replace(spec, recipe=recipe | {"epochs": epochs}, stage="search")
