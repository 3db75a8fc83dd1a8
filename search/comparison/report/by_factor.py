"""Scores, and steps to the milestone, against a numeric factor: one line per arm."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from search.comparison.design.factors import name_of, short_names
from search.comparison.report.forest import HOLLOW
from search.comparison.results.arm_result import ArmResult, matched_by
from search.comparison.results.comparison import Comparison
from search.comparison.results.reach_truth import UNKNOWN, KnownAccuracy
from search.reporting.figures.style import PALETTE
from search.statistics.formatting import is_share, score_unit, shown_value

MARKERS = "osD^vPX*<>p"
_PANEL = 3.4  # inches


def draw_factor(
    comparison: Comparison, factor: str, figure: Figure, truth: KnownAccuracy = UNKNOWN
) -> None:
    """Scores with intervals, and where there is a milestone steps to it, against a factor.

    One column for each way of matching and each combination of the other factors. An arm's ceiling
    is dashed in its colour, what no arm can pass is dotted.
    """
    plot = _Plot(comparison, factor, truth)
    columns: dict[tuple[str, str], list[ArmResult]] = {}
    for result in comparison.results:
        others = name_of({k: v for k, v in result.levels.items() if k != factor})
        columns.setdefault((matched_by(result.matching), others), []).append(result)
    rows = 1 if comparison.milestone is None else 2
    wide, tall, left = _PANEL, 2.5, 0.75
    width = left + len(columns) * (wide + 0.35)
    handles = plot.handles()
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
            if row == 0:
                plot.scores(axes, here)
                plot.known(axes, here)
                axes.set_title(", ".join(filter(None, title)), fontsize=9, loc="left")
            else:
                plot.milestones(axes, here)
            plot.finish(axes, "" if column else plot.score_label if row == 0 else plot.goal_label)
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


@dataclass(frozen=True)
class _Plot:
    """Lines of all arms against one factor, as one panel after the other needs them."""

    comparison: Comparison
    factor: str
    truth: KnownAccuracy

    @property
    def arms(self) -> list[str]:
        return list(dict.fromkeys(r.arm for r in self.comparison.results))

    @property
    def gap(self) -> float:
        """Between the two levels that are closest."""
        levels = sorted(self.comparison.factors[self.factor])
        return min(float(b - a) for a, b in pairwise(levels))

    def scores(self, axes: Axes, results: Sequence[ArmResult]) -> None:
        for index, arm in enumerate(self.arms):
            x, y, ends, marked = [], [], [], []
            for result in self._along(results, arm):
                mean, low, high = result.shown_score
                if mean is not None:
                    x.append(self._beside(result, index))
                    y.append(self._axis_value(mean))
                    marked += [(x[-1], y[-1])] * result.marked
                    ends.append([self._axis_value(mean if e is None else e) for e in (low, high)])
            color = _style(index)["color"]
            axes.vlines(
                x, [low for low, _ in ends], [high for _, high in ends], color, linewidth=1.1
            )
            axes.plot(x, y, markersize=4.5, linewidth=1.2, **_style(index))
            self._hollow(axes, index, marked)

    def milestones(self, axes: Axes, results: Sequence[ArmResult]) -> None:
        """Only levels where half of the seeds reached it have a place."""
        for index, arm in enumerate(self.arms):
            x, y, marked = [], [], []
            for result in self._along(results, arm):
                if (steps := _steps(result)) is not None:
                    x.append(self._beside(result, index))
                    y.append(steps)
                    marked += [(x[-1], y[-1])] * result.marked
            axes.plot(x, y, markersize=4.5, linewidth=1.2, **_style(index))
            self._hollow(axes, index, marked)
        axes.set_ylim(0, 1.08 * max([*(_steps(r) or 0 for r in self.comparison.results), 1]))

    def _hollow(self, axes: Axes, index: int, points: Sequence[tuple[float, float]]) -> None:
        """Points of an arm that the table marks, drawn over."""
        for x, y in points:
            axes.plot([x], [y], markersize=4.5, markerfacecolor="white", **_style(index))

    def known(self, axes: Axes, results: Sequence[ArmResult]) -> None:
        """What is known beforehand: the ceiling of each arm, and the best possible."""
        dashed: dict[str, Any] = {"linestyle": "--", "linewidth": 1, "alpha": 0.75}
        ceilings, best = self.truth.ceilings, self.truth.best
        for index, arm in enumerate(self.arms):
            arm_ceilings = {
                r.levels[self.factor]: self._axis_value(ceilings[r.cell, arm])
                for r in self._along(results, arm)
                if (r.cell, arm) in ceilings
            }
            color = _style(index)["color"]
            axes.plot(list(arm_ceilings), list(arm_ceilings.values()), color=color, **dashed)
        levels = {
            r.levels[self.factor]: self._axis_value(best[r.cell]) for r in results if r.cell in best
        }
        y = [levels[level] for level in sorted(levels)]
        axes.plot(sorted(levels), y, color="black", linestyle=":", linewidth=1.4)
        if is_share(self.comparison.monitor):
            axes.set_ylim(top=103)

    def finish(self, axes: Axes, label: str) -> None:
        """Ticks, grid and labels; of the first column that of the heights, too."""
        levels = self.comparison.factors[self.factor]
        axes.set_xticks(list(levels), [f"{level:g}" for level in levels])
        axes.tick_params(labelsize=8, labelleft=bool(label))
        axes.grid(color="#ececec", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(min(levels) - 0.4 * self.gap, max(levels) + 0.4 * self.gap)
        axes.set_xlabel(short_names(self.comparison.factors)[self.factor], fontsize=8)
        if label:
            axes.set_ylabel(label, fontsize=8)

    @property
    def score_label(self) -> str:
        """Of the upper panels."""
        monitor = self.comparison.monitor
        tested = any(r.test_mean is not None for r in self.comparison.results)
        metric = monitor.rpartition("/")[2] + " (%)" * is_share(monitor)
        return f"{'test' if tested else 'validation'} {metric}"

    @property
    def goal_label(self) -> str:
        """Of the lower panels."""
        in_steps = any(r.milestone_steps is not None for r in self.comparison.results)
        goal = self._axis_value(self.comparison.milestone or 0.0)
        unit = score_unit(self.comparison.monitor)
        return f"{'steps' if in_steps else 'epochs'} to {goal:g}{unit} (median)"

    def handles(self) -> list[Line2D]:
        """Of the legend."""
        handles = [
            Line2D([], [], markersize=4.5, label=arm, **_style(index))
            for index, arm in enumerate(self.arms)
        ]
        if any(result.marked for result in self.comparison.results):
            handles.append(
                Line2D([], [], color="#555555", linestyle="none", marker="o", markersize=4.5,
                       markerfacecolor="white", label=HOLLOW)
            )  # fmt: skip
        if self.truth.ceilings:
            text = "ceiling: a guess where no token sees a pair"
            handles.append(Line2D([], [], color="#555555", linestyle="--", label=text))
        if self.truth.best:
            text = "best possible (Bayes)"
            handles.append(Line2D([], [], color="black", linestyle=":", label=text))
        return handles

    def _along(self, results: Sequence[ArmResult], arm: str) -> list[ArmResult]:
        mine = [r for r in results if r.arm == arm]
        return sorted(mine, key=lambda r: float(r.levels[self.factor]))

    def _beside(self, result: ArmResult, index: int) -> float:
        """Arms a little beside each other, so that equal points are seen."""
        level = float(result.levels[self.factor])
        return level + self.gap * 0.05 * (index - (len(self.arms) - 1) / 2)

    def _axis_value(self, value: float) -> float:
        return shown_value(value, self.comparison.monitor)


def _style(index: int) -> dict[str, Any]:
    """Colour and marker of an arm: as many differ as the two lengths have no factor in common."""
    return {"color": PALETTE[index % len(PALETTE)], "marker": MARKERS[index % len(MARKERS)]}


def _steps(result: ArmResult) -> float | None:
    return result.milestone_steps or result.milestone_epochs
