"""Pictures of a comparison, as SVG files that the same numbers make again, to the last byte."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from search.compare.factor_figure import draw_factor
from search.compare.forest import draw_differences
from search.compare.results import Comparison


def numeric_factors(comparison: Comparison) -> list[str]:
    """Factors of which all levels are numbers, and several."""
    return [
        name
        for name, levels in comparison.factors.items()
        if len(levels) > 1
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in levels)
    ]


def save_figures(
    comparison: Comparison,
    folder: Path,
    ceilings: Mapping[str, Sequence[float | None]] | None = None,
    best_possible: Sequence[float] | None = None,
) -> list[Path]:
    """Write the forest plot, and one figure for each numeric factor; the same numbers, same files.

    Args:
        comparison: what was found.
        folder: where to.
        ceilings: by arm, the score that its reach allows at each level of the one numeric factor.
        best_possible: the score that no arm can pass, at each level.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_differences(comparison, folder / "differences.svg")
    files = [folder / "differences.svg"]
    for name in numeric_factors(comparison):
        figure = Figure()
        draw_factor(comparison, name, figure, ceilings, best_possible)
        files.append(folder / f"by_{name.rpartition('.')[2]}.svg")
        _save(figure, files[-1])
    return files


def save_differences(comparison: Comparison, file: Path) -> None:
    """Write the forest plot of all differences as SVG."""
    figure = Figure()
    draw_differences(comparison, figure)
    _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    with rc_context({"svg.hashsalt": "hybrid-swin"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
