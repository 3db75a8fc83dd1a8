"""What a study would do, before it does it: trainings, time, disk, and what its seeds can show."""

import dataclasses
import itertools

from rich.table import Table
from rich.text import Text

from hybrid_swin.data.summary import independent
from hybrid_swin.system.console import Console
from search.execution.workers import say_data
from search.launch.hours.pilots import pilot_workers, split_sizes
from search.launch.hours.study import pilot_runs, study_work
from search.launch.hours.wall_time import StudyWork
from search.launch.opening import training_words
from search.launch.resolution import print_resolution
from search.launch.study import PreparedStudy, check, prepare
from search.records.looks import read_looks
from search.records.receipt import about_data
from search.records.runs import RESULT_FILE
from search.records.study_folder import check_folder, check_kind
from search.settings.contradictions import without_effect
from search.settings.study import StudySettings
from search.space.budget import limits
from search.space.space import Space
from search.statistics.formatting import count_text, counted, seconds_text
from search.study.candidates import Candidates
from search.study.expected_runs import RunCounts, can_stop, expected_runs
from search.study.looks import level_at, next_target, plan_of, seeds_looked_at
from search.study.sampling.samplers import sample_params

_COSTS = {"parameters": "parameters", "macs": "MACs"}
_DRAWS = 200  # random candidates that stand for the space


def dry_run(settings: StudySettings, console: Console) -> None:
    """Print what a study would train, its time and disk by a timed pilot, and its resolution.

    Nothing is left behind. Raises InputError for what `run` itself would refuse.
    """
    check_kind(settings)
    space, candidates = check(settings)
    check_folder(settings)
    with pilot_workers(settings, settings.sampler.lookahead, keep_images=False) as workers:
        prepared = prepare(workers.settings, space, candidates)
        sizes = split_sizes(prepared.data, settings.data)
        seeds = next_target(settings.finalists.looks, read_looks(settings.path))
        images = len(prepared.data.splits.train) if prepared.data else 0
        counts = expected_runs(settings, candidates, images, seeds)
        _print_plan(settings, space, candidates, prepared, counts, console)
        console.print("timing pilot trainings ...", style="dim")
        runs = pilot_runs(settings, space, candidates)
        pace = workers.pace(runs, settings.data, sizes, prepared.job_settings)
        pilots = [file for file in workers.settings.path.glob("trials/**/*") if file.is_file()]
        size = sum(file.stat().st_size for file in pilots)
        bytes_per_run = size / max(1, sum(file.name == RESULT_FILE for file in pilots))
    work = study_work(settings, space, candidates, pace, sizes)
    _print_time(settings, work, counts, pace.slots, can_stop(settings, candidates.epochs), console)
    megabytes = max(1, bytes_per_run * counts.total / 1e6)
    console.print(f"disk       about {megabytes:.0f} MB in {settings.path}", highlight=False)
    rows, tested = counts.baselines + counts.top, None
    if prepared.data is not None:
        tested = independent(prepared.data.images, prepared.data.splits.test)
    looks = read_looks(settings.path)
    print_resolution(
        counts.seeds,
        "finalists.seeds",
        tested,
        console,
        rows - 1,
        monitor=settings.objective.monitor,
        level=level_at(plan_of(looks) or settings.finalists.looks, seeds_looked_at(looks, seeds)),
        grouped=prepared.data is not None and prepared.data.images.groups is not None,
    )


def _print_plan(
    settings: StudySettings,
    space: Space,
    candidates: Candidates,
    prepared: PreparedStudy,
    counts: RunCounts,
    console: Console,
) -> None:
    say_data(about_data(prepared.data), console)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    size = "uncountably many" if space.size is None else f"{space.size:,}"
    table.add_row(
        "space",
        f"{size} combinations of {counted(len(space.parameters), 'parameter')}: "
        f"{', '.join(p.path for p in space.parameters)}",
    )
    known = limits(settings.budget)
    draws = list(itertools.islice(sample_params(space, settings.seed), _DRAWS))
    fitting = [d for d in draws if candidates.judge(d) is None]
    if known:
        words = " and ".join(f"{count_text(v)} {_COSTS[k]}" for k, v in known.items())
        table.add_row(
            "budget",
            f"at most {words}; of {_DRAWS} random candidates "
            f"{100 * len(fitting) / _DRAWS:.0f}% are new and fit",
        )
    table.add_row("trainings", f"{training_words(counts)} in all")
    sampler, why = prepared.sampler
    table.add_row("sampler", f"{sampler}: {why}")
    for note in [*without_effect(settings, candidates.epochs, sampler), *prepared.recipe_notes]:
        table.add_row("note", Text(note))
    for spec in candidates.baselines:
        table.add_row(
            "",
            f"{spec.label}: {count_text(spec.cost['parameters'])} parameters, "
            f"{count_text(spec.cost['macs'])} MACs",
            style="dim",
        )
    console.print(table)


def _print_time(
    settings: StudySettings,
    work: StudyWork,
    counts: RunCounts,
    slots: int,
    stops: bool,
    console: Console,
) -> None:
    """What the study takes, and if trials may be stopped, what it would take without."""
    rungs = settings.rungs
    # 1/factor of the images, 1/factor of these, ...: each rung is a training of its own
    each = rungs.factor / (rungs.factor - 1) if rungs.first and rungs.over == "images" else 1.0
    unstopped = dataclasses.replace(work, worth=lambda trials: each * trials)
    most, expected = (
        seconds_text(one.seconds(counts.trials, counts.seeds, slots)) for one in (unstopped, work)
    )
    console.print(
        f"time       {'at most ' * stops}about {most} on {counted(slots, 'worker')}, by timed "
        "pilots" + f"; about {expected} if rungs stop as many trials as they should" * stops,
        highlight=False,
    )
