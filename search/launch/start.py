"""Begin a study or a comparison, or go on with it, from Python; the commands start here too."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hybrid_swin.spec import registry
from hybrid_swin.system.console import Console
from hybrid_swin.system.schema import check_arguments
from hybrid_swin.system.unread import trains_on_unread
from search.launch.comparison import launch_comparison
from search.launch.hours.comparison import plan_comparison
from search.launch.hours.study import plan_study
from search.launch.hours.time_plan import Clock
from search.launch.imports.request import check_source, import_request
from search.launch.outcome import ComparisonStudy, Study
from search.launch.study import launch_study
from search.records.study_folder import has_begun
from search.settings.comparison import DEFAULT_CONFIG as DEFAULT_COMPARISON
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import ExperimentSettings
from search.settings.given import Source, resolve_settings
from search.settings.study import DEFAULT_CONFIG, StudySettings
from search.study.deadline import TimePlan

Settings = TypeVar("Settings", bound=ExperimentSettings)
Outcome = TypeVar("Outcome", Study, ComparisonStudy)
Result = TypeVar("Result")
Receipt = Mapping[str, Any]


def run_study(
    settings: Source = None,
    *,
    progress: bool = True,
    report: bool = False,
    hours: float | None = None,
    trust: bool = False,
    receipt: Mapping[str, Any] | None = None,
    time_plan: TimePlan | None = None,
    import_trials: Any = None,
    import_trials_top: int | None = None,
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
        import_trials: known good candidates, which are the first trials: a study or comparison, or
            its folder; a leaderboard, a file with a list, or that list. Finished runs of the same
            images, split, recipe and code are taken over.
        import_trials_top: how many of them at most; None for all of a list, and of a study the ten
            best, but at most half of the trials.
        overrides: settings by name, as on the command line. A mapping changes what it names and
            leaves the rest; a path may be given as in ``**{"recipe.epochs": 20}``.

    Raises:
        InputError: something that the user must fix; what has been finished is kept.
        KeyboardInterrupt: after everything has been put in order.
    """
    flags = {"progress": progress, "report": report, "trust": trust}
    check_arguments(
        run_study, **flags, hours=hours, receipt=receipt, import_trials_top=import_trials_top
    )
    resolved = resolve_settings(StudySettings, settings, overrides, DEFAULT_CONFIG, trust)
    options = progress, report, hours, receipt, time_plan
    request = import_request(import_trials, import_trials_top)
    if hours is not None:
        check_source(request, resolved[0])
    launch = partial(launch_study, request=request)
    return _begin(Study, resolved, plan_study, launch, *options)


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
    flags = {"progress": progress, "report": report, "trust": trust}
    check_arguments(compare, **flags, hours=hours, receipt=receipt)
    resolved = resolve_settings(ComparisonSettings, settings, overrides, DEFAULT_COMPARISON, trust)
    options = progress, report, hours, receipt, time_plan
    return _begin(ComparisonStudy, resolved, plan_comparison, launch_comparison, *options)


def _begin(
    kind: Callable[[Path, Result], Outcome],
    resolved: tuple[Settings, Receipt | None],
    plan: Callable[[Settings, Clock, Console], tuple[Settings, TimePlan]],
    launch: Callable[..., Result],
    progress: bool,
    report: bool,
    hours: float | None,
    receipt: Receipt | None,
    time_plan: TimePlan | None,
) -> Outcome:
    """Plan and launch; arguments are those of `run_study`, and what differs between the kinds."""
    begin = time.monotonic()
    settings, own_receipt = resolved

    def show(result: Result) -> None:
        if report:
            kind(settings.path, result).print_report(Console())

    for plugin in settings.plugins:  # this process may have run another version
        registry.forget_plugin(plugin)
    try:
        console = Console(quiet=not progress)
        if hours is not None:
            settings, time_plan = plan(settings, Clock(hours, begin), console)
        with trains_on_unread():
            result = launch(settings, console, receipt or own_receipt, show, time_plan)
        return kind(settings.path, result)
    except KeyboardInterrupt:
        if has_begun(settings.path):
            raise KeyboardInterrupt("started again, it continues where it ended") from None
        raise
