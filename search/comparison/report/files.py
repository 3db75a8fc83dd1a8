"""What a comparison leaves to be read: tables, sentences, figures."""

from pathlib import Path
from typing import Any

from hybrid_swin.system.files import write_json_atomically, write_text_atomically
from search.comparison.design.plan import ComparisonPlan
from search.comparison.report.latex_tables import to_latex
from search.comparison.report.tables import to_markdown
from search.comparison.results.comparison import Comparison
from search.comparison.results.conclusions import conclusions
from search.comparison.results.reach_truth import truth_of
from search.records.report import CSV_FILE, JSON_FILE

MARKDOWN_FILE, LATEX_FILE = "comparison.md", "comparison.tex"


def write_report(comparison: Comparison, plan: ComparisonPlan, folder: Path) -> None:
    """Write ``comparison`` as .json, .csv, .md and .tex, and the figures, into its folder."""
    from search.comparison.report import figures  # matplotlib, which a run needs at its end only

    write_json_atomically(folder / JSON_FILE, json_content(comparison))
    write_text_atomically(folder / CSV_FILE, comparison.to_csv())
    write_text_atomically(folder / MARKDOWN_FILE, to_markdown(comparison))
    write_text_atomically(folder / LATEX_FILE, to_latex(comparison))
    figures.save_figures(comparison, folder, truth_of(plan))


def json_content(comparison: Comparison) -> dict[str, Any]:
    """The content of ``comparison.json``."""
    return {
        **comparison.to_dict(),
        "digest": comparison.digest(),
        "conclusions": conclusions(comparison),
    }
