"""Which process runs a study: found without touching the lock, so that nobody is ever kept out."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from search.execution.agents.mailbox import AGENTS, COORDINATOR_BEAT
from search.records.locking.owner import LOCK, PROCESSES, parse_owner

_FRESH = 30.0  # seconds; a coordinator gives a sign of life every 2


@dataclass(frozen=True)
class Holder:
    """Who runs a study."""

    alive: bool | None  # whether a process runs it; None if unknown
    process: int | None = None  # the number of the one that runs it, or did last
    host: str = ""  # where; empty if unknown


def find_holder(folder: Path) -> Holder:
    """Who holds a study's folder.

    The coordinator writes its number and host into ``lock`` and keeps that file open. Trying the
    lock itself would hold it for a moment, in which a coordinator that starts would be refused; so
    this looks whether that process has the file open, which also sees through a number used again.
    Of a process of another host or container, the time of its last beat is all that we can see.
    """
    lock = folder / LOCK
    try:
        owner = parse_owner(lock.read_text(encoding="utf-8"))
        about = lock.stat()
    except FileNotFoundError:
        return Holder(alive=False)
    except (OSError, ValueError):
        return Holder(alive=None)
    if owner is None:
        return Holder(alive=None)  # just being written
    process, host = owner.process, owner.host
    if not owner.is_of_this_host:
        return Holder(_beats(folder) or None, process, host)
    if not (PROCESSES / "self").exists():
        return Holder(None, process, host)
    try:
        opened = list((PROCESSES / str(process) / "fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return Holder(False, process, host)
    except OSError:
        return Holder(None, process, host)  # another user's
    return Holder(any(_is_same(file, about) for file in opened), process, host)


def _beats(folder: Path) -> bool:
    """Whether a coordinator has given a sign of life lately, if the hosts' clocks agree."""
    try:
        beat = (folder / AGENTS / COORDINATOR_BEAT).stat().st_mtime
    except OSError:
        return False
    return abs(time.time() - beat) < _FRESH


def _is_same(file: Path, about: os.stat_result) -> bool:
    try:
        return os.path.samestat(file.stat(), about)
    except OSError:  # closed meanwhile
        return False
