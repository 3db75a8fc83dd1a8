"""All figures of a study into its folder."""

from functools import partial
from pathlib import Path

from hybrid_swin.system.figure_files import write_figure
from search.reporting.figures.anytime import draw_anytime
from search.reporting.figures.curves import draw_curves
from search.reporting.figures.hypervolume import draw_volume
from search.reporting.figures.pareto import draw_tradeoff
from search.reporting.figures.study_data import StudyData

FOLDER = "figures"
_DRAWN = {
    "anytime": draw_anytime,
    "pareto": draw_tradeoff,
    "curves": draw_curves,
    "hypervolume": draw_volume,
}


def write_study_figures(folder: Path) -> list[Path]:
    """Draw what a study's folder tells, finished or not, into its ``figures``.

    The same folder gives the same bytes. Figures for which nothing is known yet are left out.
    Raises InputError if no study is there, or a file of it cannot be read.
    """
    evidence = StudyData.from_folder(folder)
    files = {folder / FOLDER / f"{name}.svg": draw for name, draw in _DRAWN.items()}
    return [file for file, draw in files.items() if write_figure(file, partial(draw, evidence))]
