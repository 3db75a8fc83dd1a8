"""Who runs a study, as its ``lock`` says: the process, its host, and the kernel that knows both."""

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOCK = "lock"
PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Owner:
    """A process that runs a study, or did last."""

    process: int
    host: str = ""  # empty where an earlier version of the program wrote the file
    kernel: str = ""  # a word that each start of each machine has of its own
    numbering: str = ""  # within which the process has its number: containers have their own

    def __str__(self) -> str:
        return f"process {self.process}" + (f" on host {self.host}" if self.host else "")

    @property
    def line(self) -> str:
        """As it stands in the file."""
        return " ".join((str(self.process), self.host, self.kernel, self.numbering))

    @property
    def is_of_this_kernel(self) -> bool:
        """Whether this machine's kernel knows of its locks, and of its end."""
        return not self.kernel or self.kernel == _kernel()

    @property
    def is_of_this_host(self) -> bool:
        """Whether its number means the same process here."""
        return self.is_of_this_kernel and self.numbering in ("", _numbering())


def this_process() -> Owner:
    """What this process writes."""
    host = socket.gethostname().split(" ")[0] or "unknown"
    return Owner(os.getpid(), host, _kernel(), _numbering())


def parse_owner(text: str) -> Owner | None:
    """The owner that a line names; None for a line that is just being written."""
    number, *rest = text.split()[:4] or [""]
    return Owner(int(number), *rest) if number.isdecimal() else None


def read_owner(folder: Path) -> Owner | None:
    """Who runs the study in a folder, or did last; None if its lock does not say."""
    with suppress(OSError, ValueError):
        return parse_owner((folder / LOCK).read_text(encoding="utf-8"))
    return None


def _kernel() -> str:
    try:
        return (PROCESSES / "sys/kernel/random/boot_id").read_text().strip() or "-"
    except OSError:
        return f"host:{socket.gethostname().split(' ')[0]}"


def _numbering() -> str:
    try:
        return os.readlink(PROCESSES / "self/ns/pid")
    except OSError:
        return "-"
