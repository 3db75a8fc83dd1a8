"""A word in a file: who reads it sees the folder in which another machine wrote it."""

import os
import time
from contextlib import suppress
from pathlib import Path

_LOOK_AGAIN = 0.1  # seconds


def holds(file: Path, word: str) -> bool:
    """Whether the file holds the word."""
    with suppress(OSError):
        os.listdir(file.parent)  # has a network file system look again
        return file.read_text(encoding="utf-8") == word
    return False


def comes_to_hold(file: Path, word: str, patience: float) -> bool:
    """Whether the file holds the word within ``patience`` seconds.

    Network file systems remember for a while what was not there.
    """
    end = time.monotonic() + patience
    while not holds(file, word):
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_AGAIN)
    return True
