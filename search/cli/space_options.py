"""Options of the command `space`."""

from argparse import SUPPRESS
from typing import Any, Literal

from jsonargparse import ArgumentParser

from hybrid_swin.spec.own_code.trust import TRUST_HELP
from hybrid_swin.system.program import as_called, program
from search.settings.reading import add_settings
from search.settings.study import DEFAULT_CONFIG, StudySettings

SAMPLES = 1000

DESCRIPTION = f"""\
What a study's space holds, before anything is trained: its parameters, how many candidates they
make, how many of these fit the budget, the lowest and highest cost, and the values that never fit.
The study's file comes first; without one: {DEFAULT_CONFIG}.
"""

EPILOG = """\
examples:
  python search.py space
  python search.py space mine.yaml --budget.macs 50M
  python search.py space mine.yaml --samples 5000 --format json
"""


def space_parser(formatter: Any) -> ArgumentParser:
    """The parser of `space`: that of `run`, with its own options."""
    parser = ArgumentParser(
        allow_abbrev=False,
        prog=f"{program()} space",
        formatter_class=formatter,
        description=DESCRIPTION,
        epilog=as_called(EPILOG),
    )
    parser.add_argument(
        "--config", action="config", help="a study's file; the word --config may be left out"
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=SUPPRESS,  # no setting: --print_config leaves it out, as the next
        help="combinations to draw where there are too many to look at one by one (default: "
        f"{SAMPLES}); more are slower and narrow the intervals",
    )
    parser.add_argument(
        "--format",
        type=Literal["table", "json"],
        default=SUPPRESS,
        help="what to print (default: table)",
    )
    parser.add_argument("--trust", action="store_true", default=SUPPRESS, help=TRUST_HELP)
    add_settings(parser, StudySettings)
    return parser
