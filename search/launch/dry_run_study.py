"""What a study would do, before it does it: trainings, time, disk, and what its seeds can show."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from hybrid_swin.data.summary import independent
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.console import Console
from search.execution.workers import say_data
from search.launch.hardly_meant import some_candidates
from search.launch.hours.pilots import pilot_workers, split_sizes
from search.launch.hours.study import pilot_runs, study_work
from search.launch.hours.wall_time import StudyWork
from search.launch.imports.request import ImportRequest, read_import
from search.launch.opening import training_words
from search.launch.resolution import print_resolution
from search.launch.starts.first_weights import (
    about_first_weights,
    normalised_as_weights,
)
from search.launch.starts.shares import starts_of
from search.launch.study import PreparedStudy, check, prepare
from search.records.imported import about_imported
from search.records.looks import read_looks
from search.records.receipt import about_data
from search.records.runs import RESULT_FILE, RunSpec
from search.records.study_folder import check_folder, check_kind
from search.settings.contradictions import without_effect
from search.settings.study import StudySettings
from search.space.budget import limits
from search.space.space import Space
from search.statistics.formatting import count_text, counted, seconds_text, share_text
from search.study.candidates import Candidates
from search.study.expected_runs import RunCounts, can_stop, expected_runs
from search.study.looks import level_at, next_target, plan_of, seeds_looked_at
from search.study.sampling.samplers import sample_params

_COSTS = {"parameters": "parameters", "macs": "MACs"}
_DRAWS = 200  # random candidates that stand for the space
_DRAWS_TO_START = 20  # and for how much of them starts fresh


def dry_run(
    settings: StudySettings, console: Console, request: ImportRequest | None = None
) -> dict[str, Any]:
    """Print what a study would train, its time and disk by a timed pilot, and its resolution.

    Gives the same for programs. Nothing is left behind. ``request`` names known candidates to begin
    with. Raises InputError for what `run` itself would refuse.
    """
    check_kind(settings)
    settings = normalised_as_weights(settings)
    space, candidates = check(settings)
    check_folder(settings)
    given = read_import(request, settings, space, candidates)
    with pilot_workers(settings, console, settings.sampler.lookahead, keep_images=False) as workers:
        prepared = prepare(workers.settings, space, candidates)
        sizes = split_sizes(prepared.data, settings.data)
        seeds = next_target(settings.finalists.looks, read_looks(settings.path))
        images = len(prepared.data.splits.train) if prepared.data else 0
        imported = given.candidates_for(settings, prepared)
        taken_over = len(imported.taken_over) if imported else 0
        counts = expected_runs(settings, candidates, images, seeds, taken_over)
        given.say(imported, console)
        plan = _plan(settings, space, candidates, prepared, counts)
        plan["imported"] = about_imported(imported)
        _print_plan(plan, counts, console)
        runs = pilot_runs(settings, space, candidates)
        pace = workers.pace(runs, settings.data, sizes, prepared.job_settings)
        pilots = [file for file in workers.settings.path.glob("trials/**/*") if file.is_file()]
        size = sum(file.stat().st_size for file in pilots)
        bytes_per_run = size / max(1, sum(file.name == RESULT_FILE for file in pilots))
    work = study_work(settings, space, candidates, pace, sizes)
    most, expected = _seconds(settings, work, counts, pace.slots)
    stops = can_stop(settings, candidates.epochs)
    _print_time(most, expected, pace.slots, stops, console)
    megabytes = max(1, bytes_per_run * counts.total / 1e6)
    console.print(f"disk       about {megabytes:.0f} MB in {settings.path}", highlight=False)
    rows, tested = counts.baselines + counts.top, None
    if prepared.data is not None:
        tested = independent(prepared.data.images, prepared.data.splits.test)
    looks = read_looks(settings.path)
    resolution = print_resolution(
        counts.seeds,
        "finalists.seeds",
        tested,
        console,
        rows - 1,
        monitor=settings.objective.monitor,
        level=level_at(plan_of(looks) or settings.finalists.looks, seeds_looked_at(looks, seeds)),
        grouped=prepared.data is not None and prepared.data.images.groups is not None,
    )
    return plan | {
        "workers": pace.slots,
        "seconds": expected,
        "seconds_without_stops": most,
        "megabytes": megabytes,
        "resolution": resolution,
    }


def _plan(
    settings: StudySettings,
    space: Space,
    candidates: Candidates,
    prepared: PreparedStudy,
    counts: RunCounts,
) -> dict[str, Any]:
    """What can be told without a pilot."""
    draws = list(itertools.islice(sample_params(space, settings.seed), _DRAWS))
    sampler, why = prepared.sampler
    notes = [*without_effect(settings, candidates.epochs, sampler), *prepared.hardly_meant]
    return {
        "kind": "study",
        "name": settings.name,
        "folder": str(settings.path),
        "images": about_data(prepared.data),
        "combinations": space.size,
        "parameters": [parameter.path for parameter in space.parameters],
        "budget": dict(limits(settings.budget)),
        "new_and_fit": sum(candidates.judge(draw) is None for draw in draws) / _DRAWS,
        "runs": counts.by_folder | {"total": counts.total, "about": counts.about},
        "seeds": counts.seeds,
        "sampler": {"name": sampler, "why": why},
        "notes": notes,
        "baselines": [
            {"label": spec.label, **spec.cost, **_start(spec, candidates)}
            for spec in candidates.baselines
        ],
        **_init(settings, space, candidates),
    }


def _init(settings: StudySettings, space: Space, candidates: Candidates) -> dict[str, Any]:
    """The first weights, and from what to what share of random candidates they leave fresh."""
    first = candidates.first
    if not first.file:
        return {}
    about = about_first_weights(settings, first)["init"]
    some = dict.fromkeys(variant for variant, _ in some_candidates(space, settings.seed))
    drawn = {str(i): v for i, v in enumerate(itertools.islice(some, _DRAWS_TO_START))}
    shares = [share for share, _ in starts_of(drawn, first).values()]
    return {"init": about | {"fresh_of_candidates": [min(shares), max(shares)]}}


def _start(spec: RunSpec, candidates: Candidates) -> dict[str, Any]:
    """How much of a network starts fresh, and where; nothing without first weights."""
    if not candidates.first.file:
        return {}
    variant = Variant.from_dict(spec.variant or {})
    ((share, parts),) = starts_of({"": variant}, candidates.first).values()
    return {"fresh": share, "fresh_parts": parts}


def _print_plan(plan: Mapping[str, Any], counts: RunCounts, console: Console) -> None:
    say_data(plan["images"], console)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    size = "uncountably many" if plan["combinations"] is None else f"{plan['combinations']:,}"
    table.add_row(
        "space",
        f"{size} combinations of {counted(len(plan['parameters']), 'parameter')}: "
        f"{', '.join(plan['parameters'])}",
    )
    if plan["budget"]:
        words = " and ".join(f"{count_text(v)} {_COSTS[k]}" for k, v in plan["budget"].items())
        table.add_row(
            "budget",
            f"at most {words}; of {_DRAWS} random candidates "
            f"{100 * plan['new_and_fit']:.0f}% are new and fit",
        )
    table.add_row("trainings", f"{training_words(counts)} in all")
    table.add_row("sampler", f"{plan['sampler']['name']}: {plan['sampler']['why']}")
    for note in plan["notes"]:
        table.add_row("note", Text(note))
    if "init" in plan:
        init = plan["init"]
        least, most = map(share_text, init["fresh_of_candidates"])
        table.add_row("start", Text(f"{init['weights']}; {init['normalised']}"))
        if least != most:
            table.add_row("", f"of the space's candidates {least} to {most} starts fresh")
    for row in plan["baselines"]:
        fresh = ""
        if "fresh" in row:
            fresh = f", {share_text(row['fresh'])} fresh ({row['fresh_parts'] or 'none'})"
        table.add_row(
            "",
            f"{row['label']}: {count_text(row['parameters'])} parameters, "
            f"{count_text(row['macs'])} MACs{fresh}",
            style="dim",
        )
    console.print(table)


def _seconds(
    settings: StudySettings, work: StudyWork, counts: RunCounts, slots: int
) -> tuple[float, float]:
    """What the study takes if no trial is stopped, and if rungs stop as many as they should."""
    rungs = settings.rungs
    # 1/factor of the images, 1/factor of these, ...: each rung is a training of its own
    each = rungs.factor / (rungs.factor - 1) if rungs.first and rungs.over == "images" else 1.0
    unstopped = dataclasses.replace(work, worth=lambda trials: each * trials)
    most, expected = (one.seconds(counts.trials, counts.seeds, slots) for one in (unstopped, work))
    return most, expected


def _print_time(most: float, expected: float, slots: int, stops: bool, console: Console) -> None:
    fewer = f"; about {seconds_text(expected)} if rungs stop as many trials as they should"
    console.print(
        f"time       {'at most ' * stops}about {seconds_text(most)} on "
        f"{counted(slots, 'worker')}, by timed pilots{fewer * stops}",
        highlight=False,
    )
