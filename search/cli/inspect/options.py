"""Options of the command `inspect`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.inspection.request import Request, parse_inspections
from hybrid_swin.spec import registry
from hybrid_swin.spec.own_code.trust import CodeOptions
from hybrid_swin.spec.values import Range, check_ranges
from hybrid_swin.system.answer import JsonOptions
from hybrid_swin.system.options import Options
from search.settings.wandb import WandbSettings, check_environment

NOISE = "noise"  # in the place of a data source: random images

Split = Literal["validation", "test", "train"]
Figures = Literal["svg", "png"]
Device = Literal["auto", "cpu", "cuda", "mps"]


@dataclass(frozen=True)
class InspectQuestion(CodeOptions, JsonOptions):
    """Look into a network: where its tokens look, what each branch does and how much is needed.

    Writes the numbers of each inspection (JSON) and a figure.

    Args:
        target: a published name (swin_t) or a variant's YAML file, which get random weights; the
            folder of a finished training, such as a run of a study, or a checkpoint.
        data: a data source (`blocks` lists them) or noise; left out, the images that the network
            was trained on.
        split: which images.
        images: how many of them, drawn by --seed; of --data.class_path the first of its loader.
        only: inspections, with options in brackets, as in spectrum,occlusion(patches=8;patch=16);
            all if left out.
        out: folder to write to; left out, `inspections` in the folder of the run or training, or,
            of a network without one, inspections/NAME.
        figures: the format of the figures.
        seed: of every random choice, the weights of a network without any included.
        device: what to compute on.
        wandb: send the numbers to Weights & Biases.
        log_images: send the figures too, which may show something of your images.
        plugin: a file with branches, fusions, data sources or inspections of your own; may be
            given again.

    Examples:
      python search.py inspect runs/digits/finalists/0a1b2c/0          on the data it was trained on
      python search.py inspect swin_t --data noise                     of random weights and images
      python search.py inspect final.ckpt --data folder --data.options.path my_images
      python search.py inspect runs/digits/finalists/0a1b2c/0 --only "spectrum,occlusion(patch=2)"
    """

    target: str
    data: DataSettings | None = None
    split: Split = "validation"
    images: int = 64
    only: str | None = None
    out: str | None = None
    figures: Figures = "svg"
    seed: int = 0
    device: Device = "auto"
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

    @property
    def inspections(self) -> tuple[Request, ...] | None:
        """The inspections asked for, with their options; None for all."""
        return None if self.only is None else parse_inspections(self.only)


def question_of(parser: Options, words: Sequence[str]) -> InspectQuestion:
    """What the words ask. Plug-ins become known here, since inspections may be among them.

    Raises InputError for an unknown option or inspection, a wrong type or value.
    """
    given = parser.read(words)
    short = [("data.source", v) if isinstance(v, str) and p == "data" else (p, v) for p, v in given]
    for path, value in given:
        if path == "format" and value in get_args(Figures):
            raise InputError(f"--format {value}: for the format of figures give --figures {value}")
    question = parser.built(InspectQuestion, short)
    for plugin in question.plugin:
        registry.add_plugin(plugin)
    if question.data is not None:
        _check_data(question.data)
    question.inspections  # noqa: B018  # refuses unknown ones before any work
    return question


def _check_data(data: DataSettings) -> None:
    sources = [*registry.names("data source"), NOISE]
    if data.class_path is None and data.source not in sources:
        raise unknown("data source", data.source, sources)
    noise = DataSettings(source=NOISE)
    if data.source != NOISE:
        data.validate()
    elif data != noise:
        names = (field.name for field in dataclasses.fields(data))
        changed = next(name for name in names if getattr(data, name) != getattr(noise, name))
        raise InputError(f"--data noise takes no settings; leave out data.{changed}")
