"""Options of the command `inspect`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from jsonargparse import ArgumentError, ArgumentParser

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.errors.parser_messages import explained
from hybrid_swin.inspection.request import Asked, parse_inspections
from hybrid_swin.spec import registry
from hybrid_swin.spec.own_code.trust import TRUST_HELP
from hybrid_swin.spec.values import Range, check_ranges
from hybrid_swin.system.kept_text import check_words, show
from hybrid_swin.system.program import as_called, program
from search.settings.reading import build_settings
from search.settings.wandb import WandbSettings, check_environment

NOISE = "noise"  # in the place of a data source: random images

Split = Literal["validation", "test", "train"]
Format = Literal["svg", "png"]
Device = Literal["auto", "cpu", "cuda", "mps"]

DESCRIPTION = """\
Look into a network: where its tokens look, what each branch does and how much of it is needed.
Writes the numbers of each inspection (JSON) and a figure.
"""

EPILOG = """\
examples:
  python search.py inspect runs/digits/finalists/0a1b2c/0          on the data it was trained on
  python search.py inspect swin_t --data noise                     of random weights and images
  python search.py inspect final.ckpt --data folder --data.options.path my_images
  python search.py inspect runs/digits/finalists/0a1b2c/0 --only "spectrum,occlusion(patch=2)"
"""


@dataclass(frozen=True)
class InspectQuestion:
    """What is to be looked into, and how.

    Args:
        target: a published name, a YAML file, the folder of a training or a checkpoint.
        data: the images; None for those that the network was trained on.
        split: which of them.
        images: how many of them, drawn by the seed; of a user's own module the first.
        only: inspections with their options; None for all.
        out: a folder; None for `inspections` in the folder of the run or training, or, of a network
            without one, for a folder in `inspections/` that is named after it.
        format: of the figures.
        seed: of every random choice, the weights of a network without any included.
        device: what to compute on.
        plugins: files of own branches, fusions, data sources or inspections.
        trust: whether the plug-ins and the data module of the network's study may run.
        wandb: send the numbers to Weights & Biases.
        log_images: send the figures as well.
    """

    target: str
    data: DataSettings | None = None
    split: Split = "validation"
    images: int = 64
    only: tuple[Asked, ...] | None = None
    out: str | None = None
    format: Format = "svg"
    seed: int = 0
    device: Device = "auto"
    plugins: tuple[str, ...] = field(default_factory=tuple)
    trust: bool = False
    wandb: bool = False
    log_images: bool = False

    def __post_init__(self) -> None:
        if self.images < 2:
            raise InputError(
                f"--images {self.images}: one image has no spread, so nothing can be said of "
                "others; give at least 2"
            )
        check_ranges(
            {"--images": (self.images, Range(2, 10**6)), "--seed": (self.seed, Range(0, 2**32 - 1))}
        )
        if self.log_images and not self.wandb:
            raise InputError("--log_images sends figures to W&B; give --wandb true as well")
        if self.wandb:
            check_environment(WandbSettings())

    @property
    def is_noise(self) -> bool:
        """Whether random images are asked for."""
        return self.data is not None and self.data.source == NOISE


def inspect_parser(formatter: Any) -> ArgumentParser:
    """The parser of `inspect`."""
    parser = ArgumentParser(
        allow_abbrev=False,
        prog=f"{program()} inspect",
        formatter_class=formatter,
        description=DESCRIPTION,
        epilog=as_called(EPILOG),
    )
    parser.add_argument(
        "target",
        type=str,
        help="a published name (swin_t) or a variant's YAML file, which get random weights; the "
        "folder of a finished training, such as a run of a study, or a checkpoint",
    )
    parser.add_argument(
        "--only",
        type=str,
        default=None,
        help="inspections, with options in brackets: spectrum,occlusion(patches=8;patch=16)",
    )
    parser.add_argument("--split", type=Split, default="validation", help="which images")
    parser.add_argument(
        "--images",
        type=int,
        default=64,
        help="how many of them, drawn by --seed; of --data.class_path the first of its loader",
    )
    parser.add_argument(
        "--out",
        type=str,
        default=None,
        help="folder to write to (default: RUN/inspections; without a run inspections/NAME)",
    )
    parser.add_argument("--format", type=Format, default="svg", help="of the figures")
    parser.add_argument("--seed", type=int, default=0, help="of every random choice")
    parser.add_argument("--device", type=Device, default="auto", help="what to compute on")
    parser.add_argument(
        "--plugin",
        type=str,
        default=[],
        action="append",
        help="a file with branches, fusions, data sources or inspections of your own; may be given "
        "again",
    )
    parser.add_argument("--trust", action="store_true", help=TRUST_HELP)
    parser.add_argument(
        "--wandb", type=bool, default=False, help="send the numbers to Weights & Biases"
    )
    parser.add_argument(
        "--log_images",
        type=bool,
        default=False,
        help="send the figures too, which may show something of your images",
    )
    parser.add_class_arguments(
        DataSettings,
        "data",
        help="images, where not those that the network was trained on",
    )
    source = next(action for action in parser._actions if action.dest == "data")
    source.metavar, source.help = "SOURCE", "a data source (`blocks` lists them) or noise"
    return parser


def question_of(parser: ArgumentParser, arguments: Sequence[str]) -> InspectQuestion:
    """What the arguments ask. Plug-ins become known here, since inspections may be among them.

    Raises:
        InputError: an unknown option or inspection, a wrong type or value.
    """
    words = _with_source(arguments)
    parser.exit_on_error = False
    try:
        parsed = parser.parse_args(check_words(words, parser))
    except ArgumentError as error:
        raise _message(show(str(error)), parser) from None
    for plugin in parsed.plugin:
        registry.add_plugin(plugin)
    data = None
    if any(word.partition("=")[0].startswith("--data.") for word in words):
        data = build_settings(DataSettings, parsed["data"], "data.")
        sources = [*registry.names("data source"), NOISE]
        if data.class_path is None and data.source not in sources:
            raise unknown("data source", data.source, sources)
        if data.source != NOISE:
            data.validate()
        elif data != DataSettings(source=NOISE):
            changed = [
                f.name
                for f in dataclasses.fields(data)
                if getattr(data, f.name) != getattr(DataSettings(source=NOISE), f.name)
            ]
            raise InputError(f"--data noise takes no settings; leave out data.{changed[0]}")
    return InspectQuestion(
        target=parsed.target,
        data=data,
        split=parsed.split,
        images=parsed.images,
        only=None if parsed.only is None else parse_inspections(parsed.only),
        out=parsed.out,
        format=parsed.format,
        seed=parsed.seed,
        device=parsed.device,
        plugins=tuple(parsed.plugin),
        trust=parsed.trust,
        wandb=parsed.wandb,
        log_images=parsed.log_images,
    )


def _with_source(arguments: Sequence[str]) -> list[str]:
    """`--data digits` as `--data.source digits`."""
    found = []
    for word in arguments:
        option, equals, value = word.partition("=")
        found.append("--data.source" + equals + value if option == "--data" else word)
    return found


def _message(message: str, parser: ArgumentParser) -> InputError:
    if "required" in message and "target" in message:
        return InputError(
            "inspect needs a network: a published name such as swin_t, a YAML file, the folder of "
            "a training or a checkpoint"
        )
    return explained(message, parser)
