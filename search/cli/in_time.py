"""`--images`, `--hours` and `--preset`: what `run` and `compare` do so that they end in time."""

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from hybrid_swin.errors import InputError
from hybrid_swin.system.program import door
from search.cli.commands import COMMANDS
from search.cli.options import TimeOptions
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import ExperimentSettings
from search.settings.study import StudySettings

if TYPE_CHECKING:
    from hybrid_swin.system.console import Console
    from search.launch.hours.time_plan import Clock, TimePlan

Settings = TypeVar("Settings", bound=ExperimentSettings)

_WHERE = (
    "--images",
    "--hours",
    "--preset",
    "--name",
    "--folder",
    "--workers.",
    "--wandb.",
    "--trust",
    "--dry-run",
)
_BEGIN = time.monotonic()  # of the command: this module is imported at its start


@dataclass(frozen=True)
class InTime(Generic[Settings]):
    """Settings, and what there is time for.

    Args:
        settings: the study's or comparison's.
        plan: what fits into the hours; None for no limit.
        proposed: whether the settings were proposed just now.
    """

    settings: Settings
    plan: "TimePlan | None" = None
    proposed: bool = False


def in_time(
    options: TimeOptions,
    settings: Settings,
    words: Sequence[str],
    console: "Console | None" = None,
) -> InTime[Settings]:
    """What to train, and what there is time for.

    Args:
        options: of `run` or `compare`.
        settings: of the config and the command line.
        words: the command line's.
        console: for the user; a new one where left out.

    Raises:
        InputError: arguments that cannot be used, or too little time.
    """
    if options.images is None and options.hours is None:
        return InTime(settings)
    console = console or _console()
    if options.images is None:
        return InTime(*_fitted(settings, _clock(cast(float, options.hours)), console))
    if options.config:
        raise InputError("--images proposes settings and --config names them; give one of the two")
    return _of_images(options, options.images, settings, words, console)


def _of_images(
    options: TimeOptions,
    images: str,
    base: Settings,
    words: Sequence[str],
    console: "Console",
) -> InTime[Settings]:
    from search.launch.proposal.begin_file import BEGIN_FILE
    from search.launch.proposal.images import name_of
    from search.launch.proposal.own_images import propose
    from search.launch.proposal.presets import preset_of
    from search.records.study_folder import has_begun
    from search.records.time_limit import read_time_limit

    preset = preset_of(options.preset, options.hours)
    comparison = isinstance(base, ComparisonSettings)
    if not any(word.partition("=")[0] == "--name" for word in words):
        base = replace(base, name=name_of(images) + "-compared" * comparison)
    name = "compare" if comparison else "run"
    folder, plan = base.path, None
    file = folder / BEGIN_FILE
    hours = options.hours or preset[1].hours
    if has_begun(folder):
        if not file.is_file():
            raise InputError(
                f"{str(folder)!r} is the folder of a study or comparison that --images did not "
                f"begin; give another --name"
            )
        known = read_time_limit(folder)
        hours = options.hours or (known.hours if known else hours)
        console.print(f"going on with the settings in {file}", highlight=False, soft_wrap=True)
    else:
        command = f"{door()} {name} {shlex.join(words)}"
        kind: Any = "comparison" if comparison else "study"
        clock = _clock(hours)
        plan = propose(kind, images, clock, preset, base, console, command)
    _, found, _ = COMMANDS[name].parse(name, [f"--config={file}", *words])
    found = replace(found, name=base.name)
    if plan is None or _changes(words):
        return InTime(*_fitted(found, _clock(hours), console))
    return InTime(found, plan, proposed=True)


def _changes(words: Sequence[str]) -> bool:
    """Whether arguments change more than where a study lies and runs."""
    return any(word.startswith("--") and not word.startswith(_WHERE) for word in words)


def _console() -> "Console":
    from hybrid_swin.system.console import Console

    return Console()


def _clock(hours: float) -> "Clock":
    from search.launch.hours.time_plan import Clock

    return Clock(hours, _BEGIN)


def _fitted(settings: Settings, clock: "Clock", console: "Console") -> "tuple[Settings, TimePlan]":
    from search.launch.hours.comparison import plan_comparison
    from search.launch.hours.study import plan_study

    found: Any
    if isinstance(settings, StudySettings):
        found = plan_study(settings, clock, console)
    else:
        found = plan_comparison(cast(ComparisonSettings, settings), clock, console)
    return cast("tuple[Settings, TimePlan]", found)
