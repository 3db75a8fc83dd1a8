"""What a process prints, kept in a file of bounded size: its head and its tail.

The process writes into a pipe that a thread of ours empties, so that neither a full disk nor a
gigabyte of warnings can end or stop what prints.
"""

import os
import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

HEAD, TAIL = 2**20, 2**20  # bytes
_NOTICE = "\n[{} bytes were cut here]\n"
_NOTICED = re.compile(rb"\n\[(\d+) bytes were cut here\]\n")
_AT_ONCE = 2**16
_REMEMBERED = 2**13  # bytes of what was printed last, in memory
_ERROR = re.compile(r"(\w+\.)*\w*(Error|Exception|Exit|Interrupt)\b|Fatal |terminate called")
_PATIENCE = 0.5  # seconds
_LONGEST = 160  # characters of a line in a message


class BoundedLog:
    """A log file with its first ``head`` bytes, and of the rest the last ``tail`` to twice that.

    Writing never raises: what cannot be written, as on a full disk, is left out.
    """

    def __init__(self, path: Path, head: int = HEAD, tail: int = TAIL) -> None:
        self._path, self._head, self._tail = path, head, tail
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Append, and cut out the middle where that is due."""
        with self._lock, suppress(OSError):
            with self._path.open("ab") as file:
                file.write(data)
            if self._path.stat().st_size > self._head + 2 * self._tail:
                with self._path.open("r+b") as file:
                    self._cut(file)

    def _cut(self, file: BinaryIO) -> None:
        size = file.seek(0, os.SEEK_END)
        file.seek(self._head)
        noticed = _NOTICED.match(file.read(len(_NOTICE) + 20))
        begin = self._head + (noticed.end() if noticed else 0)
        cut = int(noticed[1]) if noticed else 0
        file.seek(size - self._tail)
        tail = file.read()
        notice = _NOTICE.format(cut + size - self._tail - begin).encode()
        file.seek(self._head)
        file.write(notice + tail)
        file.truncate()


class Pump:
    """Writes into a log what comes out of a pipe, until all its writers are gone.

    Attributes:
        writer: the pipe's end for the process; to be closed once it has started.
    """

    def __init__(self, log: BoundedLog) -> None:
        self._log, self._recent = log, b""
        self._reader, self.writer = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for what a process that has ended left in the pipe.

        Not for long: processes that it has started may keep the pipe open.
        """
        self._thread.join(_PATIENCE)

    def last_line(self) -> str:
        """What was printed last, the line of an error if there is one; empty if nothing was."""
        text = self._recent.decode(errors="replace")
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if _ERROR.match(line)]
        last = "".join(c if c.isprintable() else "?" for c in (errors or lines or [""])[-1])
        return last if len(last) <= _LONGEST else last[:_LONGEST] + "..."

    def _run(self) -> None:
        with suppress(OSError), os.fdopen(self._reader, "rb", buffering=0) as pipe:
            while data := pipe.read(_AT_ONCE):
                self._recent = (self._recent + data)[-_REMEMBERED:]
                self._log.write(data)
