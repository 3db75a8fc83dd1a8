"""The command `data`: what the program understands of images, and how a network will see them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from hybrid_swin.data.loading import LoadedData, at_test_size, load_data
from hybrid_swin.data.pixel_values import check_scale, check_values
from hybrid_swin.data.pixels import full_scale
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.sources.folder import FolderSource
from hybrid_swin.data.summary import describe, plain_name, summary_lines
from hybrid_swin.errors import InputError, few, quote
from hybrid_swin.spec import registry
from hybrid_swin.system.answer import print_json
from hybrid_swin.system.console import Console
from hybrid_swin.system.files import expanded
from search.cli.data.drawn_sheet import draw_sheet
from search.cli.data.options import DataQuestion
from search.cli.data.sheet import MOST_ROWS, Sheet, fill_sheet
from search.cli.data.terminal_sheet import sheet_in_text
from search.execution.workers import image_cache
from search.launch.starts.first_weights import normalised_as_weights

_SPLITS = ("train", "validation", "test")
_MOST_FILES, _MOST_CHANNELS = 10, 4  # that are listed
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
    _check_place(out, settings.data)
    for plugin in settings.plugins:
        registry.add_plugin(plugin)
    settings = normalised_as_weights(settings)
    question = replace(question, settings=settings)
    cache = image_cache(settings)
    kept = cache if cache.is_dir() else None  # nothing is left behind
    data = load_data(settings.data, variant.image_size, variant.in_channels, kept)
    recipe = question.recipe
    unfit = problem = _refusal(lambda: check_values(data, [recipe]))
    if question.counts_classes:
        problem = problem or _refusal(lambda: data.check_classes(variant.num_classes))
    size = recipe.test_image_size
    problem = problem or _refusal(lambda: check_scale(data, settings.data))
    problem = problem or _refusal(lambda: at_test_size(data, settings.data, size, kept))
    # what cannot be augmented is shown as it is
    sheet = fill_sheet(data, None if unfit else recipe, options)
    draw_sheet(out, sheet)
    return _Overview(question, data, describe(data), problem, sheet, out)


def _check_place(out: Path, data: DataSettings) -> None:
    """Raise InputError for a place of the sheet that is a folder, is not there or holds images.

    A sheet among images would be read as one of them the next time, or replace one.
    """
    if out.is_dir() or not out.parent.is_dir():
        what = "is a folder" if out.is_dir() else f"there is no folder {str(out.parent)!r}"
        raise InputError(f"--out {quote(str(out), 120)}: {what}; give another place")
    place = out.resolve()
    path, table = (str(data.options.get(name) or "") for name in ("path", "csv"))
    among = bool(path) and not table and place.is_relative_to(expanded(path).resolve())
    if data.source == "folder" and table:
        listing = FolderSource(**data.options).listing()
        among = any(item.file.resolve() == place for item in listing.items)
    if among:
        raise InputError(
            f"--out {quote(str(out), 120)} lies among the images, where it would be read as one of "
            "them or replace one; give a place outside of them"
        )


def _refusal(check: Callable[[], object]) -> str:
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
            f"{'size':<11}{height} x {width}, and how it is fed, as `run --images` proposes; "
            "others by --variant.image_size, --recipe.preset"
        )
    mean, std = (
        few((f"{x:.3g}" for x in values), _MOST_CHANNELS) for values in (data.mean, data.std)
    )
    given = question.settings.data.mean is not None
    of = "as data.mean and data.std say" if given else "of the train split"
    console.say(f"{'normalised':<11}by mean {mean} and standard deviation {std} {of}")
    low, high = sheet.fed_range
    changes = ", ".join(sheet.augmented_by) or "not augmented"
    console.say(f"{'fed':<11}{changes}; values from {low:.3g} to {high:.3g} on the sheet")
    console.say(f"{'sheet':<11}{overview.out}{_how_shown(data, sheet)}")
    console.print()
    console.print(_table(overview.by_class))
    if (more := len(overview.by_class) - MOST_ROWS) > 0:
        console.say(f"{more:,} more classes: --format json", style="dim")
    if picture := sheet_in_text(sheet, console):
        console.print()
        console.print(picture)


def _how_shown(data: LoadedData, sheet: Sheet) -> str:
    """What a picture of the images does not tell by itself."""
    parts = []
    if sheet.shown_range != (0, 1):
        low, high = (x * full_scale(data.images.images.dtype) for x in sheet.shown_range)
        parts.append(f"black is {low:.4g} and white {high:.4g}")
    channels = data.images.images.shape[-1]
    if channels not in (1, 3):
        parts.append(f"channel{'s 1 to 3' if channels > 2 else ' 1'} of {channels}")
    if len(data.images.class_names) > MOST_ROWS:
        parts.append(f"the first {MOST_ROWS} classes")
    return f" ({'; '.join(parts)})" if parts else ""


def _table(by_class: Mapping[str, list[int]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("class", header_style="dim", overflow="fold")
    for name in _SPLITS:
        table.add_column(name, header_style="dim", justify="right", no_wrap=True)
    for name, row in list(by_class.items())[:MOST_ROWS]:
        table.add_row(plain_name(name), *(f"{count:,}" for count in row))
    return table
