"""Pictures of a comparison, as SVG files that the same numbers make again, to the last byte."""

from functools import partial
from pathlib import Path

from hybrid_swin.system.figure_files import write_figure
from search.comparison.design.factors import short_names
from search.comparison.report.by_factor import draw_factor
from search.comparison.report.forest import draw_differences, draw_effects
from search.comparison.results.comparison import Comparison
from search.comparison.results.reach_truth import UNKNOWN, KnownAccuracy

EFFECTS_FILE = "effects.svg"  # of comparisons with factors


def numeric_factors(comparison: Comparison) -> list[str]:
    """Factors of which all levels are numbers, and several."""
    return [
        name
        for name, levels in comparison.factors.items()
        if len(levels) > 1
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in levels)
    ]


def save_figures(
    comparison: Comparison, folder: Path, truth: KnownAccuracy = UNKNOWN
) -> list[Path]:
    """Write the forest plots, and one figure for each numeric factor; the same numbers, same files.

    Args:
        comparison: what was found.
        folder: where to.
        truth: what is known beforehand, drawn beside it.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "differences.svg"]
    save_differences(comparison, files[0])
    effects = folder / EFFECTS_FILE
    if write_figure(effects, partial(draw_effects, comparison)):
        files.append(effects)
    for name in numeric_factors(comparison):
        short = short_names(comparison.factors)[name].replace(".", "_")
        files.append(folder / f"by_{short}.svg")
        write_figure(files[-1], partial(draw_factor, comparison, name, truth=truth))
    return files


def save_differences(comparison: Comparison, file: Path) -> None:
    """Write the forest plot of all differences as SVG."""
    write_figure(file, partial(draw_differences, comparison))
