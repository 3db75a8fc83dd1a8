"""Studies near a folder that is none: those inside it, or one beside it of nearly its name."""

from contextlib import suppress
from pathlib import Path

from hybrid_swin.errors import did_you_mean, few, quote
from search.records.runs import has_begun
from search.records.study_file import STUDY_FILE

_NAMED = 5  # studies that a message lists


def hint_of_studies(folder: Path) -> str:
    """The end of a message on a folder that is not a study's; empty if no study is near."""
    if inside := studies_in(folder):
        one = quote(str(folder / inside[0]))
        return f"; it holds the folders of {few(inside, _NAMED)}: give one of them, such as {one}"
    beside = [name for name in studies_in(folder.parent) if name != folder.name]
    near = did_you_mean(folder.name, beside)
    study = next((name for name in beside if near.endswith(f" {name!r}?")), None)
    return "" if study is None else f"; did you mean {quote(str(folder.parent / study))}?"


def studies_in(folder: Path) -> list[str]:
    """Names of the studies and comparisons in a folder, as far as it can be read."""
    with suppress(OSError):
        return sorted(inner.name for inner in folder.iterdir() if _is_study(inner))
    return []


def _is_study(folder: Path) -> bool:
    return (folder / STUDY_FILE).is_file() or has_begun(folder)
