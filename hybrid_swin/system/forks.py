"""What a child that is forked from this process must not keep.

A child, such as one of ``multiprocessing.Pool``, has copies of all open files. If this process is
killed, its copies would hold a study's lock, and the pipes whose end tells workers to end.
"""

import os
from contextlib import suppress
from typing import Any
from weakref import WeakSet

_OURS: "WeakSet[Any]" = WeakSet()


def close_in_children(*files: Any) -> None:
    """Have each child close its copies of these files, sockets or connections at once."""
    _OURS.update(files)


def _close_all() -> None:
    for file in list(_OURS):
        with suppress(OSError, ValueError):
            file.close()


os.register_at_fork(after_in_child=_close_all)
