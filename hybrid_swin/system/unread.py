"""Work that goes on when nobody reads its output any more, as in ``... run | head -1``."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, TextIO


@contextmanager
def trains_on_unread() -> Iterator[None]:
    """Within it, output that has lost its reader is thrown away, which is said once on stderr."""
    with redirect_stdout(_Unread(sys.stdout)):
        yield


def throw_away_output(stream: TextIO | None, of_terminals: bool = False) -> None:
    """Throw away what is printed from now on: its reader has gone; or only that of a terminal."""
    if stream is None:
        return
    with suppress(OSError, ValueError, AttributeError):  # what is not a file has no such reader
        output = stream.fileno()
        if of_terminals and not stat.S_ISCHR(os.fstat(output).st_mode):
            return
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, output)
        os.close(nothing)


class _Unread:
    """A stream as it is, but for a lost reader."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._lost():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._lost():
            self._stream.flush()

    @contextmanager
    def _lost(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            throw_away_output(sys.stdout)
            with suppress(OSError):  # the same reader's
                print("nobody reads this output any more; training goes on", file=sys.stderr)
