"""Forest plots of a comparison: every difference, or effect, with its interval; ties are grey."""

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.comparison.report.forest_rows import (
    Bar,
    ForestRow,
    difference_rows,
    effect_rows,
)
from search.comparison.report.rows import margin_text, percent, simultaneous_text
from search.comparison.results.arm_result import matched_by
from search.comparison.results.comparison import Comparison
from search.reporting.figures.style import BLUE, GREY, PALETTE, RED
from search.statistics.formatting import is_share, shown_value

HOLLOW = "hollow: marked ^, ?, ! or ~ in the table"
BETTER, WORSE, TIE, EQUAL = BLUE, RED, GREY, PALETTE[3]
_COLOURS = {"better": BETTER, "worse": WORSE, "equal": EQUAL, "tie": TIE, "unknown": TIE}
_ROW, _PANEL = 0.24, 3.4  # inches
_LETTER = 0.058  # inches of a letter below the panels
_LINE = 0.55  # of a row's height, that each further line of its text takes
_ABOVE = 0.3  # likewise, between a bar and what is published
_LONGEST = 56  # letters of a line of a row's text
_FARTHEST = 1.6  # times as far as our own intervals: what is published beyond stands at the edge


def draw_differences(comparison: Comparison, figure: Figure) -> None:
    """One row per difference of arms, one column a way of matching."""
    _draw(comparison, difference_rows(comparison), figure, "squares: controls")


def draw_effects(comparison: Comparison, figure: Figure) -> bool:
    """One row per effect of factors; says whether there are any."""
    rows = effect_rows(comparison)
    if rows:
        _draw(comparison, rows, figure, "averages over all cells")
    return bool(rows)


def _draw(comparison: Comparison, rows: list[ForestRow], figure: Figure, note: str) -> None:
    texts = [textwrap.fill(row.text, _LONGEST, break_on_hyphens=False) for row in rows]
    heights = [1 + _LINE * text.count("\n") for text in texts] or [1.0]
    places = [sum(heights[:index]) + (heights[index] - 1) / 2 for index in range(len(rows))]
    tall = sum(heights) * _ROW
    letters = max((len(line) for text in texts for line in text.split("\n")), default=1)
    indent = 0.5 + 0.072 * letters
    many = len(comparison.matchings)
    legend = _legend(comparison, rows)
    below = f"bars: intervals, {simultaneous_text(comparison)}; {note}; {HOLLOW}"
    if comparison.given_rates:
        below += "; given these learning rates"
    panels = indent + many * (_PANEL + 0.2) + 0.1
    width = max(panels, _legend_width(legend), 0.2 + _LETTER * len(below))
    height = tall + 1.45
    figure.set_size_inches(width, height)
    limit = _limit(comparison, rows)
    for column, matching in enumerate(comparison.matchings):
        box = indent + column * (_PANEL + 0.2), 0.95, _PANEL, tall
        axes = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))
        axes.set_xlim(-limit, limit)
        axes.set_ylim(sum(heights) - 0.5, -0.5)
        for y, row in zip(places, rows, strict=True):
            if matching in row.by_matching:
                _draw_row(axes, y, row.by_matching[matching], comparison.monitor)
        axes.axvline(0, color="black", linewidth=0.8)
        if comparison.equivalence is not None:
            margin = shown_value(comparison.equivalence, comparison.monitor)
            for at in (-margin, margin):
                axes.axvline(at, color=EQUAL, linewidth=0.8, linestyle=":")
        axes.set_yticks(places, texts if not column else [])
        for tick, row in zip(axes.get_yticklabels(), rows, strict=False):
            tick.set_fontsize(8 if row.kind != "control" else 7)
            tick.set_fontweight("bold" if row.kind == "head" else "normal")
            tick.set_color("#555555" if row.kind == "control" else "black")
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=8)
        axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        metric = comparison.monitor.rpartition("/")[2]
        points = " (points)" * is_share(comparison.monitor)
        axes.set_xlabel(f"difference in {metric}{points}", fontsize=8)
        axes.set_title(matched_by(matching), fontsize=9, loc="left")
    _draw_legend(figure, legend)
    figure.text(0.1 / width, 0.08 / height, below, fontsize=7.5)


def _draw_row(axes: Axes, y: float, bar: Bar, monitor: str) -> None:
    """One difference; hollow where it is marked, grey too where no conclusion speaks of it."""
    versus = bar.versus
    _draw_published(axes, y - _ABOVE, bar.published)
    if versus.difference is None:
        return
    colour = TIE if bar.kept_out else _COLOURS[versus.verdict]
    middle = shown_value(versus.difference, monitor)
    if versus.low is not None and versus.high is not None:
        ends = [shown_value(end, monitor) for end in (versus.low, versus.high)]
        axes.plot(ends, [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot(
        [middle],
        [y],
        marker="s" if versus.cause else "o",
        markersize=4 if versus.cause else 5.5,
        color=colour,
        markerfacecolor="white" if bar.kept_out or bar.marked else colour,
        linestyle="none",
    )


def _draw_published(axes: Axes, y: float, sizes: Sequence[float]) -> None:
    """A diamond at each published size; beyond the axis an arrow at its end, with the number."""
    low, high = axes.get_xlim()
    for size in sizes:
        beyond = size > high or size < low
        marker = (">" if size > 0 else "<") if beyond else "D"
        at = min(max(size, low), high)
        axes.plot(
            [at],
            [y],
            marker=marker,
            markersize=4,
            color="black",
            markerfacecolor="white",
            markeredgewidth=0.8,
            linestyle="none",
            zorder=4,
            clip_on=False,
        )
        if beyond:
            side = "right" if size > 0 else "left"
            shift = -7 if size > 0 else 7
            axes.annotate(
                f"{size:+g}", (at, y), (shift, 0), textcoords="offset points", fontsize=6.5,
                ha=side, va="center",
            )  # fmt: skip


def _legend(comparison: Comparison, rows: Sequence[ForestRow]) -> list[tuple[str, str, str]]:
    """Sign, colour and text of each entry."""
    entries = [
        ("■", BETTER, "shown better"),
        ("■", WORSE, "shown worse"),
        ("■", TIE, f"not shown different (Holm, {percent(comparison.level)}), or kept out"),
    ]
    if comparison.equivalence is not None:
        entries.append(("■", EQUAL, f"equal within {margin_text(comparison)}"))
    if any(bar.published for row in rows for bar in row.by_matching.values()):
        entries.append(("◇", "black", "published"))
    return entries


def _legend_width(entries: Sequence[tuple[str, str, str]]) -> float:
    return 0.1 + sum(_entry_width(text) for _, _, text in entries)


def _entry_width(text: str) -> float:
    return 0.45 + 0.062 * len(text)


def _draw_legend(figure: Figure, entries: Sequence[tuple[str, str, str]]) -> None:
    width, height = figure.get_size_inches()
    x = 0.1
    for sign, colour, text in entries:
        figure.text(x / width, 0.28 / height, sign, color=colour, fontsize=8)
        figure.text((x + 0.15) / width, 0.28 / height, text, fontsize=7.5)
        x += _entry_width(text)


def _limit(comparison: Comparison, rows: Sequence[ForestRow]) -> float:
    """The same on both sides of 0 and in all panels; published sizes far beyond do not count."""
    bars = [one for row in rows for one in row.by_matching.values()]
    ends = [
        abs(shown_value(end, comparison.monitor))
        for one in bars
        for end in (one.versus.difference, one.versus.low, one.versus.high)
        if end is not None
    ]
    if comparison.equivalence is not None:
        ends.append(shown_value(comparison.equivalence, comparison.monitor))
    own = max(ends, default=1.0) or 1.0
    published = [abs(size) for one in bars for size in one.published]
    return 1.08 * max([own, *(size for size in published if size <= _FARTHEST * own)])
