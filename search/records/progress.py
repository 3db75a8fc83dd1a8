"""``progress.json``: what a study's coordinator knows of its runs, for whoever looks on.

Nothing depends on this file: it may be missing, old, or deleted at any time.
"""

from dataclasses import dataclass, field
from pathlib import Path

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import MissingFileError
from search.records.runs import parsed_as, read_record

PROGRESS_FILE = "progress.json"


@dataclass(frozen=True)
class Running:
    """A run at work; epoch and score are None until its first epoch has ended.

    ``since`` it runs and when its ``last_epoch`` ended are in seconds since 1970.
    """

    worker: str = ""
    node: str = ""  # the machine; empty if unknown
    since: float = 0.0
    last_epoch: float | None = None
    epoch: int | None = None
    epochs: int | None = None
    score: float | None = None


@dataclass(frozen=True)
class NodeRecord:
    """A machine: the runs that it trains at once, and those that it trains now."""

    name: str
    slots: int
    busy: int = 0


@dataclass(frozen=True)
class Progress:
    """What the file says."""

    total: int | None = None  # how many runs there are to be; None if unknown
    about: bool = False  # whether that is an estimate
    by_folder: dict[str, int] = field(default_factory=dict)  # the same by kind of run
    slots: int | None = None  # workers at work at once; None if unknown
    nodes: tuple[NodeRecord, ...] = ()  # the machines; none in older files
    waiting: str = ""  # why jobs do not begin; empty if workers are merely busy
    running: dict[str, Running] = field(default_factory=dict)  # what is at work, by key


def read_progress(folder: Path, damaged: list[str]) -> Progress:
    """What is known; nothing where the file is missing, damaged or of a later program.

    ``damaged`` collects why it cannot be read.
    """
    try:
        return read_record(folder / PROGRESS_FILE, parsed_as(Progress, total=0, slots=0))
    except MissingFileError:
        pass
    except InputError as error:
        damaged.append(f"{error}; it may be deleted at any time")
    return Progress()
