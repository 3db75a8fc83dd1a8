"""The commands `run` and `compare`, which with `--images` and `--hours` end in time."""

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from hybrid_swin.errors import InputError
from hybrid_swin.system.answer import print_json
from hybrid_swin.system.files import given_path
from hybrid_swin.system.program import door
from hybrid_swin.system.schema import build_settings
from hybrid_swin.system.unread import trains_on_unread
from search.cli.commands import COMMANDS
from search.cli.options import RunOptions, TimeOptions
from search.settings.comparison import ComparisonSettings
from search.settings.config_files import read_receipt
from search.settings.executor import check_executor
from search.settings.reading import with_words
from search.settings.study import StudySettings

if TYPE_CHECKING:
    from hybrid_swin.system.console import Console
    from search.launch.hours.time_plan import Clock
    from search.launch.proposal.choice import Kind
    from search.study.deadline import TimePlan

Experiment = StudySettings | ComparisonSettings

_WHERE = {"name", "folder", "workers", "wandb"}  # settings that change no training
_CAREFUL = 4  # hours from which on that preset is taken


def run(options: TimeOptions, settings: Experiment, words: Sequence[str]) -> int:
    """Run a study or a comparison, or say what it would train. Returns the exit code."""
    began = time.monotonic()
    place = options.images or settings.path
    if not options.dry_run:
        _check_places(settings)
    if "torch" not in sys.modules and given_path(place):  # seconds in which nothing is said
        print(f"{place}: loading PyTorch ...", file=sys.stderr, flush=True)
    imports = _imports(options, settings, words)
    with nullcontext() if options.dry_run else trains_on_unread():
        request = in_time(options, settings, words, began)
    as_json = options.format == "json"
    if options.dry_run:
        # a proposal says all of it
        planned = request.proposal or _rehearse(request.settings, options)
        if as_json:
            hours = request.plan.limit.hours if request.plan else None
            print_json({"hours": hours, **planned})
        return 0
    receipts = [receipt for name in options.config if (receipt := read_receipt(name))]
    from search.launch import start

    begin = start.run_study if isinstance(request.settings, StudySettings) else start.compare
    receipt = receipts[-1] if receipts else None
    given = {"receipt": receipt, "report": not as_json, "time_plan": request.plan, **imports}
    outcome = begin(request.settings, **given)
    if as_json:
        print_json(outcome.to_dict())
    return 0


def _check_places(settings: Experiment) -> None:
    """Raise InputError if the executor or the database cannot be reached, before slow imports."""
    check_executor(settings.executor)
    if isinstance(settings, StudySettings) and settings.storage is not None:
        from search.study.sampling.database import check_database  # SQLAlchemy: slow to import

        check_database(settings.storage)


def _imports(options: TimeOptions, settings: Experiment, words: Sequence[str]) -> dict[str, Any]:
    """What a study is to begin with; what cannot be read is refused before pilots are timed."""
    if not isinstance(options, RunOptions) or not isinstance(settings, StudySettings):
        return {}
    given, top = options.import_trials, options.import_trials_top
    if given is None and top is None:
        return {}
    names = [word.partition("=")[0].replace("_", "-") for word in words]
    if names.count("--import-trials") > 1:
        raise InputError(
            "--import-trials is given twice, and a study begins from one source; put the "
            "candidates of several into one list"
        )
    from search.launch.imports.request import check_source, import_request

    check_source(import_request(given, top), settings)
    return {"import_trials": given, "import_trials_top": top}


def _rehearse(settings: Experiment, options: TimeOptions) -> Mapping[str, Any]:
    """Say what would be trained; gives the same for programs."""
    from hybrid_swin.system.console import Console
    from search.launch import dry_run_comparison, dry_run_study

    if isinstance(settings, StudySettings):
        from search.launch.imports.request import import_request

        known = options if isinstance(options, RunOptions) else RunOptions()
        request = import_request(known.import_trials, known.import_trials_top)
        return dry_run_study.dry_run(settings, Console(), request)
    return dry_run_comparison.rehearse(settings, Console())


@dataclass(frozen=True)
class InTime:
    """Settings, and what there is time for."""

    settings: Experiment  # the study's or comparison's
    plan: "TimePlan | None" = None  # what fits into the hours; None for no limit
    proposal: Mapping[str, Any] | None = None  # of settings proposed just now, what was said


def in_time(
    options: TimeOptions,
    settings: Experiment,
    words: Sequence[str],
    began: float,
    console: "Console | None" = None,
) -> InTime:
    """What to train, and what there is time for; ``words`` are the command line's.

    The hours count from ``began``, by ``time.monotonic``.

    Raises InputError for arguments that cannot be used, or too little time.
    """
    if options.images is None and options.hours is None:
        return InTime(settings)
    from hybrid_swin.system.console import Console
    from search.launch.hours.time_plan import Clock

    console = console or Console()
    if options.images is not None:
        return _of_images(options, options.images, settings, words, began, console)
    return _fitted(settings, Clock(options.hours or 0.0, began), console)


def _of_images(
    options: TimeOptions,
    images: str,
    base: Experiment,
    words: Sequence[str],
    began: float,
    console: "Console",
) -> InTime:
    from search.launch.hours.time_plan import Clock
    from search.launch.proposal.images import images_in, name_of
    from search.launch.proposal.own_images import propose
    from search.launch.proposal.presets import PRESETS
    from search.records.study_folder import has_begun

    if options.config:
        raise InputError("--images proposes settings and --config names them; give one of the two")
    images_in(images)
    careful = options.hours is not None and options.hours >= _CAREFUL
    preset = PRESETS[options.preset or ("careful" if careful else "quick")]
    kind: Literal["study", "comparison"] = "study"
    name, ending = "run", ""
    if isinstance(base, ComparisonSettings):
        kind, name, ending = "comparison", "compare", "-compared"
    if not any(word.partition("=")[0] == "--name" for word in words):
        base = replace(base, name=name_of(images, ending))
    hours = preset.hours if options.hours is None else options.hours
    clock = Clock(hours, began)
    if has_begun(base.path):
        return _continued(options, images, base, kind, words, clock, console)
    parser = COMMANDS[name].parser(name)
    given = with_words({}, parser, words, type(options), type(base))
    proposal = propose(kind, images, clock, preset, base, given, console)
    content = with_words(proposal.content, parser, words, type(options), type(base))
    settings, plan = build_settings(type(base), content), proposal.plan
    if given.keys() - _WHERE:  # what is proposed does not know how long these take
        fitted = _fitted(settings, clock, console)
        settings, plan = fitted.settings, fitted.plan or plan
        number = "trials" if kind == "study" else "seeds"
        before, content[number] = content[number], settings.to_dict()[number]
        if number in given and content[number] != before:
            fit = f"--{number} {before}: {content[number]} fit into {hours:g} h"
            console.say(f"{'hours':<11}{fit}", style="yellow")
    command = f"{door()} {name} {shlex.join(words)}"
    about = proposal.write(settings, content, command, plan, console)
    return InTime(settings, plan, about)


def _continued(
    options: TimeOptions,
    images: str,
    base: Experiment,
    kind: "Kind",
    words: Sequence[str],
    clock: "Clock",
    console: "Console",
) -> InTime:
    """What an earlier start with `--images` began; without `--hours`, in those of that start."""
    from search.launch.proposal.begin_file import BEGIN_FILE
    from search.launch.proposal.going_on import check_same_proposal
    from search.launch.proposal.words import COMMANDS as NAMES
    from search.records.time_limit import read_time_limit

    file = base.path / BEGIN_FILE
    if not file.is_file():
        raise InputError(
            f"{str(base.path)!r} is the folder of a study or comparison that --images did not "
            f"begin; give another --name"
        )
    check_same_proposal(base, images, options.preset, kind)
    known = read_time_limit(base.path)
    if known and options.hours is None:
        clock = replace(clock, hours=known.hours)
    console.say(f"going on with the settings in {file}")
    name = NAMES[kind]
    _, settings, _ = COMMANDS[name].parse(name, [f"--config={file}", *words])
    fitted = _fitted(replace(settings, name=base.name), clock, console)
    given = with_words({}, COMMANDS[name].parser(name), words, type(options), type(base))
    number = "trials" if kind == "study" else "seeds"
    count, planned = given.get(number), getattr(fitted.settings, number)
    if known and known.hours == clock.hours and isinstance(count, int) and count > planned:
        raise InputError(
            f"--{number} {count}: this {kind} began with {planned} in {known.hours:g} h and goes "
            f"on with them; give other --hours to plan anew, or leave --{number} out"
        )
    return fitted


def _fitted(settings: Experiment, clock: "Clock", console: "Console") -> InTime:
    from search.launch.hours.comparison import plan_comparison
    from search.launch.hours.study import plan_study

    if isinstance(settings, StudySettings):
        return InTime(*plan_study(settings, clock, console))
    return InTime(*plan_comparison(settings, clock, console))
