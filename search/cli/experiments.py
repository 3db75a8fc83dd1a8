"""The commands `run` and `compare`."""

from collections.abc import Sequence
from typing import Any

from search.cli.in_time import in_time
from search.cli.options import CompareOptions, RunOptions
from search.settings.comparison import ComparisonSettings
from search.settings.config_files import read_receipt
from search.settings.reading import ConfigOptions
from search.settings.study import StudySettings


def run(options: RunOptions, settings: StudySettings, words: Sequence[str]) -> int:
    """Run a study, or say what it would train. Returns the exit code."""
    asked = in_time(options, settings, words)
    if options.dry_run and asked.proposed:
        return 0  # all is said
    if options.dry_run:
        from hybrid_swin.system.console import Console
        from search.launch.dry_run_study import dry_run

        dry_run(asked.settings, Console())
        return 0
    from search.launch.start import run_study

    run_study(asked.settings, receipt=_receipt(options), report=True, time_plan=asked.plan)
    return 0


def compare(options: CompareOptions, settings: ComparisonSettings, words: Sequence[str]) -> int:
    """Run a comparison, or say what it would train. Returns the exit code."""
    asked = in_time(options, settings, words)
    if options.dry_run and asked.proposed:
        return 0  # all is said
    if options.dry_run:
        from hybrid_swin.system.console import Console
        from search.launch.dry_run_comparison import rehearse

        rehearse(asked.settings, Console())
        return 0
    from search.launch import start

    start.compare(asked.settings, receipt=_receipt(options), report=True, time_plan=asked.plan)
    return 0


def _receipt(options: ConfigOptions) -> dict[str, Any] | None:
    """The receipt that is given as a config, the last of several."""
    receipts = [read_receipt(name) for name in options.config]
    return next((receipt for receipt in reversed(receipts) if receipt is not None), None)
