"""Scores, and steps to the milestone, against a numeric factor: one line per arm."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from search.comparison.design.factors import name_of, short_names
from search.comparison.results.arm_result import ArmResult, matched_by
from search.comparison.results.comparison import Comparison
from search.comparison.results.reach_truth import UNKNOWN, KnownAccuracy
from search.reporting.figures.style import PALETTE
from search.statistics.formatting import is_share

MARKERS = "osD^vPX*<>p"
_PANEL = 3.4  # inches


def draw_factor(
    comparison: Comparison, factor: str, figure: Figure, truth: KnownAccuracy = UNKNOWN
) -> None:
    """Scores with intervals, and where there is a milestone steps to it, against a factor.

    One column for each way of matching and each combination of the other factors. An arm's ceiling
    is dashed in its colour, what no arm can pass is dotted.
    """
    levels = comparison.factors[factor]
    columns: dict[tuple[str, str], list[ArmResult]] = {}
    for result in comparison.results:
        others = _others(result, factor)
        columns.setdefault((matched_by(result.matching), others), []).append(result)
    arms = list(dict.fromkeys(r.arm for r in comparison.results))
    rows = 1 if comparison.milestone is None else 2
    wide, tall, left = _PANEL, 2.5, 0.75
    width = left + len(columns) * (wide + 0.35)
    handles = _handles(arms, truth)
    across = max(1, int(width / 2.2))
    legend = 0.2 * math.ceil(len(handles) / across) + (0.4 if rows == 2 else 0.2)
    height = rows * (tall + 0.65) + legend
    figure.set_size_inches(width, height)
    for column, (title, here) in enumerate(columns.items()):
        for row in range(rows):
            axes = figure.add_axes(
                (
                    (left + column * (wide + 0.35)) / width,
                    (legend + (rows - 1 - row) * (tall + 0.65) + 0.42) / height,
                    wide / width,
                    tall / height,
                )
            )
            draw = _scores if row == 0 else _milestones
            draw(axes, levels, factor, here, arms, comparison)
            if row == 0:
                _known(axes, factor, here, arms, comparison, truth)
                axes.set_title(", ".join(filter(None, title)), fontsize=9, loc="left")
            _finish(axes, comparison, factor, levels, row, column)
    figure.legend(
        handles=handles,
        loc="upper left",
        ncols=across,
        fontsize=7.5,
        frameon=False,
        bbox_to_anchor=(0.01, legend / height),
    )
    if rows == 2:
        text = "no point: fewer than half of the seeds reached it"
        figure.text(0.1 / width, 0.08 / height, text, fontsize=7.5)


def _others(result: ArmResult, factor: str) -> str:
    return name_of({k: v for k, v in result.levels.items() if k != factor})


def _style(index: int) -> dict[str, Any]:
    """Colour and marker of an arm: as many differ as the two lengths have no factor in common."""
    return {"color": PALETTE[index % len(PALETTE)], "marker": MARKERS[index % len(MARKERS)]}


def _along(results: Sequence[ArmResult], arm: str, factor: str) -> list[ArmResult]:
    mine = [r for r in results if r.arm == arm]
    return sorted(mine, key=lambda r: float(r.levels[factor]))


def _scores(
    axes: Axes,
    levels: Sequence[Any],
    factor: str,
    results: Sequence[ArmResult],
    arms: Sequence[str],
    comparison: Comparison,
) -> None:
    for index, arm in enumerate(arms):
        x, y, low, high = [], [], [], []
        for result in _along(results, arm, factor):
            test = result.test_mean is not None
            mean = result.test_mean if test else result.validation_mean
            if mean is None:
                continue
            ends = (
                (result.test_low, result.test_high)
                if test
                else (result.validation_low, result.validation_high)
            )
            x.append(_beside(result.levels[factor], levels, index, len(arms)))
            y.append(_shown(mean, comparison))
            low.append(_shown(mean if ends[0] is None else ends[0], comparison))
            high.append(_shown(mean if ends[1] is None else ends[1], comparison))
        axes.vlines(x, low, high, color=_style(index)["color"], linewidth=1.1)
        axes.plot(x, y, markersize=4.5, linewidth=1.2, **_style(index))


def _milestones(
    axes: Axes,
    levels: Sequence[Any],
    factor: str,
    results: Sequence[ArmResult],
    arms: Sequence[str],
    comparison: Comparison,
) -> None:
    """Only levels where half of the seeds reached it have a place."""
    for index, arm in enumerate(arms):
        x, y = [], []
        for result in _along(results, arm, factor):
            steps = result.milestone_steps or result.milestone_epochs
            if steps is not None:
                x.append(_beside(result.levels[factor], levels, index, len(arms)))
                y.append(steps)
        axes.plot(x, y, markersize=4.5, linewidth=1.2, **_style(index))


def _known(
    axes: Axes,
    factor: str,
    results: Sequence[ArmResult],
    arms: Sequence[str],
    comparison: Comparison,
    truth: KnownAccuracy,
) -> None:
    """What is known beforehand: the ceiling of each arm, and the best possible."""
    for index, arm in enumerate(arms):
        found = {
            r.levels[factor]: _shown(truth.ceilings[r.cell, arm], comparison)
            for r in _along(results, arm, factor)
            if (r.cell, arm) in truth.ceilings
        }
        axes.plot(
            list(found),
            list(found.values()),
            color=_style(index)["color"],
            linestyle="--",
            linewidth=1,
            alpha=0.75,
        )
    best = {r.levels[factor]: truth.best[r.cell] for r in results if r.cell in truth.best}
    y = [_shown(best[level], comparison) for level in sorted(best)]
    axes.plot(sorted(best), y, color="black", linestyle=":", linewidth=1.4)


def _beside(level: float, levels: Sequence[float], index: int, count: int) -> float:
    """Arms a little beside each other, so that equal points are seen."""
    ordered = sorted(levels)
    gap = min(b - a for a, b in pairwise(ordered))
    return level + gap * 0.05 * (index - (count - 1) / 2)


def _finish(
    axes: Axes,
    comparison: Comparison,
    factor: str,
    levels: Sequence[Any],
    row: int,
    column: int,
) -> None:
    axes.set_xticks(list(levels), [f"{level:g}" for level in levels])
    axes.tick_params(labelsize=8, labelleft=column == 0)
    axes.grid(color="#ececec", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    gap = 0.4 * min(b - a for a, b in pairwise(sorted(levels)))
    axes.set_xlim(min(levels) - gap, max(levels) + gap)
    axes.set_xlabel(short_names(comparison.factors)[factor], fontsize=8)
    results = comparison.results
    if row == 0:
        split = "test" if any(r.test_mean is not None for r in results) else "validation"
        share = is_share(comparison.monitor)
        if share:
            axes.set_ylim(top=103)
        metric = comparison.monitor.rpartition("/")[2]
        label = f"{split} {metric}" + " (%)" * share
    else:
        in_steps = any(r.milestone_steps is not None for r in results)
        goal = _shown(comparison.milestone or 0.0, comparison)
        unit = "%" if is_share(comparison.monitor) else ""
        label = f"{'steps' if in_steps else 'epochs'} to {goal:g}{unit} (median)"
        top = [r.milestone_steps or r.milestone_epochs or 0 for r in results]
        axes.set_ylim(0, 1.08 * max([*top, 1]))
    if column == 0:
        axes.set_ylabel(label, fontsize=8)


def _shown(value: float, comparison: Comparison) -> float:
    return 100 * value if is_share(comparison.monitor) else value


def _handles(arms: Sequence[str], truth: KnownAccuracy) -> list[Line2D]:
    handles = [
        Line2D([], [], markersize=4.5, label=arm, **_style(index)) for index, arm in enumerate(arms)
    ]
    if truth.ceilings:
        text = "ceiling: a guess where no token sees a pair"
        handles.append(Line2D([], [], color="#555555", linestyle="--", label=text))
    if truth.best:
        handles.append(Line2D([], [], color="black", linestyle=":", label="best possible (Bayes)"))
    return handles
