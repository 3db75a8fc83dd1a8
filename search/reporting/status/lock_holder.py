"""Which process runs a study: found without touching the lock, so that nobody is ever kept out."""

import os
from dataclasses import dataclass
from pathlib import Path

PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Holder:
    """Who runs a study."""

    alive: bool | None  # whether a process of this machine runs it; None if unknown
    process: int | None = None  # the number of the one that runs it, or did last


def find_holder(folder: Path) -> Holder:
    """Who holds a study's folder.

    The coordinator writes its number into ``lock`` and keeps that file open. Trying the lock
    itself would hold it for a moment, in which a coordinator that starts would be refused; so this
    looks whether that process has the file open, which also sees through a number used again.
    """
    lock = folder / "lock"
    try:
        known = lock.read_text(encoding="utf-8").strip()
        about = lock.stat()
    except FileNotFoundError:
        return Holder(alive=False)
    except (OSError, ValueError):
        return Holder(alive=None)
    if not known.isdecimal():
        return Holder(alive=None)  # just being written
    process = int(known)
    if not (PROCESSES / "self").exists():
        return Holder(None, process)
    try:
        opened = list((PROCESSES / known / "fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return Holder(False, process)
    except OSError:
        return Holder(None, process)  # another user's
    return Holder(any(_is_same(file, about) for file in opened), process)


def _is_same(file: Path, about: os.stat_result) -> bool:
    try:
        return os.path.samestat(file.stat(), about)
    except OSError:  # closed meanwhile
        return False
