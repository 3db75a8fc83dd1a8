"""Optuna's journal file while a study runs: few writes, and whoever else changes it is noticed."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import shortened

Entry = dict[str, Any]


class OwnJournal(JournalFileBackend):
    """A journal that nobody but its study's coordinator writes.

    Optuna remembers at which byte it has read up to. In a file that was cut, replaced or deleted
    since, it would read from the middle of a line, or wait for what never comes.

    Each of Optuna's writes waits for the disk, and the end of a trial with its curve is a dozen:
    `together` makes them one. The file is read only where it holds what was not read before.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), JournalFileOpenLock(str(path)))
        self._path, self._known = path, _state(path)
        self._read: int | None = None  # entries in the file, if all were read
        self._held: list[Entry] | None = None  # entries that are to be written together

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write the entries of the block in one go at its end, also if it raises."""
        held: list[Entry] = []
        self._held = held
        try:
            yield
        finally:
            self._held = None
            if held:
                first = self._read or 0
                self.append_logs(held)
                for _ in self.read_logs(first):  # Optuna's class learns where they stand
                    pass

    def read_logs(self, log_number_from: int) -> Generator[Entry, None, None]:
        """Entries from this one on. Raises InputError if the file was changed by others."""
        self._check()
        if self._read is None or log_number_from < self._read:
            number = log_number_from
            try:
                for entry in super().read_logs(log_number_from):
                    number += 1
                    yield entry
            except ValueError as error:
                raise self._changed() from error
            self._read = number
        yield from (self._held or [])[max(0, log_number_from - self._read) :]

    def append_logs(self, logs: list[Entry]) -> None:
        """Write entries. Raises InputError if the file was changed by others."""
        self._check()
        if self._held is not None:
            self._held += json.loads(json.dumps(logs))  # as the file would give them back
            return
        self._read = None
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
