"""The command `data`: what the program understands of images, and how a network will see them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from hybrid_swin.data.loading import LoadedData, load_data
from hybrid_swin.data.pixel_values import check_values
from hybrid_swin.data.summary import describe, summary_lines
from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec import registry
from hybrid_swin.system.answer import print_json
from hybrid_swin.system.console import Console
from hybrid_swin.system.files import expanded
from search.cli.data.contact_sheet import Sheet, draw_sheet, fill_sheet
from search.cli.data.options import DataQuestion
from search.cli.data.terminal_sheet import sheet_in_text
from search.execution.workers import image_cache

_SPLITS = ("train", "validation", "test")
_MOST_CLASSES, _MOST_FILES = 40, 10  # that are listed
_CAUTIONS = ("left out", "note")


@dataclass(frozen=True, eq=False)
class _Overview:
    """What there is to say.

    Args:
        question: which images, for which network.
        data: the images, split and measured.
        about: what ``describe`` says of them.
        problem: why a run would refuse them; empty if it would not.
        sheet: the images to be shown.
        out: the sheet's file.
    """

    question: DataQuestion
    data: LoadedData
    about: Mapping[str, Any]
    problem: str
    sheet: Sheet
    out: Path

    @property
    def by_class(self) -> dict[str, list[int]]:
        """Images of each class in train, validation and test."""
        images, splits = self.data.images, self.data.splits
        counts = [
            np.bincount(images.labels[getattr(splits, name)], minlength=len(images.class_names))
            for name in _SPLITS
        ]
        return dict(zip(images.class_names, np.stack(counts, axis=1).tolist(), strict=True))


def show_data(question: DataQuestion) -> int:
    """Look at the images, draw the sheet and say what is there. Returns the exit code.

    Raises InputError for images that cannot be used, or a sheet that cannot be written.
    """
    with Console(stderr=True).status("looking at the images"):
        overview = _look(question)
    if question.options.format == "json":
        print_json(_answer(overview))
    else:
        _print(overview, Console())
    return 0


def _look(question: DataQuestion) -> _Overview:
    options, settings, variant = question.options, question.settings, question.variant
    if settings.data.class_path is not None:
        raise InputError(
            f"the images of a data module ({settings.data.class_path}) are its own, and are not "
            "looked at here; `data` shows those of a data source"
        )
    out = expanded(options.out)
    if not out.parent.is_dir():
        raise InputError(f"--out {options.out}: there is no folder {quote(str(out.parent), 120)}")
    for plugin in settings.plugins:
        registry.add_plugin(plugin)
    cache = image_cache(settings)
    kept = cache if cache.is_dir() else None  # nothing is left behind
    data = load_data(settings.data, variant.image_size, variant.in_channels, kept)
    unfit = _refusal(lambda: check_values(data, [question.recipe]))
    problem = unfit
    if not question.is_proposed:
        problem = problem or _refusal(lambda: data.check_classes(variant.num_classes))
    # what cannot be augmented is shown as it is
    sheet = fill_sheet(data, None if unfit else question.recipe, options)
    draw_sheet(out, sheet)
    return _Overview(question, data, describe(data), problem, sheet, out)


def _refusal(check: Callable[[], None]) -> str:
    """Why a check refuses; empty if it does not."""
    try:
        check()
    except InputError as error:
        return str(error)
    return ""


def _answer(overview: _Overview) -> dict[str, Any]:
    question, data = overview.question, overview.data
    return {
        "source": question.settings.data.source,
        **overview.about,
        **data.hashes,
        "images_by_class": {
            name: dict(zip(_SPLITS, row, strict=True)) for name, row in overview.by_class.items()
        },
        "fed": {
            "shape": [question.variant.in_channels, *question.variant.image_size],
            "mean": list(data.mean),
            "std": list(data.std),
            "augmented_by": overview.sheet.augmented_by,
            "range": list(overview.sheet.fed_range),
        },
        "problem": overview.problem or None,
        "contact_sheet": str(overview.out),
    }


def _print(overview: _Overview, console: Console) -> None:
    question, data, sheet = overview.question, overview.data, overview.sheet
    if overview.problem:
        console.say(f"{'problem':<11}{overview.problem}", style="bold red")
    for heading, text in summary_lines(overview.about, "--format json"):
        console.say(f"{heading:<11}{text}", style="yellow" if heading in _CAUTIONS else None)
    for name, reason in overview.about["left_out"][:_MOST_FILES]:
        console.say(f"{'':<11}{quote(name, 70)}: {reason}", style="yellow")
    if question.is_proposed:
        height, width = question.variant.image_size
        console.say(
            f"{'size':<11}{height} x {width} as `run --images` proposes; others by "
            "--variant.image_size"
        )
    mean, std = (", ".join(f"{x:.3g}" for x in values) for values in (data.mean, data.std))
    console.say(f"{'normalised':<11}by mean {mean} and standard deviation {std} of the train split")
    low, high = sheet.fed_range
    changes = ", ".join(sheet.augmented_by) or "not augmented"
    console.say(f"{'fed':<11}{changes}; values from {low:.3g} to {high:.3g} on the sheet")
    console.say(f"{'sheet':<11}{overview.out}")
    console.print()
    console.print(_table(overview.by_class))
    if (more := len(overview.by_class) - _MOST_CLASSES) > 0:
        console.say(f"{more:,} more classes: --format json", style="dim")
    if picture := sheet_in_text(sheet, console):
        console.print()
        console.print(picture)


def _table(by_class: Mapping[str, list[int]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("class", header_style="dim", overflow="fold")
    for name in _SPLITS:
        table.add_column(name, header_style="dim", justify="right")
    for name, row in list(by_class.items())[:_MOST_CLASSES]:
        table.add_row(name, *(f"{count:,}" for count in row))
    return table
