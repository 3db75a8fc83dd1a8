"""The figure of the inspection ``branches``."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hybrid_swin.inspection.figures.palette import (
    GREY,
    block_label,
    in_percent,
    looks,
    margins,
    name_blocks,
    side_by_side,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_Rows = Sequence[Mapping[str, Any]]
_Style = Mapping[str, tuple[str, str]]  # colour and marker of a branch


def draw_branches(numbers: Mapping[str, Any], figure: "Figure") -> None:
    """Shares, gates and updates by block; accuracy without each branch, and without each name."""
    rows: _Rows = numbers["rows"]
    blocks = list(dict.fromkeys(row["block"] for row in rows))
    at = {block: i for i, block in enumerate(blocks)}
    labels = list({row["block"]: block_label(row) for row in rows}.values())
    shared = [row for row in rows if row["share"] is not None and len(rows) > len(blocks)]
    gated = [row for row in rows if row["gate"] is not None]
    ablated = bool(numbers["together"])
    panels = [
        (_draw_shares, shared),
        (_draw_gates, gated),
        (_draw_updates, rows),
        (_draw_ablation, rows if ablated else []),
    ]
    panels = [(draw, shown) for draw, shown in panels if shown]
    together: _Rows = numbers["together"]
    heights = [2.0] * len(panels) + [0.7 + 0.25 * len(together)] * ablated
    figure.set_size_inches(8, sum(heights) + 0.6)
    figure.set_layout_engine("constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    style = looks(row["branch"] for row in rows)
    for index, (draw, shown) in enumerate(panels):
        axes = figure.add_subplot(grid[index])
        draw(axes, shown, at, style)
        name_blocks(axes, labels)
        axes.spines[["top", "right"]].set_visible(False)
        if index == len(panels) - 1:
            axes.set_xlabel("block (stage.index, from 0)")
    if ablated:
        _draw_together(figure.add_subplot(grid[len(panels)]), together, style)
    handles = [_handle(name, *style[name]) for name in style]
    figure.legend(handles=handles, loc="outside upper left", ncols=4, frameon=False)


def _draw_shares(axes: "Axes", rows: _Rows, at: Mapping[str, int], style: _Style) -> None:
    bottom = dict.fromkeys(at, 0.0)
    joined = all(row["joined_share"] is not None for row in rows)
    for row in rows:
        share = row["joined_share" if joined else "share"]
        place = row["block"]
        axes.bar(
            at[place], share, 0.8, bottom=bottom[place], color=style[row["branch"]][0], ec="white"
        )
        bottom[place] += share
    axes.set_ylim(0, 1)
    axes.set_ylabel("norm share\n" + ("in the sum" if joined else "into the fusion"))


def _draw_gates(axes: "Axes", rows: _Rows, at: Mapping[str, int], style: _Style) -> None:
    _points(axes, rows, at, style, "gate", lambda row: [[row["gate_spread"]]] * 2)
    axes.axhline(1, color=GREY, lw=0.8)
    axes.set_ylabel("gate: mean, spread\n(descriptive)")


def _draw_updates(axes: "Axes", rows: _Rows, at: Mapping[str, int], style: _Style) -> None:
    for block, row in {row["block"]: row for row in rows}.items():
        error = margins(row, "update")
        axes.errorbar(at[block], row["update"], error, fmt="o", ms=4, color="black", capsize=2)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("update of\nthe block")


def _draw_ablation(axes: "Axes", rows: _Rows, at: Mapping[str, int], style: _Style) -> None:
    _points(axes, rows, at, style, "accuracy_change", lambda row: margins(row, "accuracy_change"))
    axes.axhline(0, color=GREY, lw=0.8)
    axes.set_ylabel("accuracy change\nwithout the branch")
    in_percent(axes.yaxis)


def _draw_together(axes: "Axes", together: _Rows, style: _Style) -> None:
    for i, row in enumerate(reversed(together)):
        colour, marker = style[row["branch"]]
        value, error = row["accuracy_change"], margins(row, "accuracy_change")
        axes.errorbar(value, i, xerr=error, fmt=marker, ms=5, capsize=2, color=colour)
    axes.axvline(0, color=GREY, lw=0.8)
    names = [f"{row['branch']} ({row['blocks']} blocks)" for row in reversed(together)]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel("accuracy change without all branches of a name, 95% interval")
    in_percent(axes.xaxis)
    axes.spines[["top", "right"]].set_visible(False)


def _points(
    axes: "Axes", rows: _Rows, at: Mapping[str, int], style: _Style, name: str, errors: Any
) -> None:
    """A point a branch with its interval, the branches of a block side by side."""
    for row, x in side_by_side(rows, at):
        colour, marker = style[row["branch"]]
        axes.errorbar(x, row[name], errors(row), fmt=marker, ms=4, capsize=2, color=colour)


def _handle(name: str, colour: str, marker: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, marker=marker, lw=5, ms=7, mec="white", label=name)
