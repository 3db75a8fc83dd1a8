"""Begin a study or a comparison, or go on with it, from Python; the commands start here too."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hybrid_swin.spec import registry
from hybrid_swin.system.console import Console
from search.comparison.results.comparison import Comparison
from search.launch.comparison import launch_comparison
from search.launch.hours.comparison import plan_comparison
from search.launch.hours.study import plan_study
from search.launch.hours.time_plan import Clock, TimePlan
from search.launch.outcome import ComparisonStudy, Study
from search.launch.study import launch_study
from search.leaderboard.board import Leaderboard
from search.records.study_folder import has_begun
from search.settings.comparison import DEFAULT_CONFIG as DEFAULT_COMPARISON
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import ExperimentSettings
from search.settings.given import Source, resolve_settings
from search.settings.study import DEFAULT_CONFIG, StudySettings


def run_study(
    settings: Source = None,
    *,
    progress: bool = True,
    report: bool = False,
    hours: float | None = None,
    trust: bool = False,
    receipt: Mapping[str, Any] | None = None,
    time_plan: TimePlan | None = None,
    **overrides: Any,
) -> Study:
    """Run a study, or go on with it, to its end.

    ::

        study = search.run_study("digits", trials=4, name="mine", finalists={"seeds": 5})
        print(study.report())
        pandas.DataFrame(study.leaderboard)

    The same call continues a study that was interrupted; Ctrl-C ends one in order.

    Args:
        settings: `StudySettings`, a dict as it stands in a YAML file, the name of such a file, of a
            receipt or of a bundled config; None for the default study.
        progress: whether to print notes and progress.
        report: whether to print the report at the end.
        hours: that all of it may take: fewer trials are asked for if there is no time for all, of a
            comparison fewer seeds; None for no limit.
        trust: whether the plug-ins and data modules that a receipt or the settings of a study's
            folder name may run.
        receipt: content of the ``receipt.json`` of a study that is repeated, if ``settings`` is not
            its name: what differs from it is printed.
        time_plan: what fits into the hours, if that is known already.
        overrides: settings by name, as on the command line. A mapping changes what it names and
            leaves the rest; a path may be given as in ``**{"recipe.epochs": 20}``.

    Raises:
        InputError: something that the user must fix; what has been finished is kept.
        KeyboardInterrupt: after everything has been put in order.
    """
    begin = time.monotonic()
    known, found = resolve_settings(StudySettings, settings, overrides, DEFAULT_CONFIG, trust)

    def opened(board: Leaderboard) -> Study:
        return Study(known.path, board)

    with _in_order(known):
        console, show = Console(quiet=not progress), _shows(report)
        if hours is not None:
            known, time_plan = plan_study(known, Clock(hours, begin), console)
        return opened(
            launch_study(
                known, console, receipt or found, lambda board: show(opened(board)), time_plan
            )
        )


def compare(
    settings: Source = None,
    *,
    progress: bool = True,
    report: bool = False,
    hours: float | None = None,
    trust: bool = False,
    receipt: Mapping[str, Any] | None = None,
    time_plan: TimePlan | None = None,
    **overrides: Any,
) -> ComparisonStudy:
    """Run a comparison of arms at matched cost, or go on with it, to its end.

    ::

        found = search.compare("digits", seeds=5, name="mine")
        print(found.report())

    Arguments and errors are those of `run_study`, with `ComparisonSettings`.
    """
    begin = time.monotonic()
    known, found = resolve_settings(
        ComparisonSettings, settings, overrides, DEFAULT_COMPARISON, trust
    )

    def opened(comparison: Comparison) -> ComparisonStudy:
        return ComparisonStudy(known.path, comparison)

    with _in_order(known):
        console, show = Console(quiet=not progress), _shows(report)
        if hours is not None:
            known, time_plan = plan_comparison(known, Clock(hours, begin), console)
        return opened(
            launch_comparison(
                known, console, receipt or found, lambda c: show(opened(c)), time_plan
            )
        )


def _shows(report: bool) -> Callable[[Study | ComparisonStudy], None]:
    return lambda found: found.print_report(Console()) if report else None


@contextmanager
def _in_order(settings: ExperimentSettings) -> Iterator[None]:
    """Let a process run several experiments, and an interruption say what is kept of this one."""
    for plugin in settings.plugins:
        registry.forget_plugin(plugin)
    try:
        yield
    except KeyboardInterrupt:
        if has_begun(settings.path):
            raise KeyboardInterrupt("started again, it continues where it ended") from None
        raise
