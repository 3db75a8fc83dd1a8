"""The forest plot of a comparison: every difference with its interval; ties are grey."""

from dataclasses import dataclass, field
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.comparison.report.rows import margin_text, percent, simultaneous_text
from search.comparison.results.arm_result import ArmResult, matched_by
from search.comparison.results.comparison import Comparison
from search.comparison.results.differences import Versus
from search.reporting.figures.style import BLUE, GREY, PALETTE, RED
from search.statistics.formatting import is_share, shown_value

BETTER, WORSE, TIE, EQUAL = BLUE, RED, GREY, PALETTE[3]
_COLOURS = {"better": BETTER, "worse": WORSE, "equal": EQUAL, "tie": TIE, "unknown": TIE}
_ROW, _PANEL = 0.24, 3.4  # inches


def draw_differences(comparison: Comparison, figure: Figure) -> None:
    """A forest plot: one row per difference, one column a way of matching; ties are grey."""
    rows = _rows(comparison)
    tall = max(len(rows), 1) * _ROW
    indent = 0.5 + 0.072 * max((len(row.text) for row in rows), default=1)
    many = len(comparison.matchings)
    width, height = indent + many * (_PANEL + 0.2) + 0.1, tall + 1.45
    figure.set_size_inches(width, height)
    limit = _limit(comparison)
    for column, matching in enumerate(comparison.matchings):
        box = indent + column * (_PANEL + 0.2), 0.95, _PANEL, tall
        axes = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))
        for y, row in enumerate(rows):
            if matching in row.by_matching:
                _forest_row(axes, y, *row.by_matching[matching], comparison)
        axes.axvline(0, color="black", linewidth=0.8)
        if comparison.equivalence is not None:
            margin = shown_value(comparison.equivalence, comparison.monitor)
            for at in (-margin, margin):
                axes.axvline(at, color=EQUAL, linewidth=0.8, linestyle=":")
        axes.set_xlim(-limit, limit)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), [row.text for row in rows] if not column else [])
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
    _forest_legend(comparison, figure, width, height)


_Kind = Literal["head", "arm", "control"]


@dataclass
class _Row:
    """One line of the plot: a cell's head, an arm, or a control, with what each matching found."""

    text: str
    kind: _Kind
    by_matching: dict[str, tuple[ArmResult, Versus]] = field(default_factory=dict)


def _rows(comparison: Comparison) -> list[_Row]:
    """An arm's rows together, whichever matching has them."""
    rows: dict[tuple[str, ...], _Row] = {}
    for cell in dict.fromkeys(r.cell for r in comparison.results):
        here = [r for r in comparison.results if r.cell == cell]
        if cell:
            rows[cell,] = _Row(cell, "head")
        arms = list(dict.fromkeys(r.arm for r in here))
        for result in sorted(here, key=lambda r: arms.index(r.arm)):
            if result.versus is None:
                continue
            against = result.versus.against
            text = result.arm if against == comparison.baseline else f"{result.arm} - {against}"
            lines: list[tuple[_Kind, str, Versus]] = [("arm", text, result.versus)]
            lines += [("control", f"{c.cause}: against {c.against}", c) for c in result.controls]
            for kind, name, versus in lines:
                row = rows.setdefault((cell, result.arm, name), _Row(name, kind))
                row.by_matching[result.matching] = result, versus
    return list(rows.values())


def _forest_row(
    axes: Axes, y: int, result: ArmResult, versus: Versus, comparison: Comparison
) -> None:
    """One difference; hollow where it is kept out of conclusions."""
    if versus.difference is None:
        return
    colour = _COLOURS[versus.verdict]
    middle = shown_value(versus.difference, comparison.monitor)
    if versus.low is not None and versus.high is not None:
        ends = [shown_value(end, comparison.monitor) for end in (versus.low, versus.high)]
        axes.plot(ends, [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot(
        [middle],
        [y],
        marker="s" if versus.cause else "o",
        markersize=4 if versus.cause else 5.5,
        color=colour,
        markerfacecolor=colour if comparison.speaks_of(result, versus) else "white",
        linestyle="none",
    )


def _forest_legend(comparison: Comparison, figure: Figure, width: float, height: float) -> None:
    texts = [
        (BETTER, "shown better"),
        (WORSE, "shown worse"),
        (TIE, f"not shown different (Holm, {percent(comparison.level)})"),
    ]
    if comparison.equivalence is not None:
        texts.append((EQUAL, f"equal within {margin_text(comparison)}"))
    x = 0.1
    for colour, text in texts:
        figure.text(x / width, 0.28 / height, "■", color=colour, fontsize=8)
        figure.text((x + 0.15) / width, 0.28 / height, text, fontsize=7.5)
        x += 0.45 + 0.062 * len(text)
    text = f"bars: intervals, {simultaneous_text(comparison)}; squares: controls; hollow: kept out"
    if comparison.given_rates:
        text += "; given these learning rates"
    figure.text(0.1 / width, 0.08 / height, text, fontsize=7.5)


def _limit(comparison: Comparison) -> float:
    """The same on both sides of 0 and in all panels."""
    ends = [
        abs(shown_value(end, comparison.monitor))
        for r in comparison.results
        for v in (r.versus, *r.controls)
        if v is not None
        for end in (v.difference, v.low, v.high)
        if end is not None
    ]
    if comparison.equivalence is not None:
        ends.append(shown_value(comparison.equivalence, comparison.monitor))
    return 1.08 * max(ends, default=1.0) or 1.0
