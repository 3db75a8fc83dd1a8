"""Which candidates to try, what they scored, and how sure we are.

From Python: `run_study`, `compare` and `open_study`. Each name is imported when it is first used,
so that ``import search`` costs nothing.
"""

TYPE_CHECKING = False  # nothing is imported before a door has put the import path in order
if TYPE_CHECKING:
    from typing import Any

    from hybrid_swin.errors import InputError as InputError
    from search.launch.outcome import ComparisonStudy as ComparisonStudy
    from search.launch.outcome import Study as Study
    from search.launch.outcome import open_study as open_study
    from search.launch.start import compare as compare
    from search.launch.start import run_study as run_study
    from search.leaderboard.row_table import RowTable as RowTable
    from search.settings.comparison import ComparisonSettings as ComparisonSettings
    from search.settings.study import StudySettings as StudySettings

_PUBLIC = {
    "ComparisonSettings": "search.settings.comparison",
    "ComparisonStudy": "search.launch.outcome",
    "InputError": "hybrid_swin.errors",
    "RowTable": "search.leaderboard.row_table",
    "Study": "search.launch.outcome",
    "StudySettings": "search.settings.study",
    "compare": "search.launch.start",
    "open_study": "search.launch.outcome",
    "run_study": "search.launch.start",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> "Any":
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
