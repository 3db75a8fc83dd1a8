"""Fits the seeds of a comparison to the hours."""

import dataclasses
import time

from hybrid_swin.system.console import Console
from search.comparison.design.plan import ComparisonPlan, PlannedArm
from search.execution.workers import start_workers
from search.launch.comparison import check, prepare
from search.launch.hours.instead import shorter_settings
from search.launch.hours.pace import Pace
from search.launch.hours.pilots import SplitSizes, pilot_folder, short_pilots, time_pilots
from search.launch.hours.time_plan import FEWEST_SEEDS, LEAST_SEEDS, Clock, TimePlan
from search.launch.hours.wall_time import CLOSING, ComparisonWork, most_that_fit, too_long
from search.records.study_folder import check_folder, has_begun
from search.records.time_limit import TimeLimit, read_time_limit
from search.settings.comparison import ComparisonSettings


def plan_comparison(
    settings: ComparisonSettings, clock: Clock, console: Console
) -> tuple[ComparisonSettings, TimePlan]:
    """Fit a comparison's seeds to the hours; the settings' own number is the most.

    Args:
        settings: the comparison. Planned looks are kept: then the next one fits, or nothing does.
        clock: the hours.
        console: for the user.

    Returns:
        The settings with the seeds that fit, and the plan.

    Raises:
        InputError: even the least number of seeds does not fit.
    """
    check_folder(settings)
    plan, _ = check(settings)
    known = read_time_limit(settings.path) if has_begun(settings.path) else None
    pace, sizes = _measure(plan, clock, known, console)
    work = comparison_work(plan, pace, sizes)
    looks = len(settings.looks) > 1
    least = plan.seeds if looks else min(plan.seeds, LEAST_SEEDS)
    if known is not None and known.hours == clock.hours:
        limit = known
    else:
        left = clock.to_plan(pace.start)
        seeds = most_that_fit(lambda n: work.seconds(n, pace.slots), least, plan.seeds, left)
        if not seeds:
            needed = work.seconds(least, pace.slots) + pace.start + CLOSING + clock.gone
            instead = shorter_settings(settings, plan.seeds if looks else least, "seeds")
            raise too_long("a comparison of these settings", needed, clock.hours, instead)
        limit = TimeLimit(clock.hours, 0, seeds, pace=pace.to_dict())
    if not looks:
        seeds = min(plan.seeds, limit.planned_seeds)
        settings = dataclasses.replace(settings, seeds=seeds)
    seconds = work.seconds(limit.planned_seeds, pace.slots) + pace.start + CLOSING
    final, fewest = work.longest, least if looks else FEWEST_SEEDS
    return settings, TimePlan(limit, clock.ends, seconds, final, final, least_seeds=fewest)


def _measure(
    plan: ComparisonPlan, clock: Clock, known: TimeLimit | None, console: Console
) -> tuple[Pace, dict[str, SplitSizes]]:
    """The pace of an earlier start, or of pilots; and the sizes of the splits of each cell."""
    with pilot_folder(plan.settings) as rehearsal:
        there = dataclasses.replace(plan, settings=rehearsal)
        if known is not None:
            return Pace(**known.pace), _sizes(there, prepare(there).data)
        started = time.monotonic()
        with start_workers(rehearsal) as executor:
            executor.wait_until_ready()  # before images are decoded, which is done once
            ready = time.monotonic() - started
            prepared = prepare(there)
            sizes = _sizes(there, prepared.data)
            dearest = max(there.entries, key=lambda entry: entry.cost.macs)
            cell = dearest.cell  # stands for all cells
            runs = [there.final(e, 0, 0) for e in there.entries if e.cell.name == cell.name]
            pilots = short_pilots(runs, cell.data, sizes[cell.name], clock.hours)
            console.print("timing pilot trainings ...", style="dim")
            job = prepared.job_settings
            return time_pilots(rehearsal, executor, job, pilots, sizes[cell.name], ready), sizes


def _sizes(plan: ComparisonPlan, about: dict[str, dict[str, object]]) -> dict[str, SplitSizes]:
    """By a cell's name; of a data module of the user's own 1, 0 and 1."""
    found = {}
    for cell in plan.cells:
        images = about[cell.name].get("images")
        if not isinstance(images, dict):
            found[cell.name] = SplitSizes(1, 0, 1)
            continue
        epoch = min(cell.data.epoch_images or images["train"], images["train"])
        found[cell.name] = SplitSizes(epoch, images["validation"], images["test"])
    return found


def comparison_work(
    plan: ComparisonPlan, pace: Pace, sizes: dict[str, SplitSizes]
) -> ComparisonWork:
    """Seconds of a comparison's trainings at a pace; each network once, as it is trained."""

    def seconds(entry: PlannedArm, rate: int, test: bool) -> float:
        split, epochs = sizes[entry.cell.name], entry.recipes[rate].epochs
        return pace.training(
            entry.cost.macs, epochs, split.epoch, split.validation, split.test if test else 0
        )

    different = {entry.candidates: entry for entry in plan.entries}.values()
    choices = sum(
        seconds(entry, rate, False) * len(plan.selection(entry, rate))
        for entry in different
        for rate in range(len(entry.recipes))
    )
    finals = [max(seconds(e, r, True) for r in range(len(e.recipes))) for e in different]
    once = plan.settings.choose_rate == "once"
    return ComparisonWork(
        once=choices if once else 0.0,
        per_seed=sum(finals) + (0.0 if once else choices),
        longest=max(finals),
    )
