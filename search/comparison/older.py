"""Comparisons that an older version of the program began, and what their settings meant then."""

from pathlib import Path

from search.records.study_file import read_study_file, write_study_file
from search.settings.comparison import ComparisonSettings


def note_choice(settings: ComparisonSettings, folder: Path) -> None:
    """Write into a folder from before ``choose_rate`` which one it was begun with.

    So it goes on with ``choose_rate: once`` only: seeds of two kinds would be no pairs. A single
    learning rate leaves nothing to choose, so there any value does.
    """
    known = read_study_file(folder)
    fixed = None if known is None else known.get("settings")
    if isinstance(fixed, dict) and "choose_rate" not in fixed:
        chose = len(settings.learning_rates) > 1
        fixed["choose_rate"] = "once" if chose else settings.choose_rate
        fixed["primary"] = {"arm": "", "against": ""}  # there was none
        write_study_file(folder, known)
