"""A study's folder, held by one coordinator at a time."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import message_of
from hybrid_swin.system.files import remove_half_written
from hybrid_swin.system.forks import close_in_children
from hybrid_swin.system.mounts import Mount, mount_of
from search.records.locking.file_system import check_shared
from search.records.locking.owner import LOCK, parse_owner, this_process
from search.records.locking.shared_lock import SharedLock
from search.records.runs import has_begun

# What a mount's options can do about a call that is refused.
_HELP = {"lustre": " (mount it with -o flock)", "nfs": " (is its lock service, lockd, running?)"}
_LOGS = "logs"


class Hold:
    """A folder that is held. What a start has made in it goes if it is refused before `keep`."""

    is_kept = False
    shared: SharedLock | None = None

    def keep(self) -> None:
        """Let all that is in the folder stay, however the start ends."""
        self.is_kept = True

    @property
    def may_clean(self) -> bool:
        """Whether nobody else has the folder, or relies on what is in it."""
        return not (self.is_kept or (self.shared and self.shared.taken_by))


@contextmanager
def locked(folder: Path, say: Callable[[str], None] = lambda text: None) -> Iterator[Hold]:
    """Hold a study's folder: made where missing, and for one coordinator at a time.

    The lock is the system's, so it ends with the process however that dies. Network file systems
    differ in what they do with it: NFS, Lustre, CephFS, GPFS and CIFS show it to all hosts, unless
    mounted otherwise; there a second one stands beside it (`SharedLock`), as on those that we do
    not know. A shared file system is tried first (`check_shared`).

    If the body ends with an error before any training was asked for and before `Hold.keep`, what
    it has made goes again, with the folder if that is new. Logs that the error names stay.

    Args:
        folder: the study's.
        say: is told when a process of another host is waited for.

    Raises:
        InputError: the folder cannot be written or locked, its file system does not do what a study
            needs, or another process holds it.
    """
    new = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
    before = set() if new or not folder.is_dir() else set(os.listdir(folder))
    lock, hold = _opened(folder), Hold()
    with lock:
        try:
            with _held(folder, lock, hold, say):
                try:
                    yield hold
                except BaseException as error:  # others are kept out until it is clean
                    if hold.may_clean and not has_begun(folder):
                        kept = before | _named_logs(folder, message_of(error))
                        _remove(folder, {file.name for file in folder.glob("*")} - kept, new)
                    raise
        except BaseException:
            nobody = not os.fstat(lock.fileno()).st_size  # has ever held it
            if nobody and hold.may_clean and LOCK not in before:
                _remove(folder, [LOCK], new)
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
def _held(folder: Path, lock: IO[str], hold: Hold, say: Callable[[str], None]) -> Iterator[None]:
    mount = mount_of(folder)
    _take(folder, lock, mount, hold)
    if mount.is_shared:
        check_shared(folder, mount, lock)
    shared = (
        SharedLock(folder, say) if mount.is_shared and mount.lock_reach != "all hosts" else None
    )
    hold.shared = shared
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


def _take(folder: Path, lock: IO[str], mount: Mount, hold: Hold) -> None:
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
        hold.keep()  # for the one who has it
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
        hold.keep()
        raise InputError(
            f"the study's folder {str(folder)!r} was removed at this moment by another start "
            "that was refused; give the command again"
        )


def _remove(folder: Path, names: Iterable[str], new: Sequence[Path]) -> None:
    """Remove what a folder holds of these names, and of new folders those that are then empty."""
    with suppress(OSError):  # something is kept, or something else lies there by now
        for entry in map(folder.joinpath, names):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        for place in new:
            place.rmdir()


def _named_logs(folder: Path, message: str) -> set[str]:
    """The folder of logs, if a message sends the user to one that has lines."""
    logs = [file for file in (folder / _LOGS).glob("**/*") if file.is_file()]
    named = any(str(file) in message and file.stat().st_size for file in logs)
    return {_LOGS} if named else set()
