"""The figure of the inspection ``spectrum``."""

import math
from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any

from hybrid_swin.inspection.figures.palette import (
    GREY,
    block_label,
    looks,
    margins,
    name_blocks,
    side_by_side,
)
from hybrid_swin.inspection.measures.fourier import tiled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_Style = Mapping[str, tuple[str, str]]  # colour and marker of a branch
_TICKS = {0: "0", 0.5: "π/2", 1: "π", math.sqrt(2): "√2 π"}


def draw_spectrum(numbers: Mapping[str, Any], figure: "Figure") -> None:
    """T by frequency, a panel per stage (thin: a block, thick: their mean); shares below."""
    rows = numbers["rows"]
    stages = sorted({row["stage"] for row in rows})
    figure.set_layout_engine("constrained")
    figure.set_size_inches(max(6.0, 0.8 + 2.9 * len(stages)), 5.6)
    grid = figure.add_gridspec(2, len(stages), height_ratios=[3, 2])
    style = looks(row["branch"] for row in rows)
    first = None
    for column, stage in enumerate(stages):
        axes = figure.add_subplot(grid[0, column], sharey=first)
        first = first or axes
        _draw_stage(axes, [row for row in rows if row["stage"] == stage], style)
        height, width = next(row["grid"] for row in rows if row["stage"] == stage)
        axes.set_title(f"stage {stage}: {height} x {width} tokens", fontsize="medium")
    if first is not None:
        first.set_ylabel("transfer T(f), nats")
    below = figure.add_subplot(grid[1, :])
    _draw_shares(below, rows, style)
    known: dict[Any, Any] = {}
    for axes in figure.axes:
        known |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(known.values(), known.keys(), loc="outside upper left", ncols=4, frameon=False)


def _draw_stage(axes: "Axes", rows: list[Mapping[str, Any]], style: _Style) -> None:
    for name in sorted({row["branch"] for row in rows}):
        own = [row for row in rows if row["branch"] == name]
        frequency = [f / math.pi for f in own[0]["frequency"]]
        for row in own:
            axes.plot(frequency, row["transfer"], color=style[name][0], lw=0.6, alpha=0.6)
        mean = [fmean(values) for values in zip(*(row["transfer"] for row in own), strict=True)]
        axes.plot(frequency, mean, color=style[name][0], lw=2, label=name)
    for at in tiling_lines(rows):
        axes.axvline(at, color=GREY, lw=0.8, ls=":")
    axes.axhline(0, color=GREY, lw=0.8)
    axes.set_xticks(list(_TICKS), list(_TICKS.values()))
    axes.set_xlabel("frequency, radians per token")
    axes.spines[["top", "right"]].set_visible(False)


def tiling_lines(rows: list[Mapping[str, Any]]) -> list[float]:
    """Where windows peak, in units of pi: 2k/p for each period p that tiles an axis of its map."""
    periods = {
        period
        for row in rows
        for side, period in zip(row["grid"], row["period"] or row["grid"], strict=True)
        if tiled(side, period)
    }
    return sorted({2 * k / period for period in periods for k in range(1, period // 2 + 1)})


def _draw_shares(axes: "Axes", rows: list[Mapping[str, Any]], style: _Style) -> None:
    labels = list({row["block"]: block_label(row) for row in rows}.values())
    at = {block: i for i, block in enumerate(dict.fromkeys(row["block"] for row in rows))}
    for row, x in side_by_side(rows, at):
        colour, marker = style[row["branch"]]
        axes.plot(x, row["high_share_in"], "_", color=GREY, ms=9, mew=1.5, label="branch input")
        value, error = row["high_share_out"], margins(row, "high_share_out")
        axes.errorbar(x, value, error, fmt=marker, ms=5, capsize=2, color=colour)
    name_blocks(axes, labels)
    axes.set_ylim(0, 1)
    axes.set_xlabel("block (stage.index, from 0)")
    axes.set_ylabel("power above π/2")
    axes.spines[["top", "right"]].set_visible(False)
