"""`--images`, `--hours` and `--preset`: what `run` and `compare` do so that they end in time."""

import shlex
import time
from argparse import SUPPRESS
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from jsonargparse import ArgumentParser

from hybrid_swin.errors import InputError
from hybrid_swin.system.program import door
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import ExperimentSettings
from search.settings.reading import parse_settings
from search.settings.study import StudySettings

if TYPE_CHECKING:
    from hybrid_swin.system.console import Console
    from search.launch.hours.time_plan import Clock, TimePlan

Settings = TypeVar("Settings", bound=ExperimentSettings)

_OPTIONS = ("--images", "--hours", "--preset")
_WHERE = ("--name", "--folder", "--workers.", "--wandb.", "--trust", "--dry-run")
_BEGIN = time.monotonic()  # of the command: this module is imported at its start


@dataclass(frozen=True)
class TimeOptions:
    """What was given of them.

    Args:
        images: a folder, a CSV or an .npz file.
        hours: that the whole command may take.
        preset: how much a proposal for images trains.
    """

    images: str | None = None
    hours: float | None = None
    preset: str | None = None


@dataclass(frozen=True)
class InTime(Generic[Settings]):
    """Settings, and what there is time for.

    Args:
        settings: the study's or comparison's.
        dry_run: whether nothing is to be trained.
        plan: what fits into the hours; None for no limit.
        proposed: whether the settings were proposed just now.
    """

    settings: Settings
    dry_run: bool
    plan: "TimePlan | None" = None
    proposed: bool = False


def add_time_options(parser: ArgumentParser, trained: str, fitted: str) -> None:
    """Give a parser the options, for its help: they are taken from the words before it sees them.

    Args:
        parser: of `run` or `compare`.
        trained: what is trained.
        fitted: what is fitted to the time.
    """
    parser.add_argument(
        "--images",
        type=str,
        default=SUPPRESS,
        help=f"your own images: one folder per class, a folder with train, val and test, a .csv or "
        f"an .npz. All settings of the {trained} are proposed from what lies there and a timed "
        "pilot, and written to begin.yaml in its folder",
    )
    parser.add_argument(
        "--hours",
        type=float,
        default=SUPPRESS,
        help=f"the most that the whole command takes, its end page included: {fitted} are fitted "
        "to it; with --images, 1 where left out",
    )
    parser.add_argument(
        "--preset",
        type=str,
        default=SUPPRESS,
        help="with --images: quick, or careful with more seeds, trials and epochs; by the hours "
        "where left out",
    )


def take_options(arguments: Sequence[str]) -> tuple[TimeOptions, list[str]]:
    """The options, and the other arguments.

    Raises:
        InputError: an option without a value, or hours that are not a number.
    """
    found: dict[str, str] = {}
    others, words = [], iter(arguments)
    for word in words:
        option, equals, value = word.partition("=")
        if option not in _OPTIONS:
            others.append(word)
            continue
        given = value if equals else next(words, "")
        if not given or given.startswith("--"):
            raise InputError(f"{option} needs a value, as in `run --images photos --hours 1`")
        found[option.removeprefix("--")] = given
    hours = None
    if "hours" in found:
        try:
            hours = float(found["hours"])
        except ValueError:
            raise InputError(
                f"--hours must be a number of hours, such as 1 or 0.5; got {found['hours']!r}"
            ) from None
    return TimeOptions(found.get("images"), hours, found.get("preset")), others


def parse_in_time(
    parser: ArgumentParser,
    arguments: Sequence[str],
    settings: type[Settings],
    default: str,
    console: "Console | None" = None,
) -> InTime[Settings]:
    """The study or comparison that the arguments describe, and what there is time for.

    Args:
        parser: of `run` or `compare`.
        arguments: the command line's.
        settings: what they describe.
        default: the config where none is given.
        console: for the user; a new one where left out.

    Raises:
        InputError: arguments that cannot be used, or too little time.
    """
    options, others = take_options(arguments)
    if options.images is None:
        if options.preset is not None:
            raise InputError(
                f"--preset {options.preset} belongs to --images; a --config has its own numbers"
            )
        found, dry_run = parse_settings(parser, others, settings, default)
        if options.hours is None:
            return InTime(found, dry_run)
        console = console or _console()
        clock = _clock(options.hours)
        found, plan = _fitted(found, clock, console)
        return InTime(found, dry_run, plan)
    if any(word.partition("=")[0] == "--config" for word in others):
        raise InputError("--images proposes settings and --config names them; give one of the two")
    if any(word.startswith("--print_config") for word in others):
        raise InputError(
            "--images writes all settings to begin.yaml; leave --print_config out, and give "
            "--dry-run to train nothing"
        )
    console = console or _console()
    return _of_images(parser, others, settings, default, console, options, arguments)


def _of_images(
    parser: ArgumentParser,
    others: list[str],
    settings: type[Settings],
    default: str,
    console: "Console",
    options: TimeOptions,
    arguments: Sequence[str],
) -> InTime[Settings]:
    from search.launch.proposal.begin_file import BEGIN_FILE
    from search.launch.proposal.images import name_of
    from search.launch.proposal.own_images import propose
    from search.launch.proposal.presets import preset_of
    from search.records.study_folder import has_begun
    from search.records.time_limit import read_time_limit

    images = cast(str, options.images)
    preset = preset_of(options.preset, options.hours)
    base, dry_run = parse_settings(parser, others, settings, default)
    comparison = settings is ComparisonSettings
    if not any(word.partition("=")[0] == "--name" for word in others):
        base = replace(base, name=name_of(images) + "-compared" * comparison)
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
        command = f"{door()} {'compare' if comparison else 'run'} {shlex.join(arguments)}"
        kind: Any = "comparison" if comparison else "study"
        clock = _clock(hours)
        plan = propose(kind, images, clock, preset, base, console, command).plan
    found, _ = parse_settings(parser, [f"--config={file}", *others], settings, default)
    found = replace(found, name=base.name)
    if plan is None or _changes(others):
        found, plan = _fitted(found, _clock(hours), console)
        return InTime(found, dry_run, plan)
    return InTime(found, dry_run, plan, proposed=True)


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
