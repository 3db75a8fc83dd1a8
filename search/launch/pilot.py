"""Timed pilot trainings, and what so many seeds can show: what every rehearsal tells."""

import dataclasses
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.system.console import Console
from hybrid_swin.training.metric_facts import facts_of
from search.execution.dispatcher import Dispatcher, View
from search.execution.job import Executor
from search.records.runs import RunResult, RunSpec
from search.settings.experiment import ExperimentSettings
from search.statistics.power import detectable_difference
from search.statistics.wilson import wilson

_EPOCHS = 3
_SPREADS = (0.005, 0.01, 0.02)  # standard deviations between seeds, as shares of 1
_CHANGED = (0.02, 0.1)  # shares of the test images on which two arms differ
_LEVEL = 0.05
_ACCURACIES = (0.8, 0.95, 0.99)  # of which it is said how well the test images tell them
_Z = 1.96


def shortened(spec: RunSpec) -> RunSpec:
    """The same run for a few epochs."""
    recipe = Recipe.from_dict(spec.recipe or {})
    short = dataclasses.replace(recipe, epochs=min(_EPOCHS, recipe.epochs))
    return dataclasses.replace(spec, recipe=short.to_dict(), stage="search")


def run_pilots(
    settings: ExperimentSettings,
    executor: Executor,
    job_settings: Mapping[str, Any],
    specs: Iterable[RunSpec],
    view: View | None = None,
) -> list[RunResult]:
    """Run shortened trainings in the experiment's folder, a temporary one; in the order given.

    Args:
        settings: of the experiment.
        executor: its workers.
        job_settings: what jobs need to know.
        specs: the trainings.
        view: what watches; nothing where left out.

    Raises:
        InputError: one that does not come to the end of an epoch.
    """
    dispatcher = Dispatcher(
        settings.path, executor, settings.workers, job_settings, view or Silent()
    )
    asked = list(specs)
    for spec in asked:
        dispatcher.submit(spec)
    results: dict[str, RunResult] = {}
    while dispatcher.busy:
        results |= {spec.key: result for spec, result in dispatcher.results()}
    broken = [result for result in results.values() if not result.epochs]
    if broken:
        raise InputError(f"the pilot training {broken[0].state}: {broken[0].error}")
    return [results[spec.key] for spec in asked]


def print_resolution(
    seeds: int,
    setting: str,
    test_images: int | None,
    console: Console,
    questions: int = 1,
    *,
    monitor: str = "val/accuracy",
    level: float = _LEVEL,
    grouped: bool = False,
) -> None:
    """Print the smallest difference that these seeds can show.

    Of a share of images; what seeds and images tell of another metric depends on the networks.

    Args:
        seeds: paired ones.
        setting: where they are set.
        test_images: how many are independent of each other; None where that is not known.
        console: where to.
        questions: differences asked at once: the first step of Holm's level is for one of them.
        monitor: the objective.
        level: of all tests together, at the look that these seeds come to.
        grouped: whether images belong together, so that ``test_images`` counts groups of them.
    """
    if seeds < 2:
        console.print(
            "seeds      one seed gives no interval, so no difference can be shown; give "
            f"--{setting} at least 3, better 5 to 10",
            highlight=False,
        )
        return
    facts = facts_of(monitor)
    if facts is None or not facts.per_image:
        console.print(
            f"seeds      {seeds} seeds; how small a difference they show is not known beforehand: "
            f"{monitor} is not a share of images, and tests of it are over seeds alone, on these "
            "test images",
            highlight=False,
        )
        return
    images, unit = test_images or 0, "groups of test images" if grouped else "test images"
    first_step = level / max(1, questions)
    found = {
        both: detectable_difference(seeds, images, both[0], both[1] ** 0.5, first_step)
        for both in (product(_SPREADS, _CHANGED) if images else ((s, 0.0) for s in _SPREADS))
    }
    parts = ", ".join(
        f"{'none' if least >= 1 else f'{100 * least:.1f}'} (at {100 * spread:g}"
        + (f" and {changed:.0%})" if images else ")")
        for (spread, changed), least in found.items()
    )
    among = f" among {questions} differences" if questions > 1 else ""
    among += f" at this look ({level:.2%} over all of them)" if level < _LEVEL else ""
    where = f" and the share of {unit} on which arms differ" if images else ""
    console.print(
        f"seeds      {seeds} seeds{f' and {images:,} {unit}' if images else ''} find{among}, "
        f"four times in five, a difference of at least, in points: {parts}; in brackets: the "
        f"standard deviation of paired differences between seeds{where}",
        highlight=False,
    )
    if test_images:
        spans = (wilson(share, _Z**2 / test_images) for share in _ACCURACIES)
        told = ", ".join(
            f"of {100 * share:g}% [{100 * low:.1f}, {100 * high:.1f}]"
            for share, (low, high) in zip(_ACCURACIES, spans, strict=True)
        )
        console.print(
            f"test       however many seeds, {test_images:,} {unit} tell one accuracy no better "
            f"than: {told}",
            highlight=False,
        )


class Silent:
    """Watches without a word."""

    def started(self, spec: RunSpec, worker: str) -> None:
        """Say nothing."""

    def epoch(self, spec: RunSpec, worker: str, data: Mapping[str, Any]) -> None:
        """Say nothing."""

    def finished(self, spec: RunSpec, result: RunResult, worker: str) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def expect(
        self, total: int, by_folder: Mapping[str, int] | None = None, about: bool = False
    ) -> None:
        """Say nothing."""
