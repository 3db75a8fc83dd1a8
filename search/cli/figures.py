"""The command `figures`."""

from pathlib import Path

from hybrid_swin.errors.plain_text import say
from hybrid_swin.system.answer import print_json
from search.cli.options import FiguresOptions
from search.reporting.figures.writing import write_study_figures


def run(options: FiguresOptions) -> int:
    """Draw and say what was written; returns the exit code.

    Raises InputError if there is no study, or a file of it cannot be read.
    """
    files = write_study_figures(Path(options.study))
    if options.format == "json":
        print_json({"files": list(map(str, files))})
        return 0
    say("\n".join(map(str, files)) or "nothing to draw yet: no trial has ended")
    return 0
