"""Options of the commands of ``python -m hybrid_swin``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec.options import RANGE_WORDS, as_range
from hybrid_swin.spec.own_code.trust import CodeOptions
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_presets import PRESET
from hybrid_swin.system.answer import JsonOptions


@dataclass(frozen=True, kw_only=True)
class FitOptions(CodeOptions, JsonOptions):
    """What to train, on what, and how.

    Args:
        variant: a YAML file, a published name such as swin_t, or a run of a study, such as
            runs/digits/finalists/0a1b2c/0, whose recipe and data may be given as --recipe and
            --data likewise; --run RUN stands for all three.
        folder: where the training is kept.
        num_classes: classes, instead of the variant's.
        image_size: pixels per side, instead of the variant's.
        in_channels: image channels, instead of the variant's.
        recipe: a YAML file, a mapping, a preset such as small_images, or a run of a study. A preset
            or a run takes the place of a recipe given before it; a file or a mapping changes it.
        data: a YAML file, a mapping, or a run of a study.
        seed: of all randomness.
        accelerator: auto, cpu, gpu or mps.
        init: weights to start from, as far as they fit.
        weights_prefix: which network of --init, if it holds several, such as ema.
        follow_source: pad, roll and shift windows as the library of --init does.
        init_strict: refuse --init of other widths or depths; false takes what fits, and leaves the
            rest fresh.
        init_hash: what the file of --init must be, by its hash, as --run RUN gives it.
        resume: go on with what the folder holds.
    """

    whole_by: ClassVar[Mapping[str, str]] = {"recipe": PRESET}

    variant: str
    folder: str
    num_classes: int | None = None
    image_size: int | None = None
    in_channels: int | None = None
    recipe: Recipe = field(default_factory=Recipe)
    data: DataSettings = field(default_factory=DataSettings)
    seed: int = 0
    accelerator: str = "auto"
    init: str | None = None
    weights_prefix: str | None = None
    follow_source: bool = False
    init_strict: bool = True
    init_hash: str | None = None
    resume: bool = True

    def __post_init__(self) -> None:
        if not self.folder.strip():
            raise InputError(f"--folder {self.folder!r} is empty; give one such as runs/mine")


@dataclass(frozen=True, kw_only=True)
class ReadOptions(CodeOptions, JsonOptions):
    """Which training to use.

    Args:
        folder: of a finished fit.
        accelerator: auto, cpu, gpu or mps.
    """

    folder: str
    accelerator: str = "auto"


@dataclass(frozen=True, kw_only=True)
class PredictOptions(CodeOptions, JsonOptions):
    """Answer for new images, or for those of a split.

    The network is that of a finished fit, of a run of a study, of a study (its first row) or of an
    export. New images are made ready as in its training. Probabilities are calibrated: one
    temperature, fitted on the validation images of the training, makes them mean what they say.

    Args:
        folder: the training, the study, or a file of weights.
        images: files, folders at any depth, patterns, a .csv with a column path, or an .npz.
        output: a .csv or .npz file to write; without it the first answers are printed.
        value_range: [low, high], the pixel values of new images that become 0 and 1.
        split: without images: whose images to answer for, in a table with their labels and logits.
        accelerator: auto, cpu, gpu or mps.

    Examples:
      python -m hybrid_swin predict runs/mine photos/new --output answers.csv
      python -m hybrid_swin predict runs/digits/finalists/0a1b2c/0 one.png two.png
    """

    folder: str
    images: tuple[str, ...] = ()
    output: str = ""
    value_range: tuple[float, float] | None = None
    split: Literal["validation", "test"] = "test"
    accelerator: str = "auto"

    def __post_init__(self) -> None:
        limits = None if self.value_range is None else as_range(self.value_range)
        if self.value_range is not None and (limits is None or limits[0] == limits[1]):
            raise InputError(
                f"--value-range {quote(self.value_range)} is not possible; give {RANGE_WORDS}"
            )
