"""Looks at growing seeds: up to how many are trained now, and at which level tests are held.

Who adds seeds until a difference is shown has several chances of a false alarm. Looks that were
planned when a study or comparison began (``seeds: [3, 5, 8]``) share the 5%; a further one pays
extra.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import DamagedFileError, MissingFileError
from search.records.looks import Look, record_look, with_current
from search.records.report import read_report
from search.statistics.looks import LEVEL, UNPLANNED, level_of_look

_SEED = re.compile(r"[0-9]{1,9}")  # whatever else a folder is called


def next_target(planned: Sequence[int], looks: Sequence[Look]) -> int:
    """Seeds to train up to: the next planned number that was not looked at; else the last."""
    seen = max((look.seeds for look in looks), default=0)
    return next((seeds for seeds in planned if seeds > seen), planned[-1])


def target_so_far(planned: Sequence[int], folder: Path) -> int:
    """The planned number of seeds that a folder's runs have come to, or are on their way to."""
    names = (file.parent.name for file in folder.glob("finalists/*/*/run.json"))
    begun = max((int(name) + 1 for name in names if _SEED.fullmatch(name)), default=0)
    return next((seeds for seeds in planned if seeds >= begun), planned[-1])


def plan_of(looks: Sequence[Look]) -> tuple[int, ...]:
    """Numbers of seeds at which looks were planned, as the first look wrote them down."""
    return (looks[0].plan or (max(1, looks[0].planned),)) if looks else ()


def seeds_looked_at(looks: Sequence[Look], seeds: int) -> tuple[int, ...]:
    """Numbers of seeds of all looks up to this one."""
    return tuple(look.seeds for look in with_current(looks, Look(seeds, seeds)))


def level_at(planned: Sequence[int], looked: Sequence[int]) -> float:
    """The level of the tests of the last of these looks.

    Args:
        planned: numbers of seeds at which looks were planned when it began.
        looked: those of all looks so far.
    """
    if len(planned) == 1:
        return level_of_look(planned, len(looked))
    current, further = looked[-1], [seeds for seeds in looked if seeds not in planned]
    if current in planned:
        return level_of_look(planned, planned.index(current) + 1)
    return level_of_look(planned, len(planned) + len(further))


def unplanned(planned: Sequence[int], looked: Sequence[int]) -> tuple[int, ...]:
    """Looks that nobody planned when it began; a single number may move as a whole."""
    if len(planned) == 1:
        return tuple(looked[1:])
    return tuple(seeds for seeds in looked if seeds not in planned)


def about_looks(
    planned: Sequence[int], looked: Sequence[int], pending: int, what: str = "at this comparison"
) -> list[str]:
    """Which look this is, and what it costs; nothing where one look was planned and taken."""
    if not looked or (len(planned) < 2 and len(looked) < 2):
        return []
    level, added = level_at(planned, looked), unplanned(planned, looked)
    text = f"This is look {len(looked)} {what} (at {_list(looked)} seeds"
    text += f"; planned: {_list(planned)}). " if len(planned) > 1 else "). "
    text += f"Its tests are held to {level:.2%}"
    if added:
        text += (
            f", since the look{'s' * (len(added) > 1)} at {_list(added)} seeds "
            f"{'were' if len(added) > 1 else 'was'} not planned: all looks together raise a false "
            f"alarm in at most {LEVEL + UNPLANNED:.1%}."
        )
    else:
        text += f", so that all planned looks together raise a false alarm in at most {LEVEL:.0%}."
    left = [seeds for seeds in planned if seeds > looked[-1]]
    if left and not pending:
        text += f" The command that trains goes on to {left[0]} seeds."
    return [text]


def note_older_look(folder: Path) -> tuple[int, ...]:
    """Write down the look at a finished comparison from before looks were; returns its seeds."""
    try:
        report = read_report(folder)
    except MissingFileError:
        return ()
    except DamagedFileError as error:
        raise InputError(
            f"{error}: it would tell whether conclusions were drawn before; if none were, delete "
            "it: it is written again at the end"
        ) from error
    if report.pending:
        return ()
    seeds = report.seeds
    record_look(folder, Look(seeds, seeds, "compare"))
    return (seeds,)


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
