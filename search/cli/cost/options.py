"""Options of the command `cost`."""

from typing import Any, Literal

from jsonargparse import ArgumentParser

from hybrid_swin.spec.own_code.trust import TRUST_HELP
from hybrid_swin.system.program import as_called, program
from search.cli.cost.rows import By, Question

DESCRIPTION = """\
What variants cost, side by side: parameters, MACs and activations in closed form; with --measure
also time and memory; with --match as they would be if they cost as much as another.
"""

EPILOG = """\
examples:
  python search.py cost                                         all published variants
  python search.py cost swin_t "w_msa+mdta" mine.yaml
  python search.py cost "w_msa+mdta" --match swin_t --by macs --save matched/
  python search.py cost mine.yaml --match 2M --by parameters
  python search.py cost swin_t hybrid_t --measure --batch 1 --image-size 64
"""


def cost_parser(formatter: Any) -> ArgumentParser:
    """The parser of `cost`."""
    parser = ArgumentParser(
        allow_abbrev=False,
        prog=f"{program()} cost",
        formatter_class=formatter,
        description=DESCRIPTION,
        epilog=as_called(EPILOG),
    )
    parser.add_argument(
        "variants",
        type=str,
        nargs="*",
        default=[],
        help="published names (swin_t), YAML files, folders of studies' runs, or block words such "
        "as w_msa+mdta, which take the place of Swin-T's blocks; none for all published ones",
    )
    parser.add_argument(
        "--plugin",
        type=str,
        default=[],
        action="append",
        help="a file with branches or fusions that the variants use; may be given again",
    )
    parser.add_argument("--trust", action="store_true", help=TRUST_HELP)
    parser.add_argument(
        "--image-size",
        type=str,
        default=None,
        help="pixels instead of the variants' own, 224 or 224x160",
    )
    parser.add_argument(
        "--match",
        type=str,
        default=None,
        help="change widths, then the MLP ratio, so that each costs what this variant costs; or an "
        "amount such as 2M, or milliseconds",
    )
    parser.add_argument("--by", type=By, default="macs", help="the cost to match")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=None,
        help="how nearly to match, as a share (default: 0.01; 0.05 for latency)",
    )
    parser.add_argument(
        "--save", type=str, default=None, help="a folder to write the variants to, as YAML"
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="take time and memory of a forward pass and of a training step",
    )
    parser.add_argument(
        "--device",
        type=Literal["auto", "cpu", "cuda"],
        default="auto",
        help="what to measure on",
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads to measure with")
    parser.add_argument("--batch", type=int, default=8, help="images per step")
    parser.add_argument("--rounds", type=int, default=10, help="samples of each, taken in turn")
    parser.add_argument(
        "--format",
        default="table",
        choices=["table", "csv", "json"],
        help="what to print",
    )
    return parser


def question_of(options: Any) -> Question:
    """What the options ask."""
    return Question(
        variants=tuple(options.variants),
        plugins=tuple(options.plugin),
        trust=options.trust,
        image_size=options.image_size,
        match=options.match,
        by=options.by,
        tolerance=options.tolerance,
        measure=options.measure,
        device=options.device,
        threads=options.threads,
        batch=options.batch,
        rounds=options.rounds,
    )
