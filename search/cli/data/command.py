"""The command `data`: what the program understands of images, and how a network will see them."""

from collections.abc import Mapping
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


def show_data(question: DataQuestion) -> int:
    """Look at the images, draw the sheet and say what is there. Returns the exit code.

    Raises InputError for images that cannot be used, or a sheet that cannot be written.
    """
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
    with Console(stderr=True).status("looking at the images"):
        cache = image_cache(settings)
        kept = cache if cache.is_dir() else None  # nothing is left behind
        loaded = load_data(settings.data, variant.image_size, variant.in_channels, kept)
        about = describe(loaded)
        problem = _problem(question, loaded)
        # what cannot be augmented is still shown
        sheet = fill_sheet(loaded, None if problem else question.recipe, options)
        draw_sheet(out, sheet)
    if options.format == "json":
        print_json(_answer(question, loaded, about, sheet, problem, out))
        return 0
    _print(question, loaded, about, sheet, problem, out)
    return 0


def _problem(question: DataQuestion, loaded: LoadedData) -> str:
    """Why a run would refuse these images; empty if it would not."""
    try:
        check_values(loaded, [question.recipe])
        if not question.is_proposed:
            loaded.check_classes(question.variant.num_classes)
    except InputError as error:
        return str(error)
    return ""


def _counts(loaded: LoadedData) -> dict[str, list[int]]:
    """Images of each class in train, validation and test."""
    images, splits = loaded.images, loaded.splits
    counts = [
        np.bincount(images.labels[getattr(splits, name)], minlength=len(images.class_names))
        for name in _SPLITS
    ]
    return dict(zip(images.class_names, np.stack(counts, axis=1).tolist(), strict=True))


def _answer(
    question: DataQuestion,
    loaded: LoadedData,
    about: Mapping[str, Any],
    sheet: Sheet,
    problem: str,
    out: Path,
) -> dict[str, Any]:
    return {
        "source": question.settings.data.source,
        **about,
        **loaded.hashes,
        "images_by_class": {
            name: dict(zip(_SPLITS, row, strict=True)) for name, row in _counts(loaded).items()
        },
        "fed": {
            "shape": [question.variant.in_channels, *question.variant.image_size],
            "mean": list(loaded.mean),
            "std": list(loaded.std),
            "augmented_by": sheet.augmented_by,
            "range": list(sheet.fed_range),
        },
        "problem": problem or None,
        "contact_sheet": str(out),
    }


def _print(
    question: DataQuestion,
    loaded: LoadedData,
    about: Mapping[str, Any],
    sheet: Sheet,
    problem: str,
    out: Path,
) -> None:
    console = Console()
    for heading, text in summary_lines(about, "--format json"):
        console.say(f"{heading:<11}{text}", style="yellow" if heading in _CAUTIONS else None)
    for name, reason in about["left_out"][:_MOST_FILES]:
        console.say(f"{'':<11}{quote(name, 70)}: {reason}", style="yellow")
    if question.is_proposed:
        height, width = question.variant.image_size
        console.say(
            f"{'size':<11}{height} x {width} as `run --images` proposes; others by "
            "--variant.image_size"
        )
    mean, std = (", ".join(f"{x:.3g}" for x in values) for values in (loaded.mean, loaded.std))
    console.say(f"{'normalised':<11}by mean {mean} and standard deviation {std} of the train split")
    low, high = sheet.fed_range
    changed = ", ".join(sheet.augmented_by) or "not augmented"
    console.say(f"{'fed':<11}{changed}; values from {low:.3g} to {high:.3g} on the sheet")
    console.print()
    console.print(_table(loaded))
    if (more := len(loaded.images.class_names) - _MOST_CLASSES) > 0:
        console.say(f"{more:,} more classes: --format json", style="dim")
    if picture := sheet_in_text(sheet, console):
        console.print()
        console.print(picture)
    console.print()
    console.say(f"{'sheet':<11}{out}")
    if problem:
        console.say(f"{'problem':<11}{problem}", style="bold red")


def _table(loaded: LoadedData) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("class", header_style="dim", overflow="fold")
    for name in _SPLITS:
        table.add_column(name, header_style="dim", justify="right")
    for name, row in list(_counts(loaded).items())[:_MOST_CLASSES]:
        table.add_row(name, *(f"{count:,}" for count in row))
    return table
