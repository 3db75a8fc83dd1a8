"""A study's folder, held by one coordinator at a time."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import remove_half_written
from hybrid_swin.system.forks import close_in_children
from hybrid_swin.system.mounts import Mount, mount_of
from search.records.imported import IMPORTED_FILE
from search.records.locking.file_system import check_shared
from search.records.locking.owner import LOCK, parse_owner, this_process
from search.records.locking.shared_lock import OWNER_FILE, SharedLock

# What a mount's options can do about a call that is refused.
_HELP = {"lustre": " (mount it with -o flock)", "nfs": " (is its lock service, lockd, running?)"}


@contextmanager
def locked(folder: Path, say: Callable[[str], None] = lambda text: None) -> Iterator[None]:
    """Hold a study's folder: made where missing, and for one coordinator at a time.

    The lock is the system's, so it ends with the process however that dies. Network file systems
    differ in what they do with it: NFS, Lustre, CephFS, GPFS and CIFS show it to all hosts, unless
    mounted otherwise; there a second one stands beside it (`SharedLock`), as on those that we do
    not know. A shared file system is tried first (`check_shared`).

    A folder that was made here goes again if the body ends with an error before `bind_settings`,
    unless a worker's log has lines.

    Args:
        folder: the study's.
        say: is told when a process of another host is waited for.

    Raises:
        InputError: the folder cannot be written or locked, its file system does not do what a study
            needs, or another process holds it.
    """
    new = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
    lock = _opened(folder)
    with lock:
        try:
            with _held(folder, lock, say):
                yield
        except BaseException:
            if folder in new and _holds_nothing(folder):
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):  # something else lies there by now
                    for place in new[1:]:
                        place.rmdir()
            raise


def _opened(folder: Path) -> IO[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a+")
    except IsADirectoryError as error:
        raise InputError(
            f"{str(folder / LOCK)!r} is a folder where a file belongs; move it away"
        ) from error
    except OSError as error:
        raise InputError(
            f"the study's folder {str(folder)!r} cannot be written: "
            f"{error.strerror}; give another with --folder"
        ) from error
    close_in_children(lock)
    return lock


@contextmanager
def _held(folder: Path, lock: IO[str], say: Callable[[str], None]) -> Iterator[None]:
    mount = mount_of(folder)
    _take(folder, lock, mount)
    if mount.is_shared:
        check_shared(folder, mount, lock)
    shared = (
        SharedLock(folder, say) if mount.is_shared and mount.lock_reach != "all hosts" else None
    )
    try:
        lock.truncate(0)
        lock.write(this_process().line)
        lock.flush()
        remove_half_written(folder)
        yield
    except KeyboardInterrupt:
        if shared is None or shared.taken_by is None:
            raise
        raise InputError(
            f"study {folder.name!r} was taken over by {shared.taken_by}, since this process gave "
            "no sign of life for a minute; it goes on there, and what is finished is kept"
        ) from None
    finally:
        if shared is not None:
            shared.close()


def _take(folder: Path, lock: IO[str], mount: Mount) -> None:
    """Take the system's lock. Raises InputError as `locked`."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            hint = next((text for kind, text in _HELP.items() if mount.kind.startswith(kind)), "")
            raise InputError(
                f"this file system cannot lock {str(folder / LOCK)!r}: {error.strerror}"
                f"{hint}, so nothing would keep two processes apart; give another --folder"
            ) from error
        lock.seek(0)
        owner = parse_owner(lock.read())
        dead = (
            ""
            if owner is None or owner.is_of_this_kernel
            else "; if that host has died, its lock ends when the file server lets go of it"
        )
        raise InputError(
            f"study {folder.name!r} is already being run by {owner or 'another process'}; "
            f"wait for it, end it, or give this one another --name{dead}"
        ) from error
    try:
        present = os.path.samestat(os.fstat(lock.fileno()), os.stat(folder / LOCK))
    except FileNotFoundError:
        present = False
    if not present:
        raise InputError(
            f"the study's folder {str(folder)!r} was removed at this moment by another start "
            "that was refused; give the command again"
        )


def _holds_nothing(folder: Path) -> bool:
    """Whether a folder has only what a start makes before it claims it, and no line in a log."""
    names = {entry.name for entry in folder.iterdir()}
    logs = [file for file in (folder / "logs").glob("**/*") if file.is_file()]
    ours = {LOCK, OWNER_FILE, "logs", "plugins", IMPORTED_FILE}
    return names <= ours and not any(file.stat().st_size for file in logs)
