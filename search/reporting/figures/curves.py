"""Learning curves by epoch: what rungs stopped, and how the finalists learn."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from search.records.runs import FinishedRun, RunResult
from search.reporting.figures.study_data import StudyData
from search.reporting.figures.style import (
    BLACK,
    FINALISTS,
    GREY,
    LONG,
    PALE,
    add_legend,
    is_many,
    lay_out,
    legend_columns,
    legend_height,
    set_limits,
    short,
)
from search.statistics.formatting import score_text

_COLUMNS = 2
_Curve = list[tuple[float, float]]


def draw_curves(evidence: StudyData, figure: Figure) -> bool:
    """All trials, the finalists in colour; False, and nothing, where no epoch is known."""
    trials = [(run, _curve(run[1], evidence)) for run in evidence.trials]
    finalists = [row for row in evidence.retrained if not row.is_baseline]
    drawn = [curve for _, curve in trials if curve]
    drawn += [c for row in finalists for _, r in row.runs if (c := _curve(r, evidence))]
    if not drawn:
        return False
    # Cut-offs of trainings on ever more images do not lie on an axis of epochs.
    cutoffs = {} if _over_images(evidence) else _cutoffs(evidence.trials)
    entries = 3 + min(len(finalists), len(FINALISTS))
    columns = legend_columns([row.label for row in finalists[: len(FINALISTS) - 1]], _COLUMNS)
    (axes,) = lay_out(
        figure,
        _title(evidence),
        "Grey: trials, single runs of one seed."
        + " Colour: finalists retrained over fresh seeds, one line per seed." * bool(finalists)
        + (f" {_cutoffs_text(cutoffs, evidence)}" if cutoffs else ""),
        below=legend_height(entries, columns),
    )
    axes.set_xlim(0.5, max(x for curve in drawn for x, _ in curve) + 0.5)
    set_limits([axes], [y for curve in drawn for _, y in curve])
    for label, state, colour, width in (
        ("stopped early", "stopped", PALE, 0.5),
        ("trial to its end", "complete", GREY, 0.8),
    ):
        curves = [curve for (_, result), curve in trials if curve and result.state == state]
        if curves:
            lines = LineCollection(
                _with_points(curves),
                colors=colour,
                linewidths=width,
                rasterized=is_many(sum(map(len, curves))),
                alpha=max(0.05, min(0.9, 90 / len(curves))),
                label=label,
            )
            axes.add_collection(lines, autolim=False)
    _draw_cutoffs(axes, cutoffs, evidence)
    for place, row in enumerate(finalists):
        colour = FINALISTS[min(place, len(FINALISTS) - 1)]
        shared = place >= len(FINALISTS) - 1
        label = "other finalists" if shared else f"{short(row.label, LONG)}, retrained"
        for index, (_, result) in enumerate(row.runs):
            entry = label if index == 0 and place < len(FINALISTS) else None
            curve = _curve(result, evidence)
            if curve:
                axes.plot(*zip(*curve, strict=True), color=colour, linewidth=1.1, label=entry)
    axes.set_xlabel("epoch", fontsize=8)
    axes.set_ylabel(evidence.score_label, fontsize=8)
    add_legend(figure, axes, columns)
    return True


def _curve(result: RunResult, evidence: StudyData) -> _Curve:
    """Epochs and scores; epochs without one are left out."""
    scores = [(epoch["epoch"], epoch.get(evidence.monitor)) for epoch in result.history]
    return [(x, evidence.axis_value(y)) for x, y in scores if y is not None and y == y]


def _with_points(curves: Sequence[_Curve]) -> list[_Curve]:
    """A curve of one epoch as a dash, which can be seen."""
    return [
        [(x - 0.15, y), (x + 0.15, y)] if len(curve) == 1 else curve
        for curve in curves
        for x, y in curve[:1]
    ]


def _cutoffs(trials: Sequence[FinishedRun]) -> dict[int, list[float]]:
    """By rung the scores that trials needed there, in the trials' order, each change once."""
    cutoffs: dict[int, list[float]] = {}
    for spec, _ in trials:
        for epoch, cutoff in spec.cutoffs.items():
            scores = cutoffs.setdefault(int(epoch), [])
            if not scores or scores[-1] != cutoff:
                scores.append(cutoff)
    return dict(sorted(cutoffs.items()))


def _draw_cutoffs(axes: Axes, cutoffs: dict[int, list[float]], evidence: StudyData) -> None:
    first = True
    for epoch, scores in cutoffs.items():
        if epoch > axes.get_xlim()[1]:
            continue
        axes.axvline(epoch, color=BLACK, linewidth=0.7, linestyle=":")
        heights = [evidence.axis_value(score) for score in scores]
        label = "rung, with the cut-offs that trials met there" if first else None
        axes.plot(
            [epoch] * len(heights),
            heights,
            linestyle="none",
            marker="_",
            markersize=6,
            markeredgewidth=0.9,
            color=BLACK,
            rasterized=is_many(len(heights)),
            label=label,
        )
        first = False


def _cutoffs_text(cutoffs: dict[int, list[float]], evidence: StudyData) -> str:
    """The last cut-offs in words: beside the lines they would overlap."""
    last = [f"{score_text(s[-1], evidence.monitor)} at epoch {e}" for e, s in cutoffs.items()]
    return f"Last cut-offs: {', '.join(last)}."


def _over_images(evidence: StudyData) -> bool:
    return any(spec.image_rungs for spec, _ in evidence.trials)


def _title(evidence: StudyData) -> str:
    results = [result for _, result in evidence.trials]
    stopped = [result for result in results if result.state == "stopped"]
    planned = sum(result.epochs_planned for result in results)
    if not stopped or not planned:
        return f"{evidence.study}: no trial was stopped early"
    if _over_images(evidence):
        return (
            f"{evidence.study}: {len(stopped)} of {len(results)} trials were stopped after "
            "trainings on fewer images, whose last is drawn; the leaderboard says what that saved"
        )
    spared = sum(result.epochs_planned - result.epochs for result in stopped) / planned
    saved = spared if evidence.saved is None else evidence.saved
    count = len(evidence.audits) if evidence.saved is not None else 0
    audits = ("", ", less what the audit took", f", less what the {count} audits took")[
        min(count, 2)
    ]
    share = f"{100 * saved:.0f}% of the search's training{audits}" if saved > 0 else "nothing"
    return (
        f"{evidence.study}: stopping {len(stopped)} of {len(results)} trials at rungs saved "
        f"{share}; the leaderboard says what that may have cost"
    )
