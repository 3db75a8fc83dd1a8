"""How soon the search found what it found: scores against trials and against training time."""

from collections.abc import Sequence
from itertools import accumulate

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from search.records.runs import RunResult
from search.reporting.figures.study_data import StudyData, whole
from search.reporting.figures.style import (
    BLACK,
    BLUE,
    GREY,
    RED,
    add_legend,
    is_many,
    label_right,
    lay_out,
    legend_height,
    set_limits,
    short,
)
from search.statistics.formatting import is_share, score_text

_UNITS = (("h", 3600.0), ("min", 60.0), ("s", 1.0))


def draw_anytime(evidence: StudyData, figure: Figure) -> bool:
    """Every trial as a dot, the best so far as a line; False, and nothing, without a score."""
    results = [result for _, result in evidence.trials]
    scored = [evidence.axis_value(r.score) for r in results if r.score is not None]
    if not scored:
        return False
    known = [
        (evidence.axis_value(score), short(spec.label), colour)
        for runs, colour in ((evidence.baselines, RED), (evidence.references, BLACK))
        for spec, score in whole(runs)
    ]
    right = 0.25 + 0.06 * max((len(text) for _, text, _ in known), default=0)
    panels = lay_out(
        figure,
        _title(evidence),
        "Dots are single runs of one seed: the best of many flatters, only rows retrained over "
        f"fresh seeds tell.{_lines(evidence)}",
        count=2,
        right=right,
        below=legend_height(4, 4),
    )
    numbers = [float(number) for number in range(len(results))]
    seconds = list(accumulate(r.seconds.get("total", 0.0) for r in results))
    unit, size = next((u for u in _UNITS if seconds[-1] >= 2 * u[1]), _UNITS[-1])
    set_limits(panels, [*scored, *(y for y, _, _ in known)])
    for axes, x in zip(panels, (numbers, [s / size for s in seconds]), strict=True):
        _draw(axes, x, results, evidence)
        for y, _, colour in known:
            axes.axhline(y, color=colour, linewidth=0.9, linestyle="--" if colour == RED else ":")
    panels[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[1].set_xlim(left=0)
    panels[0].set_xlabel("trial, in the order of proposal", fontsize=8)
    panels[1].set_xlabel(f"training time of the trials, summed over workers ({unit})", fontsize=8)
    panels[0].set_ylabel(evidence.score_label, fontsize=8)
    label_right(panels[1], known)
    add_legend(figure, panels[0], columns=4)
    return True


def _lines(evidence: StudyData) -> str:
    """What the labelled lines are, as far as there are any."""
    drawn = {
        "baselines (single runs, dashed)": whole(evidence.baselines),
        "references (dotted)": whole(evidence.references),
    }
    labels = " and ".join(name for name, runs in drawn.items() if runs)
    return f" Labelled lines: {labels}." if labels else ""


def _draw(
    axes: Axes, x: Sequence[float], results: Sequence[RunResult], evidence: StudyData
) -> None:
    many = is_many(len(results))
    size = 5 if many else 14
    for label, state, face in (
        ("trial to its end", "complete", GREY),
        ("stopped early", "stopped", "none"),
    ):
        places = [i for i, r in enumerate(results) if r.state == state and r.score is not None]
        if places:
            axes.scatter(
                [x[place] for place in places],
                [evidence.axis_value(results[place].score or 0.0) for place in places],
                s=size,
                facecolor=face,
                edgecolor=GREY,
                linewidths=0.5 if many else 0.8,
                rasterized=many,
                label=label,
            )
    lost = [at for at, r in zip(x, results, strict=True) if r.score is None]
    if lost:
        bottom = axes.get_xaxis_transform()
        axes.scatter(
            lost,
            [0.015] * len(lost),
            s=12,
            marker="x",
            linewidths=0.8,
            color=GREY,
            transform=bottom,
            rasterized=many,
            label="diverged or failed: no score",
        )
    best = _best_so_far(evidence)
    if best:
        steps = [(x[place], evidence.axis_value(score)) for place, score in best]
        steps.append((x[-1], steps[-1][1]))
        axes.step(
            *zip(*steps, strict=True),
            where="post",
            color=BLUE,
            linewidth=1.6,
            label="best so far, of those to their end",
        )


def _best_so_far(evidence: StudyData) -> list[tuple[int, float]]:
    """Where a trial to its end was better than all before it, and its score."""
    steps: list[tuple[int, float]] = []
    for place, (_, result) in enumerate(evidence.trials):
        if result.state == "complete" and result.score is not None:
            if not steps or evidence.sign * (result.score - steps[-1][1]) > 0:
                steps.append((place, result.score))
    return steps


def _title(evidence: StudyData) -> str:
    best, count = _best_so_far(evidence), len(evidence.trials)
    if not best:
        return f"{evidence.study}: none of {count} trials ran to its end yet"
    place, score = best[-1]
    after = count - 1 - place
    unit = "%" if is_share(evidence.monitor) else ""
    head = f"{evidence.study}: the best single run ({score_text(score, evidence.monitor)}{unit})"
    if after < 0.2 * count:
        return f"{head} came late, {after} trials before the end of {count}: more may find better"
    return f"{head} came after {place + 1} of {count} trials; the {after} since found none better"
