"""How long a comparison takes on this machine, with nothing kept: by timed pilots, or by MACs."""

from dataclasses import replace

from hybrid_swin.profiling.timing import Setup, compare_times
from hybrid_swin.system.console import Console
from hybrid_swin.training.hardware import resolve_accelerator
from search.execution.executors.local import room_here
from search.launch.comparison import check, prepare
from search.launch.hours.comparison import comparison_work, pilots_pace, split_sizes_of
from search.launch.hours.pace import Pace
from search.launch.hours.pilots import pilot_folder, pilot_workers
from search.launch.starts.first_weights import normalised_as_weights
from search.settings.comparison import ComparisonSettings

_ROUNDS = 2  # steps that are timed, of half a second


def timed_seconds(settings: ComparisonSettings, console: Console) -> float:
    """Seconds from the first training to the last, on all workers, by timed pilots.

    Raises InputError for what the comparison itself would refuse.
    """
    settings = normalised_as_weights(settings)
    plan, _ = check(settings)
    with pilot_workers(settings, console, keep_images=False) as workers:
        prepared = prepare(replace(plan, settings=workers.settings))
        pace = pilots_pace(prepared, workers)
    work = comparison_work(plan, pace, split_sizes_of(prepared))
    return work.seconds(plan.seeds, pace.slots)


def estimated_seconds(settings: ComparisonSettings) -> float:
    """The same without a training: counted MACs, at the pace of a step of the first arm's network.

    That step is timed in this process, alone. So it holds no time for images, for what else a
    training does, or for workers that slow each other down, and a MAC of other blocks counts as one
    of the first arm's. Raises InputError likewise.
    """
    settings = normalised_as_weights(settings)
    plan, _ = check(settings)
    with pilot_folder(settings, keep_images=False) as there:
        sizes = split_sizes_of(prepare(replace(plan, settings=there)))
    first, workers = plan.entries[0], settings.workers
    device = resolve_accelerator(workers.accelerator)
    setup = Setup(device, workers.threads, first.recipes[0].batch_size)
    [timing] = compare_times([first.variant], "training", setup, _ROUNDS)
    per_mac = timing.median_ms / 1000 / setup.batch / first.cost.macs
    slots, _ = room_here(workers)
    pace = Pace(per_epoch=0.0, per_image=0.0, per_mac=per_mac, around=0.0, start=0.0, slots=slots)
    return comparison_work(plan, pace, sizes).seconds(plan.seeds, slots)
