"""What a study would do, before it does it: trainings, time, disk, and what its seeds can show."""

import dataclasses
import statistics
import tempfile
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hybrid_swin.errors import InputError
from hybrid_swin.recipe import Recipe
from search.budget import limits
from search.candidates import Candidates
from search.dispatcher import Dispatcher
from search.launch import Prepared, check, count_runs, prepare
from search.progress import duration
from search.run_folder import RunResult, RunSpec
from search.settings import StudySettings
from search.space import Space
from search.statistics import minimum_detectable_difference
from search.study import Draw, sample_params
from search.workplace import start_workers

_PILOT_EPOCHS = 3
_DRAWS = 200  # random candidates that stand for the space
_SPREADS = (0.005, 0.01, 0.02)  # standard deviations between seeds, as shares of 1


def dry_run(settings: StudySettings, console: Console) -> None:
    """Print what a study would train, its time and disk by a timed pilot, and its resolution.

    Nothing is left behind.

    Raises:
        InputError: what `run` itself would refuse.
    """
    space, candidates = check(settings)
    with tempfile.TemporaryDirectory(prefix="hybrid-swin-") as temporary:
        rehearsal = dataclasses.replace(settings, folder=temporary)
        rehearsal.path.mkdir()
        with start_workers(rehearsal, settings.sampler.lookahead) as executor:
            prepared = prepare(rehearsal, space, candidates)
            _print_plan(settings, space, candidates, prepared, console)
            console.print(f"timing {executor.slots} pilot trainings ...", style="dim")
            view = _Silent()
            dispatcher = Dispatcher(
                rehearsal.path, executor, settings.workers, prepared.job_settings, view
            )
            for index in range(executor.slots):
                dispatcher.submit(_pilot(candidates, space, index))
            results = []
            while dispatcher.busy:
                results += [result for _, result in dispatcher.results()]
        broken = [result for result in results if not result.epochs]
        if broken:
            raise InputError(f"the pilot training {broken[0].state}: {broken[0].error}")
        size = sum(f.stat().st_size for f in rehearsal.path.glob("trials/**/*") if f.is_file())
        _print_estimate(settings, space, candidates, results, size / len(results), console)
    _print_resolution(settings, prepared, console)


def _pilot(candidates: Candidates, space: Space, index: int) -> RunSpec:
    """The first values of the space, for a few epochs."""
    spec = candidates.trial(Draw(index, index, space.default()), {})
    recipe = Recipe.from_dict(spec.recipe or {})
    short = dataclasses.replace(recipe, epochs=min(_PILOT_EPOCHS, recipe.epochs))
    return dataclasses.replace(spec, recipe=short.to_dict(), seed=index)


def _print_plan(
    settings: StudySettings,
    space: Space,
    candidates: Candidates,
    prepared: Prepared,
    console: Console,
) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    data = prepared.data
    if data is not None:
        sizes = [
            len(split) for split in (data.splits.train, data.splits.validation, data.splits.test)
        ]
        table.add_row(
            "images",
            f"{sizes[0]:,} to train on, {sizes[1]:,} to choose by, "
            f"{sizes[2]:,} to test on; {len(data.images.left_out)} left out",
        )
    size = "uncountably many" if space.size is None else f"{space.size:,}"
    table.add_row(
        "space",
        f"{size} combinations of {len(space.parameters)} parameters: "
        f"{escape(', '.join(p.path for p in space.parameters))}",
    )
    known = limits(settings.budget)
    draws = list(sample_params(space, _DRAWS, settings.seed))
    fitting = [d for d in draws if candidates.judge(d) is None]
    if known:
        words = ", ".join(f"{v:,} {k}" for k, v in known.items())
        table.add_row(
            "budget",
            f"{words}; of {_DRAWS} random candidates "
            f"{100 * len(fitting) / _DRAWS:.0f}% are new and fit",
        )
    seeds = settings.finalists.seeds
    table.add_row(
        "trainings",
        f"{len(candidates.baselines)} baselines, {settings.trials} trials, "
        f"then {len(candidates.baselines)} baselines and the best "
        f"{settings.finalists.top} trials over {seeds} seeds: "
        f"{count_runs(settings, candidates)} in all",
    )
    for spec in candidates.baselines:
        table.add_row(
            "",
            f"{escape(spec.label)}: {spec.cost['parameters']:,} parameters, "
            f"{spec.cost['macs']:,} MACs",
            style="dim",
        )
    console.print(table)


def _print_estimate(
    settings: StudySettings,
    space: Space,
    candidates: Candidates,
    results: list[RunResult],
    bytes_per_run: float,
    console: Console,
) -> None:
    """Pilot seconds, scaled by each network's MACs and epochs."""
    per_epoch = statistics.mean(r.seconds["fit"] / r.epochs for r in results)
    around = statistics.mean(r.seconds["total"] - r.seconds["fit"] for r in results)
    pilot_macs = _pilot(candidates, space, 0).cost["macs"]

    def seconds(spec: RunSpec) -> float:
        epochs = Recipe.from_dict(spec.recipe or {}).epochs
        return per_epoch * epochs * spec.cost["macs"] / pilot_macs + around

    draws = [d for d in sample_params(space, 40, settings.seed + 1) if not candidates.judge(d)]
    trial = statistics.mean([seconds(candidates.trial(Draw(0, 0, d), {})) for d in draws] or [0.0])
    fixed = sum(seconds(spec) for spec in candidates.baselines)
    finals = settings.finalists.seeds * (fixed + settings.finalists.top * trial)
    total = (fixed + settings.trials * trial + finals) / len(results)
    runs = count_runs(settings, candidates)
    console.print(
        f"time       at most about {duration(total)} on {len(results)} workers "
        f"({per_epoch:.2f} s an epoch in the pilot); stopped trials make it less",
        highlight=False,
    )
    megabytes = max(1, bytes_per_run * runs / 1e6)
    console.print(
        f"disk       about {megabytes:.0f} MB in {escape(str(settings.path))}", highlight=False
    )


def _print_resolution(settings: StudySettings, prepared: Prepared, console: Console) -> None:
    """The smallest difference that these seeds can show."""
    seeds = settings.finalists.seeds
    if seeds < 2:
        console.print(
            "seeds      one seed gives no interval, so no difference can be shown; give "
            "--finalists.seeds at least 3, better 5 to 10",
            highlight=False,
        )
        return
    parts = ", ".join(
        f"{100 * minimum_detectable_difference(seeds, spread):.1f} (at {100 * spread:g})"
        for spread in _SPREADS
    )
    console.print(
        f"seeds      {seeds} seeds find, four times in five, a difference of so many "
        f"points or more: {parts}, where paired differences scatter between seeds by "
        "the standard deviation in brackets",
        highlight=False,
    )
    if prepared.data is not None:
        images = len(prepared.data.splits.test)
        width = 196 * (0.95 * 0.05 / images) ** 0.5
        console.print(
            f"test       {images:,} images tell one accuracy of 95% to ±{width:.1f} "
            "points, however many seeds",
            highlight=False,
        )


class _Silent:
    """Watches without a word."""

    def started(self, spec: RunSpec, worker: str) -> None:
        """Say nothing."""

    def epoch(self, spec: RunSpec, worker: str, data: Mapping[str, Any]) -> None:
        """Say nothing."""

    def finished(self, spec: RunSpec, result: RunResult, worker: str) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def expect(self, total: int) -> None:
        """Say nothing."""
