"""Scores against costs: what each unit of cost buys, and the front that nothing beats."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from search.leaderboard.rows.intervals import CONFIDENCE
from search.reporting.figures.study_data import Retrained, StudyData, whole
from search.reporting.figures.style import (
    BLACK,
    FINALISTS,
    GREY,
    LONG,
    add_legend,
    is_many,
    lay_out,
    legend_columns,
    legend_height,
    set_limits,
    short,
)
from search.settings.study import MEASURED_COSTS
from search.statistics.formatting import count_text, percent
from search.study.pareto import Direction, front

_LABELS = {
    "macs": "MACs of one image",
    "latency": "milliseconds a batch",
    "memory": "peak memory (MiB)",
    "parameters": "parameters",
    "activations": "activations of one image (numbers)",
}
_LOG_FROM = 15  # times as much: a linear axis would crowd the small ones
_COLUMNS = 3
_SAME_PLACE = 0.01  # of a cost, and of the range of means: closer points hide each other


def draw_tradeoff(evidence: StudyData, figure: Figure) -> bool:
    """One panel a cost; False, and nothing, where no trial ran to its end."""
    trials = whole(evidence.full)
    costs = [name for name in evidence.against if any(name in spec.cost for spec, _ in trials)]
    if not costs:
        return False
    finalists = [row.label for row in evidence.retrained if not row.is_baseline]
    entries = 3 + min(len(finalists), len(FINALISTS)) + 1
    columns = legend_columns(finalists[: len(FINALISTS) - 1], _COLUMNS)
    partial = len(evidence.trials) - len(trials)
    others = f" (the {partial} others have no full score)" if partial else ""
    panels = lay_out(
        figure,
        _title(evidence, costs),
        f"Dots are single runs to their end{others}; the front is theirs, and a single run "
        f"flatters.{_bars(evidence)}{_at_one_place(evidence, costs)}",
        count=len(costs),
        below=legend_height(entries, columns),
    )
    scores = [evidence.axis_value(score) for _, score in trials]
    for row in evidence.retrained:
        ends = row.interval.low, row.interval.high, row.interval.mean
        scores += [evidence.axis_value(end) for end in ends if end is not None]
    set_limits(panels, scores)
    for axes, cost in zip(panels, costs, strict=True):
        _draw_cost(axes, evidence, cost)
    panels[0].set_ylabel(evidence.score_label, fontsize=8)
    add_legend(figure, panels[0], columns)
    return True


def _bars(evidence: StudyData) -> str:
    """What bars are, where rows were retrained, and what a fall from a dot is due to."""
    if not evidence.retrained:
        return ""
    text = " Bars: means of retrained rows over fresh seeds"
    if any(row.interval.low is not None for row in evidence.retrained):
        text += " with 95% intervals over them"
        text += "".join(
            f" (of the best, {row.label}, {percent(row.confidence)}, since it was chosen)"
            for row in evidence.retrained
            if row.confidence > CONFIDENCE
        )
    other = " or of other validation images" if evidence.fresh_splits is not False else ""
    return f"{text}; what a mean is worse than its dot is luck of the search{other}."


def _at_one_place(evidence: StudyData, costs: Sequence[str]) -> str:
    """Which retrained rows hide each other, as points of one cost and one mean do."""
    means = [row.interval.mean for row in evidence.retrained]
    near = _SAME_PLACE * (max(means) - min(means)) if means else 0.0

    def same(one: Retrained, other: Retrained) -> bool:
        pairs = [(one.cost.get(name), other.cost.get(name)) for name in costs]
        return abs(one.interval.mean - other.interval.mean) <= near and all(
            (a is None) == (b is None) and math.isclose(a or 0, b or 0, rel_tol=_SAME_PLACE)
            for a, b in pairs
        )

    groups: list[list[Retrained]] = []
    for row in evidence.retrained:
        group = next((group for group in groups if same(group[0], row)), None)
        if group is None:
            groups.append([row])
        else:
            group.append(row)
    hidden = [" and ".join(row.label for row in group) for group in groups if len(group) > 1]
    return f" At one place, the best mean first: {'; '.join(hidden)}." if hidden else ""


def _draw_cost(axes: Axes, evidence: StudyData, cost: str) -> None:
    points = [
        (float(spec.cost[cost]), evidence.axis_value(score))
        for spec, score in whole(evidence.full)
        if cost in spec.cost
    ]
    many = is_many(len(points))
    axes.scatter(
        [x for x, _ in points],
        [y for _, y in points],
        s=5 if many else 14,
        color=GREY,
        linewidths=0,
        rasterized=many,
        label="trial to its end",
    )
    on_front = sorted(points[place] for place in front(points, ["min", evidence.mode]))
    values = [x for x, _ in points]
    values += [float(row.cost[cost]) for row in evidence.retrained if cost in row.cost]
    limit = (evidence.limits or {}).get(cost)
    values += [limit] if limit else []
    least, most = min(values), max(values)
    log = least > 0 and most > _LOG_FROM * least
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        axes.set_xlim(least / 1.15, most * 1.15)
    else:
        room = 0.05 * (most - least) or 0.05 * most or 1
        axes.set_xlim(least - room, most + room)
    if cost not in MEASURED_COSTS:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count_text(value)))
    steps = [*on_front, (axes.get_xlim()[1], on_front[-1][1])]
    axes.step(
        *zip(*steps, strict=True),
        where="post",
        color=BLACK,
        linewidth=1.1,
        marker=".",
        markevery=slice(0, len(on_front)),
        label="front: none is better and cheaper",
    )
    if limit:
        axes.axvline(limit, color=BLACK, linewidth=1, linestyle="--", label="budget")
    _draw_retrained(axes, evidence, cost)
    axes.set_xlabel(_LABELS.get(cost, cost), fontsize=8)


def _draw_retrained(axes: Axes, evidence: StudyData, cost: str) -> None:
    colours = iter(FINALISTS[:-1])
    named: set[str] = set()  # colours: two rows may have one label
    for row in evidence.retrained:
        if cost not in row.cost:
            continue
        colour, label = BLACK, "baselines, retrained"
        if not row.is_baseline:
            colour = next(colours, FINALISTS[-1])
            shared = colour == FINALISTS[-1]
            label = "other finalists" if shared else f"{short(row.label, LONG)}, retrained"
        mean, low, high = row.interval.mean, row.interval.low, row.interval.high
        sides = None if low is None or high is None else ([mean - low], [high - mean])
        axes.errorbar(
            [row.cost[cost]],
            [evidence.axis_value(mean)],
            yerr=None
            if sides is None
            else [list(map(evidence.axis_value, side)) for side in sides],
            fmt="s" if row.is_baseline else "D",
            markersize=4,
            color=colour,
            markerfacecolor="white" if row.is_baseline else colour,
            linewidth=1.2,
            capsize=2.5,
            label=label if colour not in named else None,
        )
        named.add(colour)


def _title(evidence: StudyData, costs: Sequence[str]) -> str:
    """Of the first cost; where there are several, of all together too, as on the leaderboard."""
    trials = [(s, score) for s, score in whole(evidence.full) if all(c in s.cost for c in costs)]
    points = [(*(float(spec.cost[cost]) for cost in costs), score) for spec, score in trials]
    first = [(point[0], point[-1]) for point in points]
    on_front = [first[place] for place in front(first, ["min", evidence.mode])]
    least: list[Direction] = ["min"] * len(costs)
    together = len(front(points, [*least, evidence.mode]))
    alone = f" alone ({together} on that against {' and '.join(costs)})" if len(costs) > 1 else ""
    return (
        f"{evidence.study}: {len(on_front)} of {len(points)} trials that came to their end are on "
        f"the front of score against {_LABELS.get(costs[0], costs[0])}{alone}; from the lowest "
        f"to the highest cost it grows {_ratio(on_front)}"
    )


def _ratio(points: Sequence[tuple[float, float]]) -> str:
    costs = [cost for cost, _ in points if cost]
    return f"{max(costs) / min(costs):.2g} times" if costs else "from nothing"
