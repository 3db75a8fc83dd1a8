"""Commands of the door. What is heavy is imported inside them, so that help answers at once."""

import errno
import signal
import sys
from argparse import SUPPRESS
from collections.abc import Sequence
from types import FrameType
from typing import Any

from jsonargparse import ArgumentParser

from hybrid_swin.errors import InputError
from hybrid_swin.export_options import add_export_options, run_export
from search.attribution.options import attribution_parser
from search.compare.settings import DEFAULT_CONFIG as DEFAULT_COMPARISON
from search.compare.settings import ComparisonSettings
from search.cost_options import cost_parser, question_of
from search.inspect_options import inspect_parser
from search.inspect_options import question_of as inspect_question_of
from search.settings import DEFAULT_CONFIG, StudySettings
from search.settings_file import (
    add_settings,
    build_settings,
    parse_settings,
    parse_with_config,
    receipt_among,
)
from search.space_options import SAMPLES, space_parser
from search.watching.options import figures_parser, status_parser

DESCRIPTION = """\
Which mix of local and global information is best for your images, at your budget, and how sure can
you be? Searches networks made of Swin's window attention and other branches beside it, retrains
the best over fresh seeds beside baselines and controls, and ranks them with intervals and ties.

Without a command it runs the default study on bundled real data: python search.py
"""

EPILOG = """\
examples:
  python search.py                                              the default study
  python search.py run --config configs/search/digits.yaml --trials 40 --finalists.seeds 5
  python search.py run --dry-run                                what it would train, and how long
  python search.py run --print_config > mine.yaml               all settings, to be edited
  python search.py space mine.yaml                              what there is to search, and fits
  python search.py status runs/digits --watch 2                 how it stands, from another shell
  python search.py leaderboard runs/digits                      the table again
  python search.py leaderboard runs/digits runs/wide            both studies in one table
  python search.py compare --dry-run                            arms and controls at equal cost
  python search.py compare --config reach.yaml                  which distance can a block bridge?
  python search.py attribution runs/digits-controls             effects of blocks by stage
  python search.py inspect runs/digits/finalists/0a1b2c/0       where it looks, what it needs
  python search.py blocks --plugin my_branch.py --check         test a branch of your own
  python search.py cost swin_t "w_msa+mdta:gate"                parameters and MACs; --measure: time
  python search.py export runs/digits/finalists/0a1b2c/0 --format onnx

The same command continues a study that was interrupted, also after kill -9.
Exit codes: 0 done, 2 something to mend (one message says what), 130 interrupted.
"""

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
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, as in `... | head`
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(
            f"error: no space left on the disk ({error.filename or 'while saving'}); free some "
            "space and start the same command again: what is finished is kept",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command continues where this one ended", file=sys.stderr)
        return _INTERRUPTED


def _dispatch(arguments: list[str]) -> int:
    if arguments[0] == "run":
        return _run(_run_parser(), arguments[1:])
    if arguments[0] == "compare":
        return _compare(_compare_parser(), arguments[1:])
    if arguments[0] == "space":
        return _space(arguments[1:])
    if arguments[0] == "inspect":
        return _inspect(arguments[1:])
    parsed = _parser().parse_args(arguments)
    options = parsed[parsed.subcommand]
    commands = {
        "status": _status,
        "figures": _figures,
        "leaderboard": _leaderboard,
        "attribution": _attribution,
        "blocks": _blocks,
        "cost": _cost,
        "export": run_export,
    }
    return commands[parsed.subcommand](options)


def _run_parser() -> ArgumentParser:
    """The parser of `run`. On its own, since under another it would not print its config."""
    parser = ArgumentParser(
        prog="search.py run",
        formatter_class=_formatter(),
        description=f"Run a study, or go on with it. Without --config: {DEFAULT_CONFIG}.\n"
        "Any setting of the file can be overridden here, for example --recipe.epochs 20.",
    )
    parser.add_argument(
        "--config",
        action="config",
        help="a study's file, or its receipt.json to repeat it; a bundled one may be named alone, "
        "as in digits.yaml",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        dest="dry_run",
        default=SUPPRESS,  # no setting: --print_config leaves it out
        help="train nothing: say what would be trained, the time and disk that a "
        "timed pilot tells, and the smallest difference these seeds can show",
    )
    add_settings(parser, StudySettings)
    return parser


def _compare_parser() -> ArgumentParser:
    """The parser of `compare`, on its own like that of `run`."""
    parser = ArgumentParser(
        prog="search.py compare",
        formatter_class=_formatter(),
        description="Compare arms with their controls at matched cost over paired seeds, or go on "
        f"with it.\nWithout --config: {DEFAULT_COMPARISON}. Any setting can be overridden here.",
    )
    parser.add_argument(
        "--config",
        action="config",
        help="a comparison's file, or its receipt.json to repeat it; a bundled one may be named "
        "alone, as in reach.yaml",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        dest="dry_run",
        default=SUPPRESS,  # no setting: --print_config leaves it out
        help="train nothing: say what would be trained, the time that a timed pilot tells, the "
        "matched costs, and the smallest difference these seeds can show",
    )
    add_settings(parser, ComparisonSettings)
    return parser


def _parser() -> ArgumentParser:
    """The parser of all commands."""
    parser = ArgumentParser(
        prog="search.py", description=DESCRIPTION, epilog=EPILOG, formatter_class=_formatter()
    )
    commands = parser.add_subcommands(required=True)
    run = _run_parser()
    commands.add_subcommand("run", run, help="run a study, or go on with it (the default)")
    compare = _compare_parser()
    commands.add_subcommand("compare", compare, help="compare arms with controls at matched cost")

    commands.add_subcommand(
        "space", space_parser(_formatter()), help="what there is to search, and what fits"
    )

    commands.add_subcommand(
        "inspect", inspect_parser(_formatter()), help="look into a network, trained or not"
    )
    commands.add_subcommand(
        "attribution",
        attribution_parser(_formatter()),
        help="what each block does in each stage, from random trials or a comparison",
    )

    board = ArgumentParser(
        prog="search.py leaderboard",
        formatter_class=_formatter(),
        description="Show a study's leaderboard, or what a comparison found; finished or not. "
        "Several studies stand in one table where they have the same objective, images and test "
        "split.",
    )
    board.add_argument(
        "studies",
        type=str,
        nargs="*",
        help="the folder of the study or comparison, runs/digits where left out; or of several "
        "studies",
    )
    board.add_argument(
        "--format",
        type=str,
        default="table",
        choices=["table", "csv", "json"],
        help="what to print",
    )
    board.add_argument("--svg", type=str, default=None, help="write the table as a picture as well")
    commands.add_subcommand("leaderboard", board, help="show a study's leaderboard")

    commands.add_subcommand(
        "status", status_parser(_formatter()), help="how a study stands, running or not"
    )
    commands.add_subcommand(
        "figures", figures_parser(_formatter()), help="draw a study's figures again"
    )

    blocks = ArgumentParser(
        prog="search.py blocks",
        formatter_class=_formatter(),
        description="List branches, fusions and data sources with their "
        "options, yours included; check your own.",
    )
    blocks.add_argument(
        "--plugin",
        type=str,
        default=[],
        nargs="*",
        help="files with a branch, fusion or data source of your own",
    )
    blocks.add_argument(
        "--check", action="store_true", help="run the contract tests on the plug-ins"
    )
    commands.add_subcommand("blocks", blocks, help="list branches and fusions; check your own")

    cost = cost_parser(_formatter())
    commands.add_subcommand("cost", cost, help="what variants cost")

    exported = ArgumentParser(
        prog="search.py export",
        formatter_class=_formatter(),
        description="Write a trained network for use elsewhere, checked against the live one.",
    )
    commands.add_subcommand("export", add_export_options(exported), help="write a trained network")
    return parser


def _formatter() -> Any:
    from jsonargparse import DefaultHelpFormatter

    class Formatter(DefaultHelpFormatter):
        """Keeps the line breaks of descriptions and examples."""

        def _fill_text(self, text: str, width: int, indent: str) -> str:
            return "".join(indent + line for line in text.splitlines(keepends=True))

    return Formatter


def _run(parser: ArgumentParser, arguments: list[str]) -> int:
    settings, dry_run = parse_settings(parser, arguments, StudySettings, DEFAULT_CONFIG)
    from rich.console import Console

    console = Console()
    if dry_run:
        from search.dry_run import dry_run as rehearse

        rehearse(settings, console)
        return 0
    from search.launch import run_study
    from search.leaderboard_table import print_leaderboard

    leaderboard = run_study(settings, console, receipt_among(arguments))
    print_leaderboard(leaderboard, console)
    console.print(
        f"\nresults: {settings.path}/leaderboard.csv, .json, figures/; receipt.json says what it "
        "takes to repeat them",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _compare(parser: ArgumentParser, arguments: list[str]) -> int:
    settings, dry_run = parse_settings(parser, arguments, ComparisonSettings, DEFAULT_COMPARISON)
    from rich.console import Console

    console = Console()
    if dry_run:
        from search.compare.rehearsal import rehearse

        rehearse(settings, console)
        return 0
    from search.compare.launch import run_comparison
    from search.compare.report import print_report

    comparison = run_comparison(settings, console, receipt_among(arguments))
    print_report(comparison, settings.path, console)
    return 0


def _space(arguments: list[str]) -> int:
    if arguments and not arguments[0].startswith("-"):
        arguments = ["--config", *arguments]
    parser = space_parser(_formatter())
    parsed = parse_with_config(parser, arguments, StudySettings, DEFAULT_CONFIG)
    settings = build_settings(StudySettings, parsed, "")
    from search.space_command import print_space

    samples, output = parsed.get("samples", SAMPLES), parsed.get("format", "table")
    return print_space(settings, samples, output)


def _leaderboard(options: Any) -> int:
    from search.leaderboard_command import run

    return run(options)


def _status(options: Any) -> int:
    from search.watching.command import run

    return run(options)


def _figures(options: Any) -> int:
    from search.figures.command import run

    return run(options)


def _inspect(arguments: list[str]) -> int:
    question = inspect_question_of(inspect_parser(_formatter()), arguments)
    from rich.console import Console

    from search.inspect_command import inspect

    return inspect(question, Console())


def _attribution(options: Any) -> int:
    from search.attribution.command import run

    return run(options)


def _blocks(options: Any) -> int:
    from search.catalogue import check_plugins, print_catalogue

    return check_plugins(options.plugin) if options.check else print_catalogue(options.plugin)


def _cost(options: Any) -> int:
    from search.cost_table import print_costs

    return print_costs(question_of(options), options.format, options.save)


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a study as Ctrl-C does: in order."""
    raise KeyboardInterrupt
