"""The contact sheet in a terminal that shows colours: two pixels a character."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from hybrid_swin.system.console import Console
from search.cli.data.sheet import Sheet

_SIDE = 12  # pixels of an image's longer side
_ROWS = 5  # classes
_COLOURS = ("256", "truecolor")


def sheet_in_text(sheet: Sheet, console: Console) -> Text | None:
    """The first images of the first classes; None if the terminal shows no colours."""
    if not console.is_terminal or console.color_system not in _COLOURS:
        return None
    columns = max(1, console.width // (_SIDE + 1))
    text = Text(no_wrap=True)
    for name, images in list(sheet.loaded.items())[:_ROWS]:
        text.append(f"{name[: console.width - 1]}\n", style="dim")
        if images:
            _append(text, [_small(image) for image in images[:columns]])
    return text


def _append(text: Text, images: list[NDArray[Any]]) -> None:
    for top in range(0, images[0].shape[0], 2):
        for image in images:
            for upper, lower in zip(image[top], image[top + 1], strict=True):
                text.append("▀", style=f"rgb({_rgb(upper)}) on rgb({_rgb(lower)})")
            text.append(" ")
        text.append("\n")


def _rgb(pixel: NDArray[Any]) -> str:
    return ",".join(str(round(255 * float(value))) for value in pixel)


def _small(image: NDArray[Any]) -> NDArray[Any]:
    """Means over areas, an even number of rows."""
    longest = max(image.shape[:2])
    height = max(2, 2 * round(_SIDE * image.shape[0] / longest / 2))
    width = max(1, round(_SIDE * image.shape[1] / longest))
    rows = np.linspace(0, image.shape[0], height + 1)
    columns = np.linspace(0, image.shape[1], width + 1)
    return np.array(
        [
            [
                image[_span(rows, y), _span(columns, x)].reshape(-1, 3).mean(axis=0)
                for x in range(width)
            ]
            for y in range(height)
        ]
    )


def _span(edges: NDArray[Any], index: int) -> slice:
    start = int(edges[index])
    return slice(start, max(start + 1, int(edges[index + 1])))
