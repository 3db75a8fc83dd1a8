"""Comparisons that an older version of the program began, and what their settings meant then."""

import dataclasses
from pathlib import Path

from search.compare.settings import ComparisonSettings
from search.run_folder import read_json, read_settings, write_json_atomically
from search.study_folder import FIXED


def as_it_began(settings: ComparisonSettings, folder: Path) -> ComparisonSettings:
    """The settings of a comparison's folder; without ``choose_rate``, one rate served all seeds."""
    if "choose_rate" in read_settings(folder):
        return settings
    return dataclasses.replace(settings, choose_rate="once")


def note_choice(settings: ComparisonSettings, folder: Path) -> None:
    """Write into a folder from before ``choose_rate`` which one it was begun with.

    So it goes on with ``choose_rate: once`` only: seeds of two kinds would be no pairs. A single
    learning rate leaves nothing to choose, so there any value does.
    """
    path = folder / FIXED
    if not path.exists():
        return
    known = read_json(path)
    fixed = known.get("settings")
    if isinstance(fixed, dict) and "choose_rate" not in fixed:
        chose = len(settings.learning_rates) > 1
        fixed["choose_rate"] = "once" if chose else settings.choose_rate
        write_json_atomically(path, known)
