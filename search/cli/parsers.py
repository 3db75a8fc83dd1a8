"""Parsers of the door: what its commands are called, and what may be said to each."""

from argparse import SUPPRESS
from collections.abc import Callable
from typing import Any

from jsonargparse import ArgumentParser

from hybrid_swin.interop.export.options import add_export_options
from hybrid_swin.spec.own_code.trust import PLUGIN_HELP, TRUST_HELP, add_code_options
from hybrid_swin.system.program import as_called, program
from search.cli.attribution_options import attribution_parser
from search.cli.cost.options import cost_parser
from search.cli.in_time import add_time_options
from search.cli.inspect.options import inspect_parser
from search.cli.space_options import space_parser
from search.cli.status_options import figures_parser, status_parser
from search.settings.comparison import DEFAULT_CONFIG as DEFAULT_COMPARISON
from search.settings.comparison import ComparisonSettings
from search.settings.reading import add_settings
from search.settings.study import DEFAULT_CONFIG, StudySettings

DESCRIPTION = """\
Which mix of local and global information is best for your images, at your budget, and how sure can
you be? Searches networks made of Swin's window attention and other branches beside it, retrains
the best over fresh seeds beside baselines and controls, and ranks them with intervals and ties.

Without a command it runs the default study on bundled real data: python search.py
"""

EPILOG = """\
examples:
  python search.py                                              the default study
  python search.py run --images photos --hours 1                your own images, done in an hour
  python search.py run --config configs/search/digits.yaml --trials 40 --finalists.seeds 5
  python search.py run --dry-run                                what it would train, and how long
  python search.py run --print_config > mine.yaml               all settings, to be edited
  python search.py space mine.yaml                              what there is to search, and fits
  python search.py status runs/digits --watch 2                 how it stands, from another shell
  python search.py leaderboard runs/digits                      the answer again; --all: all of it
  python search.py leaderboard runs/digits runs/wide            both studies in one table
  python search.py compare --dry-run                            arms and controls at equal cost
  python search.py compare --config reach.yaml                  which distance can a block bridge?
  python search.py attribution runs/digits-controls             effects of blocks by stage
  python search.py inspect runs/digits/finalists/0a1b2c/0       where it looks, what it needs
  python search.py blocks --plugin my_branch.py --check         test a branch of your own
  python search.py cost swin_t "w_msa+mdta:gate"                parameters and MACs; --measure: time
  python search.py export runs/digits/finalists/0a1b2c/0 --format onnx

The same command continues a study that was interrupted, also after kill -9.
Exit codes: 0 done, 2 something to fix (one message says what), 130 interrupted.
"""


def run_parser() -> ArgumentParser:
    """The parser of `run`."""
    return _settings_parser(
        "run",
        f"Run a study, or go on with it. Without --config: {DEFAULT_CONFIG}.\n"
        "Any setting of the file can be overridden here, for example --recipe.epochs 20.",
        StudySettings,
        config="a study's file, or its receipt.json to repeat it; a bundled one may be named "
        "alone, as in digits.yaml",
        dry_run="train nothing: say what would be trained, the time and disk that a timed pilot "
        "tells, and the smallest difference these seeds can show",
    )


def compare_parser() -> ArgumentParser:
    """The parser of `compare`."""
    return _settings_parser(
        "compare",
        "Compare arms with their controls at matched cost over paired seeds, or go on with it.\n"
        f"Without --config: {DEFAULT_COMPARISON}. Any setting can be overridden here.",
        ComparisonSettings,
        config="a comparison's file, or its receipt.json to repeat it; a bundled one may be named "
        "alone, as in reach.yaml",
        dry_run="train nothing: say what would be trained, the time that a timed pilot tells, the "
        "matched costs, and the smallest difference these seeds can show",
    )


def door_parser() -> ArgumentParser:
    """The parser of all commands, which is there for its help."""
    parser = ArgumentParser(
        allow_abbrev=False,
        prog=program(),
        description=as_called(DESCRIPTION),
        epilog=as_called(EPILOG),
        formatter_class=help_formatter(),
    )
    commands = parser.add_subcommands(required=True)
    for name, (make, about) in COMMANDS.items():
        commands.add_subcommand(name, make(), help=about)
    return parser


def _settings_parser(
    command: str, description: str, settings: type, *, config: str, dry_run: str
) -> ArgumentParser:
    """A parser of a command whose settings stand in a file."""
    parser = _plain_parser(command, description)
    parser.add_argument("--config", action="config", help=config)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        dest="dry_run",
        default=SUPPRESS,  # no setting: --print_config leaves it out
        help=dry_run,
    )
    parser.add_argument("--trust", action="store_true", default=SUPPRESS, help=TRUST_HELP)
    if settings is StudySettings:
        add_time_options(parser, "study", "trials")
    else:
        add_time_options(parser, "comparison", "seeds")
    add_settings(parser, settings)
    return parser


def _leaderboard_parser() -> ArgumentParser:
    parser = _plain_parser(
        "leaderboard",
        "Show a study's leaderboard, or what a comparison found; finished or not. Several studies "
        "stand in one table where they have the same objective, images and test split.",
    )
    parser.add_argument(
        "studies",
        type=str,
        nargs="*",
        default=["runs/digits"],
        help="the folder of the study or comparison; or of several studies",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="the full page: every row and every sentence, instead of the answer on one page",
    )
    parser.add_argument(
        "--format",
        default="table",
        choices=["table", "csv", "json"],
        help="what to print",
    )
    parser.add_argument(
        "--svg", type=str, default=None, help="write the full page as a picture as well"
    )
    add_code_options(parser)
    return parser


def _blocks_parser() -> ArgumentParser:
    parser = _plain_parser(
        "blocks",
        "List branches, fusions and data sources with their options, yours included; check your "
        "own.",
    )
    parser.add_argument("--plugin", type=str, default=[], action="append", help=PLUGIN_HELP)
    parser.add_argument(
        "--check", action="store_true", help="run the contract tests on the plug-ins"
    )
    return parser


def _export_parser() -> ArgumentParser:
    about = "Write a trained network for use elsewhere, checked against the live one."
    parser = _plain_parser("export", about)
    add_export_options(parser)
    return parser


def _plain_parser(command: str, description: str) -> ArgumentParser:
    return ArgumentParser(
        allow_abbrev=False,
        prog=f"{program()} {command}",
        description=description,
        formatter_class=help_formatter(),
    )


def help_formatter() -> Any:
    """The class that formats help."""
    from jsonargparse import DefaultHelpFormatter

    class Formatter(DefaultHelpFormatter):
        """Keeps the line breaks of descriptions and examples."""

        def _fill_text(self, text: str, width: int, indent: str) -> str:
            return "".join(indent + line for line in text.splitlines(keepends=True))

    return Formatter


# Each parses alone: under another, `run` would not print its config.
COMMANDS: dict[str, tuple[Callable[[], ArgumentParser], str]] = {
    "run": (run_parser, "run a study, or go on with it (the default)"),
    "compare": (compare_parser, "compare arms with controls at matched cost"),
    "space": (lambda: space_parser(help_formatter()), "what there is to search, and what fits"),
    "inspect": (lambda: inspect_parser(help_formatter()), "look into a network, trained or not"),
    "attribution": (
        lambda: attribution_parser(help_formatter()),
        "what each block does in each stage, from random trials or a comparison",
    ),
    "leaderboard": (_leaderboard_parser, "show a study's leaderboard"),
    "status": (lambda: status_parser(help_formatter()), "how a study stands, running or not"),
    "figures": (lambda: figures_parser(help_formatter()), "draw a study's figures again"),
    "blocks": (_blocks_parser, "list branches and fusions; check your own"),
    "cost": (lambda: cost_parser(help_formatter()), "what variants cost"),
    "export": (_export_parser, "write a trained network"),
}
