"""Figures as files: the same numbers give the same bytes, and users' text is only shown."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from hybrid_swin.errors.plain_text import harmless
from hybrid_swin.system.files import write_bytes_atomically

_NO_GLYPH = "Glyph .* missing from"  # a box stands for it, which is not news to who reads Chinese
_STAMPS = {".svg": {"Date": None}, ".png": {"Software": None}}  # what would differ each time


def write_figure(file: Path, draw: Callable[[Figure], Any]) -> bool:
    """Write a figure in the format that the file's name ends in, whole or not at all.

    Labels may hold anything that users call their own: ``$`` begins no formula in them, and
    characters that XML does not take are shown as ``?``. Settings of matplotlib in the working
    folder or the home folder do not count.

    Returns whether there was anything to draw; no file is written else.
    """
    content = io.BytesIO()
    with rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_NO_GLYPH)
        rcdefaults()
        rcParams["svg.hashsalt"] = "hybrid-swin"
        figure = Figure()
        if draw(figure) is False or not figure.axes:
            return False
        _show_only(figure)
        kind, stamp = file.suffix.removeprefix("."), _STAMPS.get(file.suffix)
        figure.savefig(content, format=kind, dpi=150, metadata=stamp)
    write_bytes_atomically(file, content.getvalue())
    return True


def _show_only(figure: Figure) -> None:
    """Make every text of a figure one that is only shown."""
    for text in figure.findobj(Text):
        if isinstance(text, Text):
            text.set_text(_literal(text.get_text()))
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            given = axis.get_major_formatter()
            if isinstance(given, FuncFormatter):  # also labels given to set_xticks
                axis.set_major_formatter(FuncFormatter(_literally(given)))


def _literally(given: FuncFormatter) -> Callable[[float, int | None], str]:
    def literal(value: float, place: int | None = None) -> str:
        return _literal(str(given(value, place)))

    return literal


def _literal(text: str) -> str:
    return harmless(text).replace("$", r"\$")
