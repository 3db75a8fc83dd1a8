"""Commands of the door. What is heavy is imported inside them, so that help answers at once."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from hybrid_swin.errors import InputError, out_of_memory, unknown
from hybrid_swin.errors.failed_imports import explained_import
from hybrid_swin.errors.parser_messages import explained
from hybrid_swin.errors.plain_text import one_line
from hybrid_swin.interop.export.options import run_export
from hybrid_swin.system.files import explained as explain_refusal
from hybrid_swin.system.kept_text import check_words, show
from hybrid_swin.system.program import TRAINING, TRAINING_COMMANDS, of_the_other
from search.cli.cost.options import question_of
from search.cli.in_time import parse_in_time
from search.cli.inspect.options import question_of as inspect_question_of
from search.cli.parsers import COMMANDS, door_parser
from search.cli.space_options import SAMPLES
from search.settings.comparison import DEFAULT_CONFIG as DEFAULT_COMPARISON
from search.settings.comparison import ComparisonSettings
from search.settings.kinds import use_of
from search.settings.reading import build_settings, parse_with_config, receipt_among
from search.settings.study import DEFAULT_CONFIG, StudySettings

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments.insert(0, "run")
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        return _dispatch(arguments)
    except InputError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, as in `... | head`
        return 0
    except OSError as error:
        print(f"error: {one_line(str(explain_refusal(error)))}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"error: {out_of_memory(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interruption:
        print("; ".join(["interrupted", *map(str, interruption.args)]), file=sys.stderr)
        return _INTERRUPTED
    except Exception as error:
        explained = explained_import(error)
        if explained is None:
            raise
        print(f"error: {one_line(str(explained))}", file=sys.stderr)
        return 2


def _dispatch(arguments: list[str]) -> int:
    name, *rest = arguments
    if name in ("-h", "--help"):
        door_parser().parse_args([name])
    if name not in COMMANDS and (use := use_of(name)):
        raise InputError(f"{name!r} is a file, not a command; {use}")
    if name not in COMMANDS:
        if other := of_the_other(arguments, TRAINING_COMMANDS, TRAINING):
            raise InputError(other)
        raise unknown("command", name, COMMANDS)
    parser = COMMANDS[name][0]()
    parser.exit_on_error = False
    whole = {"run": _run, "compare": _compare, "space": _space, "inspect": _inspect}
    if name in whole:
        return whole[name](parser, rest)
    try:
        options = parser.parse_args(check_words(rest, parser))
    except ArgumentError as error:
        raise explained(show(str(error)), parser) from None
    simple = {
        "status": _status,
        "figures": _figures,
        "leaderboard": _leaderboard,
        "attribution": _attribution,
        "blocks": _blocks,
        "cost": _cost,
        "export": run_export,
    }
    return simple[name](options)


def _run(parser: ArgumentParser, arguments: list[str]) -> int:
    asked = parse_in_time(parser, arguments, StudySettings, DEFAULT_CONFIG)
    settings = asked.settings
    if asked.dry_run and asked.proposed:
        return 0  # all is said
    if asked.dry_run:
        from hybrid_swin.system.console import Console
        from search.launch.dry_run_study import dry_run as rehearse

        rehearse(settings, Console())
        return 0
    from search.launch.start import run_study

    run_study(settings, receipt=receipt_among(arguments), report=True, time_plan=asked.plan)
    return 0


def _compare(parser: ArgumentParser, arguments: list[str]) -> int:
    asked = parse_in_time(parser, arguments, ComparisonSettings, DEFAULT_COMPARISON)
    settings = asked.settings
    if asked.dry_run and asked.proposed:
        return 0  # all is said
    if asked.dry_run:
        from hybrid_swin.system.console import Console
        from search.launch.dry_run_comparison import rehearse

        rehearse(settings, Console())
        return 0
    from search.launch.start import compare

    compare(settings, receipt=receipt_among(arguments), report=True, time_plan=asked.plan)
    return 0


def _space(parser: ArgumentParser, arguments: list[str]) -> int:
    if arguments and not arguments[0].startswith("-"):
        arguments = ["--config", *arguments]
    parsed = parse_with_config(parser, arguments, StudySettings, DEFAULT_CONFIG)
    settings = build_settings(StudySettings, parsed, "")
    from search.cli.space import print_space

    samples, output = parsed.get("samples", SAMPLES), parsed.get("format", "table")
    return print_space(settings, samples, output)


def _leaderboard(options: Any) -> int:
    from search.cli.leaderboard import run

    return run(options)


def _status(options: Any) -> int:
    from search.cli.status import run

    return run(options)


def _figures(options: Any) -> int:
    from search.cli.figures import run

    return run(options)


def _inspect(parser: ArgumentParser, arguments: list[str]) -> int:
    question = inspect_question_of(parser, arguments)
    from hybrid_swin.system.console import Console
    from search.cli.inspect.command import inspect

    return inspect(question, Console())


def _attribution(options: Any) -> int:
    from search.cli.attribution import run

    return run(options)


def _blocks(options: Any) -> int:
    from search.cli.blocks import check_plugins, print_catalogue

    return check_plugins(options.plugin) if options.check else print_catalogue(options.plugin)


def _cost(options: Any) -> int:
    from search.cli.cost.command import print_costs

    return print_costs(question_of(options), options.format, options.save)


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a study as Ctrl-C does: in order."""
    raise KeyboardInterrupt
