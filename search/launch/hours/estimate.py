"""How long a comparison takes on this machine, by timed pilots, with nothing said or kept."""

from dataclasses import replace

from search.launch.comparison import check, prepare
from search.launch.hours.comparison import comparison_work, pilots_pace, split_sizes_of
from search.launch.hours.pilots import pilot_workers
from search.settings.comparison import ComparisonSettings


def seconds_of(settings: ComparisonSettings) -> float:
    """Seconds from the first training to the last, on all workers.

    Raises InputError for what the comparison itself would refuse.
    """
    plan, _ = check(settings)
    with pilot_workers(settings, keep_images=False) as workers:
        prepared = prepare(replace(plan, settings=workers.settings))
        pace = pilots_pace(prepared, workers)
    work = comparison_work(plan, pace, split_sizes_of(prepared))
    return work.seconds(plan.seeds, pace.slots)
