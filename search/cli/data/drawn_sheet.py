"""The contact sheet as a picture."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hybrid_swin.system.figure_files import write_figure
from search.cli.data.sheet import Rows, Sheet

_TILE, _GAP = 64, 2  # pixels of an image's longer side, about, and between images
_LEAST = 0.25  # of the longer side, that an image's place has at least along the shorter one
_INCHES = 0.62  # of an image's longer side
_LABELS, _SPACE = 1.4, 0.35  # inches for the names of classes, and around and between
_LETTERS = 13  # of a title in an inch
_LONGEST = 18  # letters of a class's name


def draw_sheet(file: Path, sheet: Sheet) -> None:
    """Write the sheet as a picture. Raises InputError if it cannot be written."""

    def draw(figure: Figure) -> None:
        columns = max(len(images) for images in sheet.loaded.values())
        parts = {"as loaded": sheet.loaded}
        if sheet.fed:
            parts[f"as fed: {', '.join(word.partition('(')[0] for word in sheet.augmented_by)}"] = (
                sheet.fed
            )
        mosaics = [_mosaic(rows, columns) for rows in parts.values()]
        # All in inches, so that an image has the same size on every sheet.
        inch = _INCHES / max(mosaics[0].shape[0] / len(sheet.loaded), mosaics[0].shape[1] / columns)
        height, width = (side * inch for side in mosaics[0].shape[:2])
        room = max(width, len("as loaded") / _LETTERS)
        whole = _LABELS + len(mosaics) * (room + _SPACE), height + 2 * _SPACE
        figure.set_size_inches(*whole)
        for number, (title, mosaic) in enumerate(zip(parts, mosaics, strict=True)):
            left = _LABELS + number * (room + _SPACE)
            place = left / whole[0], 0.4 * _SPACE / whole[1]
            axes = figure.add_axes((*place, width / whole[0], height / whole[1]))
            axes.imshow(mosaic, interpolation="nearest", aspect="auto")
            axes.set_title(_cut(title, int((room + _SPACE) * _LETTERS)), fontsize=8, loc="left")
            axes.set_xticks([])
            names = [] if number else [_cut(name, _LONGEST) for name in sheet.loaded]
            step = mosaic.shape[0] / len(sheet.loaded)
            axes.set_yticks([step * (row + 0.5) for row in range(len(names))], names)
            axes.tick_params(length=0, labelsize=7)
            for side in axes.spines.values():
                side.set_visible(False)

    write_figure(file, draw)


def _mosaic(rows: Rows, columns: int) -> NDArray[Any]:
    """All images in one, a row for each class, on white; about `_TILE` pixels per image."""
    first = next(image for images in rows.values() for image in images)
    longest = max(first.shape[:2])
    times, every = max(1, _TILE // longest), max(1, longest // (2 * _TILE))
    sides = [math.ceil(side / every) * times for side in first.shape[:2]]
    height, width = (max(side, round(_LEAST * max(sides))) + _GAP for side in sides)
    whole = np.ones((height * len(rows), width * columns, 3), np.float32)
    for row, images in enumerate(rows.values()):
        for column, image in enumerate(images):
            tile = image[::every, ::every].repeat(times, axis=0).repeat(times, axis=1)
            top, left = row * height, column * width
            whole[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return whole


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
