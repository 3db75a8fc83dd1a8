"""What a study would do, before it does it: trainings, time, disk, and what its seeds can show."""

import dataclasses
import itertools
import statistics
import tempfile

from rich.table import Table
from rich.text import Text

from hybrid_swin.data.summary import independent
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.system.console import Console
from search.execution.workers import say_data, start_workers
from search.launch.pilot import print_resolution, run_pilots, shortened
from search.launch.study import PreparedStudy, check, prepare
from search.records.looks import read_looks
from search.records.receipt import about_data
from search.records.runs import RunResult, RunSpec
from search.records.study_folder import check_folder
from search.reporting.terminal import duration
from search.settings.contradictions import without_effect
from search.settings.study import StudySettings
from search.space.budget import limits
from search.space.checks import settings_of
from search.space.space import Space
from search.study.candidates import Candidates
from search.study.expected_runs import RunCounts, can_stop, expected_runs
from search.study.looks import level_at, next_target, plan_of, seeds_looked_at
from search.study.sampling.draws import Draw
from search.study.sampling.samplers import sample_params

_DRAWS = 200  # random candidates that stand for the space


def dry_run(settings: StudySettings, console: Console) -> None:
    """Print what a study would train, its time and disk by a timed pilot, and its resolution.

    Nothing is left behind.

    Raises:
        InputError: what `run` itself would refuse.
    """
    check_folder(settings)
    space, candidates = check(settings)
    with tempfile.TemporaryDirectory(prefix="hybrid-swin-") as temporary:
        rehearsal = dataclasses.replace(settings, folder=temporary)
        rehearsal.path.mkdir()
        with start_workers(rehearsal, settings.sampler.lookahead) as executor:
            prepared = prepare(rehearsal, space, candidates)
            images = prepared.data.splits if prepared.data else None
            seeds = next_target(settings.finalists.looks, read_looks(settings.path))
            counts = expected_runs(settings, candidates, len(images.train) if images else 0, seeds)
            _print_plan(settings, space, candidates, prepared, counts, console)
            console.print(f"timing {executor.slots} pilot trainings ...", style="dim")
            pilots = _pilots(candidates, space, executor.slots)
            results = run_pilots(rehearsal, executor, prepared.job_settings, pilots)
        size = sum(f.stat().st_size for f in rehearsal.path.glob("trials/**/*") if f.is_file())
        macs, bytes_of_one = pilots[0].cost["macs"], size / len(results)
        _print_estimate(settings, space, candidates, counts, results, macs, bytes_of_one, console)
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


def _pilots(candidates: Candidates, space: Space, count: int) -> list[RunSpec]:
    """The first candidate that may be trained, for a few epochs, over so many seeds.

    Where there is none, as where only baselines are trained, the first of these.
    """
    looked_at = map(candidates.look_at, settings_of(space.parameters, space.default()))
    allowed = (spec for spec in looked_at if isinstance(spec, RunSpec))
    first = next(itertools.chain(allowed, candidates.baselines), None)
    pilot = shortened(first or candidates.trial(Draw(0, 0, space.default()), {}))
    return [dataclasses.replace(pilot, key=f"trials/{i:04d}", seed=i) for i in range(count)]


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
        f"{size} combinations of {len(space.parameters)} parameters: "
        f"{', '.join(p.path for p in space.parameters)}",
    )
    known = limits(settings.budget)
    draws = list(itertools.islice(sample_params(space, settings.seed), _DRAWS))
    fitting = [d for d in draws if candidates.judge(d) is None]
    if known:
        words = ", ".join(f"{v:,} {k}" for k, v in known.items())
        table.add_row(
            "budget",
            f"{words}; of {_DRAWS} random candidates "
            f"{100 * len(fitting) / _DRAWS:.0f}% are new and fit",
        )
    table.add_row("trainings", _trainings(counts))
    sampler, why = prepared.sampler
    table.add_row("sampler", f"{sampler}: {why}")
    for note in [*without_effect(settings, candidates.epochs, sampler), *prepared.recipe_notes]:
        table.add_row("note", Text(note))
    for spec in candidates.baselines:
        table.add_row(
            "",
            f"{spec.label}: {spec.cost['parameters']:,} parameters, {spec.cost['macs']:,} MACs",
            style="dim",
        )
    console.print(table)


def _trainings(counts: RunCounts) -> str:
    """Which runs there are to be, kind by kind, and their sum."""
    first = {
        f"{counts.baselines} baselines": True,
        f"{counts.references} reference": counts.references,
        f"{counts.trials} trials": counts.trials,
        f"up to {counts.audits} stopped ones to their end": counts.audits,
        f"about {counts.random_search} of a random search of that cost": counts.random_search,
    }
    arms, best = 2 if counts.random_search else 1, ""
    if counts.top:
        best = f" and the best {counts.top // arms} trials{' and random ones each' * (arms - 1)}"
    return (
        f"{', '.join(text for text, some in first.items() if some)}, then {counts.baselines} "
        f"baselines{best} over {counts.seeds} seeds, and {counts.means} random candidates: "
        f"{counts.words} in all"
    )


def _print_estimate(
    settings: StudySettings,
    space: Space,
    candidates: Candidates,
    counts: RunCounts,
    results: list[RunResult],
    pilot_macs: int,
    bytes_per_run: float,
    console: Console,
) -> None:
    """Pilot seconds, scaled by each network's MACs and epochs."""
    per_epoch = statistics.mean(r.seconds["fit"] / r.epochs for r in results)
    around = statistics.mean(r.seconds["total"] - r.seconds["fit"] for r in results)

    def seconds(spec: RunSpec) -> float:
        epochs = Recipe.from_dict(spec.recipe or {}).epochs
        return per_epoch * epochs * spec.cost["macs"] / pilot_macs + around

    drawn = itertools.islice(sample_params(space, settings.seed + 1), 40)
    draws = [d for d in drawn if not candidates.judge(d)]
    trial = statistics.mean([seconds(candidates.trial(Draw(0, 0, d), {})) for d in draws] or [0.0])
    fixed = sum(seconds(spec) for spec in candidates.baselines)
    finals = counts.seeds * (fixed + counts.top * trial) + counts.means * trial
    rungs, arms = settings.rungs, 2 if settings.sampler.random_search else 1
    search = arms * (counts.trials + counts.audits) * trial
    if rungs.first and rungs.over == "images":  # 1/factor of the images, 1/factor of these, ...
        search *= rungs.factor / (rungs.factor - 1)
    total = (fixed + search + finals) / len(results)
    stops = can_stop(settings, candidates.epochs)
    console.print(
        f"time       {'at most ' * stops}about {duration(total)} on {len(results)} workers "
        f"({per_epoch:.2f} s an epoch in the pilot){'; stopped trials make it less' * stops}",
        highlight=False,
    )
    megabytes = max(1, bytes_per_run * counts.total / 1e6)
    console.print(f"disk       about {megabytes:.0f} MB in {settings.path}", highlight=False)
