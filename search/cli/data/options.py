"""Options of the command `data`, and the images and the recipe that they mean."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from hybrid_swin.errors import InputError, here, quote
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.values import Range, check_ranges
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.answer import JsonOptions
from hybrid_swin.system.options import Options
from hybrid_swin.system.schema import build_settings
from search.settings.comparison import ComparisonSettings
from search.settings.config_files import is_bundled
from search.settings.experiment import ExperimentSettings
from search.settings.kinds import settings_in
from search.settings.reading import ConfigOptions, parse_settings, with_words
from search.settings.study import DEFAULT_CONFIG, StudySettings

SHEET_SUFFIXES = (".png", ".svg")
_IMAGES = (".csv", ".npz")


@dataclass(frozen=True, kw_only=True)
class DataOptions(ConfigOptions, JsonOptions):
    """Look at images as a network will be fed them, before anything is trained.

    Prints classes, splits, sizes, value ranges, equal images, and the files that cannot be used
    with the reasons. Draws a contact sheet: images of each class as they are loaded, and beside
    them after the recipe's augmentations. The images are those of a study's or a comparison's file,
    or what is named itself: a folder with one folder per class, a folder with train, val and test,
    a .csv or an .npz. Test images are counted and not shown.

    Args:
        images: the images themselves, as `run --images` takes them; a word without -- does as well.
        split: which images are drawn; only train images are augmented.
        columns: images of each class on the sheet.
        out: the sheet's file, .png or .svg.
        draw_seed: of the choice of images, and of their augmentations.

    Examples:
      python search.py data photos
      python search.py data mine.yaml --recipe.preset small_images
      python search.py data --data.source photographs --variant.image_size 32
    """

    images: str | None = None
    split: Literal["train", "validation"] = "train"
    columns: int = 6
    out: str = "contact_sheet.png"
    draw_seed: int = 0

    def __post_init__(self) -> None:
        check_ranges(
            {
                "--columns": (self.columns, Range(1, 64)),
                "--draw-seed": (self.draw_seed, Range(0, 2**32 - 1)),
            }
        )
        if Path(self.out).suffix.lower() not in SHEET_SUFFIXES:
            raise InputError(
                f"--out {self.out}: the sheet is written as {' or '.join(SHEET_SUFFIXES)}; give a "
                "name with that ending"
            )
        if self.images is not None and self.config:
            raise InputError(
                f"--images {quote(self.images, 90)} and {quote(self.config[0], 90)} both say which "
                "images; leave one of the two out"
            )

    @property
    def named_images(self) -> str | None:
        """Images that are named themselves, not a file of settings."""
        if self.images is not None or len(self.config) != 1:
            return self.images
        place = Path(self.config[0]).expanduser()
        return self.config[0] if place.is_dir() or place.suffix.lower() in _IMAGES else None


@dataclass(frozen=True)
class DataQuestion:
    """Which images, for which network, and how they are augmented.

    Args:
        options: how to look.
        settings: of the study or comparison.
        variant: says what images the network takes; of a space the first.
        recipe: says how they are augmented; of a space the first.
        is_proposed: whether image size and channels are chosen here, by what the images are like.
        counts_classes: whether the variant's number of classes was given.
    """

    options: DataOptions
    settings: ExperimentSettings
    variant: Variant
    recipe: Recipe
    is_proposed: bool = False
    counts_classes: bool = True


def question_of(parser: Options, words: Sequence[str]) -> DataQuestion:
    """What the words ask.

    Raises InputError for an unknown option, a wrong type or value, a file that cannot be read, or
    images that are not there.
    """
    names = {field.name for field in fields(DataOptions)}
    given = [(path, value) for path, value in parser.read(words) if path in names]
    options = parser.built(DataOptions, given)
    if (images := options.named_images) is not None:
        paths = [path for path, _ in parser.read(words)]
        _check_no_others(images, paths)
        if options.images is None:
            _check_no_config(images)
        content = with_words(_of_images(images), parser, words, DataOptions, StudySettings)
        settings: ExperimentSettings = build_settings(StudySettings, content)
        counts_classes = "variant.num_classes" in paths
        return _question(options, settings, is_proposed=True, counts_classes=counts_classes)
    kind: type[ExperimentSettings] = StudySettings
    if options.config and settings_in(options.config[0]) is ComparisonSettings:
        kind = ComparisonSettings
        parser = Options(parser.prog, DataOptions, parser.positional).declare(kind)
    return _question(*parse_settings(parser, words, DataOptions, kind, DEFAULT_CONFIG))


def _question(
    options: DataOptions,
    settings: ExperimentSettings,
    is_proposed: bool = False,
    counts_classes: bool = True,
) -> DataQuestion:
    from search.space.budget import limits
    from search.space.space import Space

    if isinstance(settings, StudySettings):
        limits(settings.budget)  # plays no part here, and is refused as `run` refuses it
    space = Space(settings.variant, settings.recipe)
    variant, recipe = space.resolve(space.default())
    return DataQuestion(options, settings, variant, recipe, is_proposed, counts_classes)


def _check_no_others(images: str, given: Sequence[str]) -> None:
    """Raise InputError for settings that name images beside those that are named themselves."""
    places = ("source", "class_path", "options.path", "options.csv")
    named = [path for path in given if path in {f"data.{place}" for place in places}]
    if named:
        raise InputError(
            f"{quote(images, 90)} names the images, and --{named[0]} names others; leave one of "
            "the two out"
        )


def _check_no_config(images: str) -> None:
    """Raise InputError for a folder that has the name of a bundled config."""
    if is_bundled(images):
        raise InputError(
            f"{quote(images)} is a folder here, and the name of a bundled config; write "
            f"{quote(f'./{images}')} for the folder, or {quote(f'{images}.yaml')} for the config"
        )


def _of_images(images: str) -> dict[str, Any]:
    """Settings for images: size, channels and augmentations by the rules of `run --images`."""
    if not Path(images).expanduser().exists():
        raise InputError(f"{quote(images, 120)}: there is no such folder or file{here(images)}")
    from search.launch.proposal.content import data_of
    from search.launch.proposal.images import look_at, name_of
    from search.launch.proposal.network import network_sizes
    from search.launch.proposal.presets import PRESETS
    from search.launch.proposal.recipe import augmentations

    sizes, preset = look_at(images), PRESETS["quick"]
    # of the classes nothing is asked
    network = network_sizes(sizes, 2, preset.largest, preset.widest)[0]
    return {
        "name": name_of(images),
        "data": data_of(sizes.fitted(network.image_size)),
        "variant": network.variant().to_dict(),
        "recipe": augmentations(network),
    }
