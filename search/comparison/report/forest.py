"""The forest plot of a comparison: every difference with its interval; ties are grey."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.comparison.report.rows import margin_text, percent, simultaneous_text
from search.comparison.results.arm_result import ArmResult, matched_by
from search.comparison.results.comparison import Comparison
from search.comparison.results.differences import Versus
from search.reporting.figures.style import BLUE, GREY, PALETTE, RED
from search.statistics.formatting import is_share

BETTER, WORSE, TIE, EQUAL = BLUE, RED, GREY, PALETTE[3]
_COLOURS = {"better": BETTER, "worse": WORSE, "equal": EQUAL, "tie": TIE, "unknown": TIE}
_ROW, _PANEL = 0.24, 3.4  # inches


def draw_differences(comparison: Comparison, figure: Figure) -> None:
    """A forest plot: one row per difference, one column a way of matching; ties are grey."""
    rows = _forest_rows(comparison)
    labels = list(dict.fromkeys(row[0] for row in rows))
    tall = max(len(labels), 1) * _ROW
    indent = 0.5 + 0.072 * max((len(text) for _, text, _ in labels), default=1)
    many = len(comparison.matchings)
    width, height = indent + many * (_PANEL + 0.2) + 0.1, tall + 1.45
    figure.set_size_inches(width, height)
    limit = _limit(comparison)
    for column, matching in enumerate(comparison.matchings):
        axes = figure.add_axes(
            (
                (indent + column * (_PANEL + 0.2)) / width,
                0.95 / height,
                _PANEL / width,
                tall / height,
            )
        )
        for label, where, result, versus in rows:
            if where == matching and versus is not None:
                _forest_row(axes, labels.index(label), result, versus, comparison)
        axes.axvline(0, color="black", linewidth=0.8)
        if comparison.equivalence is not None:
            for sign in (-1, 1):
                at = sign * _scaled(comparison.equivalence, comparison)
                axes.axvline(at, color=EQUAL, linewidth=0.8, linestyle=":")
        axes.set_xlim(-limit, limit)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_yticks(range(len(labels)), [text for _, text, _ in labels] if not column else [])
        for tick, (_, _, kind) in zip(axes.get_yticklabels(), labels, strict=False):
            tick.set_fontsize(8 if kind != "control" else 7)
            tick.set_fontweight("bold" if kind == "head" else "normal")
            tick.set_color("#555555" if kind == "control" else "black")
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=8)
        axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.set_xlabel(_difference_label(comparison), fontsize=8)
        axes.set_title(matched_by(matching), fontsize=9, loc="left")
    _forest_legend(comparison, figure, width, height)


_Label = tuple[str, str, str]  # identity, text, kind


def _forest_rows(
    comparison: Comparison,
) -> list[tuple[_Label, str, ArmResult, Versus | None]]:
    rows: list[tuple[_Label, str, ArmResult, Versus | None]] = []
    cells = list(dict.fromkeys(r.cell for r in comparison.results))
    for cell in cells:
        here = [r for r in comparison.results if r.cell == cell]
        if cell:
            rows.append(((cell, cell, "head"), "", here[0], None))
        for arm in dict.fromkeys(r.arm for r in here if r.versus):
            for result in (r for r in here if r.arm == arm):
                if result.versus is None:
                    continue
                against = result.versus.against
                text = arm if against == comparison.baseline else f"{arm} - {against}"
                rows.append(
                    ((f"{cell}/{arm}", text, "arm"), result.matching, result, result.versus)
                )
                for control in result.controls:
                    identity = f"{cell}/{arm}/{control.cause}"
                    text = f"{control.cause}: less {control.against}"
                    label = (identity, text, "control")
                    rows.append((label, result.matching, result, control))
    # an arm's rows together, whichever matching has them
    order = list(dict.fromkeys(label for label, *_ in rows))
    order.sort(key=lambda label: _rank(label, rows))
    return sorted(rows, key=lambda row: order.index(row[0]))


def _rank(label: _Label, rows: Sequence[tuple[_Label, str, ArmResult, Versus | None]]) -> int:
    """Where the arm that a label belongs to stands first."""
    owner = "/".join(label[0].split("/")[:2])
    return next(i for i, row in enumerate(rows) if "/".join(row[0][0].split("/")[:2]) == owner)


def _forest_row(
    axes: Axes, y: int, result: ArmResult, versus: Versus, comparison: Comparison
) -> None:
    """One difference; hollow where it is kept out of conclusions."""
    if versus.difference is None:
        return
    colour = _COLOURS[versus.verdict]
    middle = _scaled(versus.difference, comparison)
    if versus.low is not None and versus.high is not None:
        ends = [_scaled(versus.low, comparison), _scaled(versus.high, comparison)]
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
        abs(_scaled(end, comparison))
        for r in comparison.results
        for v in (r.versus, *r.controls)
        if v is not None
        for end in (v.difference, v.low, v.high)
        if end is not None
    ]
    if comparison.equivalence is not None:
        ends.append(_scaled(comparison.equivalence, comparison))
    return 1.08 * max(ends, default=1.0) or 1.0


def _difference_label(comparison: Comparison) -> str:
    metric = comparison.monitor.rpartition("/")[2]
    return f"difference in {metric}" + (" (points)" if is_share(comparison.monitor) else "")


def _scaled(value: float, comparison: Comparison) -> float:
    return 100 * value if is_share(comparison.monitor) else value
