"""Options of the command `attribution`."""

from typing import Any, Literal

from jsonargparse import ArgumentParser

from hybrid_swin.spec.own_code.trust import add_code_options
from hybrid_swin.system.program import as_called, program

DESCRIPTION = """\
What each block does in each stage, with intervals that hold together with 95%: from the trials of a
random study without early stopping, or from the paired seeds of a comparison's arms, matched in one
way. Trials that a sampler chose or a rung stopped are refused: they are biased.
"""

EPILOG = """\
examples:
  python search.py run --name random --sampler.name random --rungs.first 0 --trials 60
  python search.py attribution runs/random
  python search.py attribution runs/random --interactions --adjust macs --out effects/
  python search.py attribution runs/digits-controls --match parameters
"""


def attribution_parser(formatter: Any) -> ArgumentParser:
    """The parser of `attribution`."""
    parser = ArgumentParser(
        allow_abbrev=False,
        prog=f"{program()} attribution",
        formatter_class=formatter,
        description=DESCRIPTION,
        epilog=as_called(EPILOG),
    )
    parser.add_argument("study", type=str, help="the folder of a study or of a comparison")
    parser.add_argument(
        "--out",
        type=str,
        default=None,
        help="a folder for attribution.json, .csv, .md and the heat map (default: the study's)",
    )
    parser.add_argument(
        "--match",
        type=str | None,
        default=None,
        help="of a comparison, tell of the arms matched by this, such as macs or parameters "
        "(default: the first of its match.by)",
    )
    parser.add_argument(
        "--interactions",
        action="store_true",
        help="also what the blocks of two stages do together beyond the sum of their effects",
    )
    parser.add_argument(
        "--adjust",
        type=Literal["none", "macs", "parameters"],
        default="none",
        help="tell effects at equal cost of this kind; none: with what a block costs more in them",
    )
    add_code_options(parser)
    return parser
