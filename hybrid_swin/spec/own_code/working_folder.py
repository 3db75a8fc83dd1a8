"""Code of the user's own is imported where it was asked for, and leaves us there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def same_working_folder() -> Iterator[None]:
    """Put the working folder back, in which relative paths of settings are meant."""
    try:
        before = os.getcwd()
    except OSError:  # it has been removed
        before = ""
    try:
        yield
    finally:
        if before:
            with suppress(OSError):
                os.chdir(before)
