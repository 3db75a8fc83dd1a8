"""Options of the commands `status` and `figures`."""

from typing import Any

from jsonargparse import ArgumentParser

from hybrid_swin.system.program import program

_STATUS = """\
How a study or a comparison stands, from another shell while it runs, or after: what has ended, what
is being trained, the best so far, the time left. Reads the folder only and disturbs nothing.
"""
_FIGURES = """\
Draw a study's figures again, finished or not, into STUDY/figures: the best score against trials and
time, scores against costs, learning curves. A study draws them by itself at its end.
"""


def status_parser(formatter: Any) -> ArgumentParser:
    """The parser of `status`."""
    parser = ArgumentParser(
        allow_abbrev=False,
        prog=f"{program()} status",
        formatter_class=formatter,
        description=_STATUS,
    )
    _add_folder(parser, "the folder of the study or comparison; or of several, to list them")
    parser.add_argument(
        "--format", default="table", choices=["table", "json"], help="what to print"
    )
    parser.add_argument(
        "--watch",
        type=float,
        default=None,
        metavar="SECONDS",
        help="look again every so many seconds while it runs; json: one line each",
    )
    return parser


def figures_parser(formatter: Any) -> ArgumentParser:
    """The parser of `figures`."""
    parser = ArgumentParser(
        allow_abbrev=False,
        prog=f"{program()} figures",
        formatter_class=formatter,
        description=_FIGURES,
    )
    _add_folder(parser, "the folder of the study")
    return parser


def _add_folder(parser: ArgumentParser, text: str) -> None:
    parser.add_argument("study", type=str, nargs="?", default="runs/digits", help=text)
