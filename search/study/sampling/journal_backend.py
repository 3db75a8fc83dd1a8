"""Optuna's journal file while a study runs: whoever else changes it is noticed, and said."""

from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import shortened


class OwnJournal(JournalFileBackend):
    """A journal that nobody but its study's coordinator writes.

    Optuna remembers at which byte it has read up to. In a file that was cut, replaced or deleted
    since, it would read from the middle of a line, or wait for what never comes.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), JournalFileOpenLock(str(path)))
        self._path, self._known = path, _state(path)

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Entries from this one on. Raises InputError if the file was changed by others."""
        self._check()
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:
            raise self._changed() from error

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write entries. Raises InputError if the file was changed by others."""
        self._check()
        try:
            super().append_logs(logs)
        finally:  # a full disk may have taken a part
            with suppress(OSError):
                self._known = _state(self._path)

    def _check(self) -> None:
        try:
            now = _state(self._path)
        except FileNotFoundError:
            now = None
        if now != self._known:
            raise self._changed()

    def _changed(self) -> InputError:
        return InputError(
            f"{shortened(self._path)} was changed while the study ran, not by the study; start the "
            "same command again: what is finished is kept"
        )


def _state(path: Path) -> tuple[int, int, int]:
    """What changes with the file: which it is, and its size."""
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size
