"""Whether a file system that hosts share does what a study's folder relies on.

The journal, the locks and every file that is written atomically need four things of it: a lock that
one process holds is seen by others, a file is made by one process only, a file that takes another
one's place is read at once, and what reached the disk is read back. Each is tried once at the start
of a study. What other hosts see is tried by them: an agent or a node reads what was written here.
"""

import os
import secrets
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from hybrid_swin.errors import InputError
from hybrid_swin.system.mounts import Mount

_PATIENCE = 30  # seconds for another process that tries the lock
# In another process; exit code 0 if the lock is held by us.
_TRY = """
import fcntl, sys
with open(sys.argv[1], "a+") as lock:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(0)
sys.exit(9)
"""


def check_shared(folder: Path, mount: Mount, lock: IO[Any]) -> None:
    """Try what a study needs of a file system. Raises InputError, which says what it does not do.

    ``lock`` is a file of the folder that this process holds a lock on.
    """
    name = secrets.token_hex(4)
    one, other = (folder / f".probe-{name}-{index}.tmp" for index in (1, 2))
    try:
        wrong = _wrong_with(one, other, Path(lock.name), name)
    except OSError as error:
        wrong = f"it refuses a call ({error.strerror or error})"
    finally:
        for file in (one, other):
            with suppress(OSError):
                file.unlink(missing_ok=True)
    if wrong:
        raise InputError(
            f"the file system of {str(folder)!r} ({mount}) cannot hold a study: {wrong}; give "
            "another --folder, or ask who looks after it"
        )


def _wrong_with(one: Path, other: Path, lock: Path, word: str) -> str:
    """What is wrong, if anything."""
    _write(one, word)
    if one.read_text() != word:
        return "a file that was written is not read back"
    if _is_made_again(one):
        return "a file can be made twice, so two processes could hold one lock"
    _write(other, "new" + word)
    os.replace(other, one)
    if one.read_text() != "new" + word or other.exists():
        return "a file that takes another one's place is not read back"
    if not _is_seen_to_be_locked(lock):
        return "a lock that one process holds is not seen by another one"
    return ""


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _is_made_again(path: Path) -> bool:
    """Whether a file that is there can be made; Optuna's lock of the journal relies on this."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def _is_seen_to_be_locked(lock: Path) -> bool:
    command = [sys.executable, "-I", "-S", "-c", _TRY, str(lock)]
    tried = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    return tried.returncode == 0
