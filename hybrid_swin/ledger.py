"""The ledger of test readings: who has read which test split, over all studies and commands.

A test split tells the truth to whoever has not chosen by it. So each reading is written down before
it happens, beside the studies and not only in them, as one JSON line that is flushed to the disk.
A split is known by `Splits.test_hash`: its images and labels, however the others are divided. Other
splits of the same images are told by `Entry.data_hash`; they may have images in common with it.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from hybrid_swin.errors import InputError

LEDGER = "test_reads.jsonl"
VARIABLE = "HYBRID_SWIN_LEDGER"  # of the environment: one file for all


@dataclass(frozen=True)
class Entry:
    """One reading of a test split.

    Args:
        study: the study, or the folder of the training.
        key: what read, unique in the study: a run's place in it, an inspection, a checkpoint.
        command: what it was read by: study, compare, inspect, test or predict.
        candidate_id: network and recipe; the network's id where a command knows no more.
        test_hash: the test images and their labels; empty for a data module of the user's own.
        data_hash: all images; likewise.
        time: when, in UTC.
    """

    study: str
    key: str
    command: str
    candidate_id: str
    test_hash: str = ""
    data_hash: str = ""
    time: str = ""

    @property
    def reader(self) -> str:
        """Who read, as ``study digits``."""
        return f"{self.command} {self.study}"


def ledger_beside(folder: Path) -> Path:
    """The ledger of all studies that lie beside this one, or the one that the environment names."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else _absolute(folder).parent / LEDGER


def ledger_near(folder: Path) -> Path:
    """The nearest ledger in the folders above, or the one that the environment names.

    Where there is none yet: the one beside the folder.
    """
    beside = ledger_beside(folder)
    if os.environ.get(VARIABLE):
        return beside
    above = (parent / LEDGER for parent in _absolute(folder).parents)
    return next((file for file in above if file.is_file()), beside)


def check_ledger(ledger: Path) -> None:
    """Raise InputError where a reading could not be recorded; makes the file."""
    _change(ledger, lambda entries: None)


def record(entry: Entry, shared: Path, own: Path | None = None) -> None:
    """Write that a reading is about to happen; once for a study and key.

    A study's own ledger comes first and says when it happened: a study that goes on is no further
    reading, one that is begun again under an old name is.

    Args:
        entry: without its time.
        shared: the ledger over all studies and commands.
        own: that of the study.

    Raises:
        InputError: a file cannot be written. What is not recorded must not be read.
    """
    if not entry.time:
        entry = replace(entry, time=datetime.now(UTC).isoformat(timespec="microseconds"))
    if own is not None:
        known = _append(own, entry, lambda other: other.key == entry.key)
        entry = replace(entry, time=known.time)
        _append(shared, entry, lambda other: _identity(other) == _identity(entry))
    else:
        same = (entry.study, entry.key)
        _append(shared, entry, lambda other: (other.study, other.key) == same)


def read_ledger(*ledgers: Path) -> list[Entry]:
    """All readings in these files, each once; lines that were torn by a kill are left out."""
    found: dict[tuple[str, str, str], Entry] = {}
    for ledger in ledgers:
        try:
            content = ledger.read_bytes()
        except OSError:
            continue  # no reading there that we could know of
        found |= {_identity(entry): entry for entry in _entries(content)}
    return list(found.values())


def _append(ledger: Path, entry: Entry, is_same: Callable[[Entry], bool]) -> Entry:
    """Add a line unless it is there; returns the one that is there."""

    def addition(entries: Iterable[Entry]) -> Entry | None:
        known.extend(filter(is_same, entries))
        return None if known else entry

    known: list[Entry] = []
    _change(ledger, addition)
    return known[0] if known else entry


def _change(ledger: Path, addition: Callable[[Iterable[Entry]], Entry | None]) -> None:
    """Let the file's entries decide what is added, while no other process writes."""
    try:
        ledger.parent.mkdir(parents=True, exist_ok=True)
        with ledger.open("ab+") as file:  # O_APPEND: what others write is never overwritten
            fcntl.flock(file, fcntl.LOCK_EX)  # ends with the process
            file.seek(0)
            content = file.read()
            entry = addition(_entries(content))
            if entry is None:
                return
            torn = bool(content) and not content.endswith(b"\n")  # a kill left it without its end
            file.write(b"\n" * torn + json.dumps(asdict(entry)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(
            f"a reading of the test split cannot be recorded in {str(ledger)!r} "
            f"({error.strerror}), and without that it is not done; make the file writable, or name "
            f"another ledger in the environment: {VARIABLE}=/some/folder/{LEDGER}"
        ) from error


def _entries(content: bytes) -> list[Entry]:
    """The whole lines; from before other studies were counted, a line may lack the newer fields."""
    names = [field.name for field in fields(Entry)]
    found = []
    for line in content.splitlines():
        try:
            data = json.loads(line)
        except ValueError:
            continue
        if isinstance(data, dict) and "key" in data:
            found.append(Entry(**{name: str(data.get(name) or "") for name in names}))
    return found


def _identity(entry: Entry) -> tuple[str, str, str]:
    return entry.study, entry.key, entry.time


def _absolute(folder: Path) -> Path:
    """Without links resolved: a study lies where its user says."""
    return Path(os.path.abspath(folder.expanduser()))
