"""A lock that hosts of a shared file system respect, whatever its own locks do.

Where the system's lock is seen by this host only, a second one stands beside it: a file
``lock.owner`` that says who runs the study, with a counter that this process raises every 2
seconds. It is made by a link, which one of two hosts can do, not both. A coordinator that finds the
file of another host watches the counter by its own clock, which needs no other: if it moves, the
study is being run there; if it stands still for a minute, that process has gone, and the file is
taken over. A process that was stopped for longer finds that out when it goes on, and ends.
"""

import errno
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import explained
from search.records.locking.owner import Owner, parse_owner, this_process

OWNER_FILE = "lock.owner"
EVERY = 2.0  # seconds between two beats
STALE = 60.0  # seconds without one after which a process counts as gone
_SETTLING = 3.0  # seconds after which a file that was taken over must still be ours
_LOOK = 0.2  # seconds between two looks at the counter
_WIDTH = 512  # bytes of the file, which are written at once
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class SharedLock:
    """Held from its making until `close`.

    Args:
        folder: the study's, whose own lock this process holds already.
        say: is told when somebody is waited for.

    Raises:
        InputError: a process of another host runs the study, or the file cannot be written.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._path, self._name = folder / OWNER_FILE, folder.name
        self._token, self._count, self._us = secrets.token_hex(8), 0, this_process()
        self.taken_by: Owner | None = None  # somebody who took it over from us
        try:
            self._acquire(say)
        except OSError as error:
            raise InputError(explained(error, self._path)) from error
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="lock")
        self._thread.start()

    def close(self) -> None:
        """Give it back."""
        self._ends.set()
        self._thread.join()
        with suppress(OSError):
            if _token(_read(self._path)) == self._token:
                self._path.unlink()
        os.close(self._file)

    def _acquire(self, say: Callable[[str], None]) -> None:
        taken_over = False
        while not self._create():
            known = _read(self._path)
            if known is None:
                continue  # gone since
            owner = _owner(known)
            # of this kernel: the study's own lock, which we hold, shows that it has gone
            if owner is None or not owner.is_of_this_kernel:
                self._watch(known, say)
            self._take_away(known)
            taken_over = True
        if taken_over:
            time.sleep(_SETTLING)
            other = _read(self._path)
            if _token(other) != self._token:
                os.close(self._file)
                raise self._refusal(_owner(other))

    def _create(self) -> bool:
        """Make the file; False if there is one."""
        new = self._path.with_name(f".{OWNER_FILE}.{self._token}.tmp")
        self._file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        made = False
        try:
            self._write()
            try:
                os.link(new, self._path)
                made = True
            except FileExistsError:
                pass
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                made = self._create_exclusively()
        finally:
            new.unlink(missing_ok=True)
            if not made:
                os.close(self._file)
        return made

    def _create_exclusively(self) -> bool:
        """As `_create` on a file system without links."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        os.close(self._file)
        self._file = file
        self._write()
        return True

    def _watch(self, known: bytes, say: Callable[[str], None]) -> None:
        """Return once the file has stood still for long, or is gone.

        Raises InputError if its counter moves.
        """
        begin, has_noted, owner = time.monotonic(), False, _owner(known) or "another process"
        while (waited := time.monotonic() - begin) < STALE:
            now = _read(self._path)
            if now is None:
                return
            if now != known:
                raise self._refusal(_owner(now), waited)
            if not has_noted and waited > 2 * EVERY:
                has_noted = True
                say(
                    f"study {self._name!r} was run by {owner}, which was not seen to end; it is "
                    f"watched for {STALE:.0f} seconds for a sign of life"
                )
            time.sleep(_LOOK)
        say(f"no sign of life from {owner}; the study is taken over from it")

    def _take_away(self, known: bytes) -> None:
        """Remove the file of a process that has gone, unless another one has replaced it."""
        away = self._path.with_name(f".{OWNER_FILE}.{self._token}.old.tmp")
        try:
            os.rename(self._path, away)
        except FileNotFoundError:
            return
        content = _read(away)
        if _token(content) != _token(known):
            with suppress(OSError):
                os.link(away, self._path)
            away.unlink(missing_ok=True)
            raise self._refusal(_owner(content))
        away.unlink(missing_ok=True)

    def _refusal(self, owner: Owner | None, seconds: float | None = None) -> InputError:
        seen = "" if seconds is None else f" (it gave a sign of life within {seconds:.0f} s)"
        return InputError(
            f"study {self._name!r} is already being run by {owner or 'another process'}{seen}; "
            "wait for it, end it, or give this one another --name"
        )

    def _beat(self) -> None:
        while not self._ends.wait(EVERY):
            with suppress(OSError):
                now = self._path.read_bytes()
                if _token(now) not in ("", self._token):
                    self.taken_by = _owner(now) or Owner(0)
                    _interrupt()
                    return
            self._count += 1
            with suppress(OSError):  # beats are missed, and come again
                self._write()

    def _write(self) -> None:
        """Into the file that we made, whatever stands in its place by now."""
        line = f"{self._token} {self._count} {self._us.line}".ljust(_WIDTH - 1)
        os.pwrite(self._file, (line[: _WIDTH - 1] + "\n").encode(), 0)
        os.fsync(self._file)


def _interrupt() -> None:
    """End the study in order, as Ctrl-C does; a process that ignores that is told to end."""
    if callable(signal.getsignal(signal.SIGINT)):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGTERM)


def _read(path: Path) -> bytes | None:
    """What the file holds; None if it is not there."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _token(content: bytes | None) -> str:
    return (content or b"").decode(errors="replace").partition(" ")[0].strip()


def _owner(content: bytes | None) -> Owner | None:
    return parse_owner(
        (content or b"").decode(errors="replace").partition(" ")[2].partition(" ")[2]
    )
