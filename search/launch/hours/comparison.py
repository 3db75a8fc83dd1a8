"""Fits the seeds of a comparison to the hours."""

from dataclasses import replace

from hybrid_swin.system.console import Console
from search.comparison.design.matched_arms import PlannedArm
from search.comparison.design.plan import ComparisonPlan
from search.launch.comparison import PreparedComparison, check, prepare
from search.launch.hours.ended_work import EndedWork, ended_work
from search.launch.hours.pace import Pace
from search.launch.hours.pilots import PilotWorkers, SplitSizes, pilot_folder, pilot_workers
from search.launch.hours.time_plan import Clock, check_place
from search.launch.hours.wall_time import CLOSING, ComparisonWork, shorter_settings, what_takes
from search.launch.starts.first_weights import normalised_as_weights
from search.records.study_folder import check_folder, has_begun
from search.records.time_limit import LEAST_SEEDS, TimeLimit, read_time_limit
from search.settings.comparison import ComparisonSettings
from search.study.deadline import FEWEST_SEEDS, TimePlan


def plan_comparison(
    settings: ComparisonSettings, clock: Clock, console: Console
) -> tuple[ComparisonSettings, TimePlan]:
    """The settings with the seeds that fit the hours, their own number at most; and the plan.

    Planned looks are kept: then the next one fits, or nothing does. Raises InputError if even the
    least number of seeds does not fit.
    """
    check_place(settings)
    settings = normalised_as_weights(settings)
    check_folder(settings)
    plan, _ = check(settings)
    known = read_time_limit(settings.path) if has_begun(settings.path) else None
    pace, sizes = _measure(plan, clock, known, console)
    cells = {c: entry.cell.name for entry in plan.entries for c in entry.candidates}
    done = EndedWork()
    if has_begun(settings.path):
        first = plan.entries[0].cell.name
        done = ended_work(
            settings.path, pace, lambda spec: sizes[cells.get(spec.candidate_id, first)]
        )
    work = replace(comparison_work(plan, pace, sizes), past_seconds=sum(done.seconds.values()))
    looks = len(settings.looks) > 1
    least = plan.seeds if looks else min(plan.seeds, LEAST_SEEDS)
    limit = known
    if limit is None or limit.hours != clock.hours:
        seeds = clock.fit(
            what_takes("comparison", done.runs),
            lambda count: work.seconds(count, pace.slots),
            (least, plan.seeds),
            pace,
            shorter_settings(settings, least, "seeds", done.runs),
        )
        limit = TimeLimit(clock.hours, 0, seeds, pace=pace.to_dict())
    if not looks:
        settings = replace(settings, seeds=min(plan.seeds, limit.planned_seeds))
    seconds = work.seconds(limit.planned_seeds, pace.slots) + pace.start + CLOSING
    final, fewest = work.longest, least if looks else FEWEST_SEEDS
    return settings, TimePlan(limit, clock.ends, seconds, final, final, least_seeds=fewest)


def _measure(
    plan: ComparisonPlan, clock: Clock, known: TimeLimit | None, console: Console
) -> tuple[Pace, dict[str, SplitSizes]]:
    """The pace of an earlier start, or of pilots; and the sizes of the splits of each cell."""
    if known is not None:
        with pilot_folder(plan.settings) as rehearsal:
            there = replace(plan, settings=rehearsal)
            return Pace(**known.pace), split_sizes_of(prepare(there))
    with pilot_workers(plan.settings, console) as workers:
        prepared = prepare(replace(plan, settings=workers.settings))
        return pilots_pace(prepared, workers, clock.hours), split_sizes_of(prepared)


def pilots_pace(
    prepared: PreparedComparison, workers: PilotWorkers[ComparisonSettings], hours: float = 1.0
) -> Pace:
    """The pace of pilots in the cell of the highest cost, which stands for all cells."""
    plan = prepared.plan
    cell = max(plan.entries, key=lambda entry: entry.cost.macs).cell
    runs = [plan.final(entry, 0, 0) for entry in plan.entries if entry.cell.name == cell.name]
    sizes = split_sizes_of(prepared)[cell.name]
    return workers.pace(runs, cell.data, sizes, prepared.job_settings, hours)


def split_sizes_of(prepared: PreparedComparison) -> dict[str, SplitSizes]:
    """By a cell's name; of a data module of the user's own 1, 0 and 1."""
    sizes = {}
    for cell in prepared.plan.cells:
        images = prepared.data[cell.name].get("images")
        if not isinstance(images, dict):
            sizes[cell.name] = SplitSizes(1, 0, 1)
            continue
        epoch = min(cell.data.epoch_images or images["train"], images["train"])
        sizes[cell.name] = SplitSizes(epoch, images["validation"], images["test"])
    return sizes


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


def questions_of(plan: ComparisonPlan) -> int:
    """How many differences a comparison asks: to what an arm stands against, and to controls."""
    pairs = set()
    for entry in plan.entries:
        here = {
            other.arm: other.candidates[0]
            for other in plan.entries
            if (other.cell.name, other.matching) == (entry.cell.name, entry.matching)
        }
        others = [*([entry.against] if entry.against else []), *entry.controls.values()]
        pairs |= {(entry.candidates[0], here[name]) for name in others}
    return len(pairs)
