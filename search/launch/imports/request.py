"""``--import-trials``: read at a study's first start, and bound to it from then on."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError, quote
from hybrid_swin.system.console import Console
from search.launch.imports.choice import Choice, choose
from search.launch.imports.source import read_source
from search.launch.imports.takeover import settle
from search.launch.outcome import ComparisonStudy, Study
from search.launch.session import Prepared
from search.records.imported import Imported, read_imported
from search.records.study_folder import has_begun
from search.settings.study import StudySettings
from search.space.space import Space
from search.statistics.formatting import counted, score_phrase
from search.study.candidates import Candidates

_REASONS = 2  # that are printed


@dataclass(frozen=True)
class ImportRequest:
    """What a user asks for.

    Args:
        given: a path, what `open_study` gives, or candidates as they stand in a file.
        top: how many of the best; None for the default.
    """

    given: Any
    top: int | None = None


@dataclass(frozen=True)
class Import:
    """What is imported: chosen now, or at an earlier start of the study."""

    choice: Choice | None = None
    known: Imported | None = None

    def candidates_for(self, settings: StudySettings, prepared: Prepared) -> Imported | None:
        """What the study begins with; None for nothing."""
        return self.known if self.choice is None else settle(self.choice, settings, prepared)

    def say(self, imported: Imported | None, console: Console) -> None:
        """Print what was imported, in a few lines; nothing if it was at an earlier start."""
        if imported is None or self.choice is None:
            return
        for line in _lines(imported, self.choice):
            console.say(line)


def read_import(
    request: ImportRequest | None,
    settings: StudySettings,
    space: Space,
    candidates: Candidates,
    limited: bool = False,
) -> Import:
    """Read what is to be imported, before any work; of a study that has begun what it knows.

    ``limited`` says that hours have limited the trials.

    Raises:
        InputError: the source cannot be read, none of it fits, or the study has begun with other
            candidates.
    """
    folder = settings.path
    known = read_imported(folder)
    if has_begun(folder):
        if request is not None:
            _check_same(request, known, settings)
        return Import(known=known)
    if request is None:
        return Import(known=known)
    source = read_source(request.given, folder, settings.objective)
    return Import(choose(source, settings, space, candidates, request.top, limited))


def import_request(given: Any, top: int | None) -> ImportRequest | None:
    """What is asked for; None for nothing. Raises InputError for a number of nothing."""
    if given is None and top is not None:
        raise InputError(f"--import-trials-top {top} belongs to --import-trials; give both")
    return None if given is None else ImportRequest(given, top)


def check_source(request: ImportRequest | None, settings: StudySettings) -> None:
    """Raise InputError if a source cannot be read: before pilots are timed."""
    if request is not None and not has_begun(settings.path):
        read_source(request.given, settings.path, settings.objective)


def _check_same(request: ImportRequest, known: Imported | None, settings: StudySettings) -> None:
    given = request.given
    name = f"study {settings.name!r}"
    if known is None:
        raise InputError(
            f"--import-trials gives the first trials, and {name} has begun without; leave it out, "
            "or give another --name"
        )
    if isinstance(given, Study | ComparisonStudy):
        given = given.folder
    is_path = isinstance(given, str | os.PathLike)
    path = os.path.realpath(Path(given).expanduser()) if is_path else ""
    if path != known.path:
        raise InputError(
            f"{name} has begun with the candidates of {quote(known.source)}; other ones change "
            "nothing now: leave --import-trials out, or give another --name"
        )


def _lines(imported: Imported, choice: Choice) -> list[str]:
    taken = imported.taken_over
    trained = [c for c in imported.candidates if not c.taken_over]
    text = f"{counted(len(imported.candidates), 'candidate')} from {imported.source}"
    scores = [c.score for c in imported.candidates if c.score is not None]
    if scores and imported.monitor:
        best, worst = (score_phrase(s, imported.monitor) for s in _ends(scores, imported.mode))
        text += f" ({imported.monitor} {best}{f' to {worst}' * (best != worst)} there)"
    parts = []
    if taken:
        parts.append(f"{counted(len(taken), 'run')} taken over, not counted as search cost")
    if trained:
        parts.append(f"{len(trained)} to be trained here")
    lines = [f"{'import':<11}{text}: {', '.join(parts)}"]
    lines += _grouped("trained", [(c.origin, c.why_trained) for c in trained])
    if choice.beyond:
        more = f"{choice.beyond} more fit; --import-trials-top takes another number of the best"
        lines.append(f"{'':<11}{more}")
    return lines + _grouped("left out", [(one.origin, one.why) for one in choice.left_out])


def _grouped(heading: str, reasons: Sequence[tuple[str, str]]) -> list[str]:
    """Each reason once, with the first candidate that it is of."""
    counts = Counter(why for _, why in reasons)
    first = {why: origin for origin, why in reversed(reasons)}
    lines = []
    for why, count in counts.most_common(_REASONS):
        others = f" and {count - 1} more" if count > 1 else ""
        lines.append(f"{heading:<11}{first[why]}{others}: {why}")
    if len(counts) > _REASONS:
        rest = sum(count for _, count in counts.most_common()[_REASONS:])
        lines.append(f"{'':<11}{rest} more for other reasons: imported.json names them")
    return lines


def _ends(scores: Sequence[float], mode: str) -> tuple[float, float]:
    ends = min(scores), max(scores)
    return ends if mode == "min" else ends[::-1]
