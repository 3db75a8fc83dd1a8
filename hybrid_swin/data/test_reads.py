"""The ledger of test readings: who has read which test split, over all studies and commands.

A test split tells the truth to whoever has not chosen by it. So each reading leaves two JSON lines,
each flushed to the disk, beside the studies and not only in them: the intent, immediately before it
happens, in ``test_reads.begun.jsonl``, and the reading itself, once it has happened, in the ledger,
``test_reads.jsonl``. Readings are counted; an intent without its reading (a kill in between) may
have been one, and is told as that. A ledger of before there were two files holds a line for each
intent, which does not say what became of it.

A split is known by `Splits.test_hash`: its images and labels, however the others are divided. Other
splits of the same images are told by `RecordedRead.data_hash`; they may have images in common.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import expanded, json_lines

LEDGER = "test_reads.jsonl"
VARIABLE = "HYBRID_SWIN_LEDGER"  # of the environment: one file for all

Event = Literal["intent", "read", ""]  # "": of a ledger that does not tell them apart
_EVENTS: tuple[Event, ...] = ("", "intent", "read")  # the later one says more


@dataclass(frozen=True)
class RecordedRead:
    """One reading of a test split, or the intent of it.

    Args:
        study: the study, or the folder of the training.
        key: what read, unique in the study: a run's place in it, an inspection, a checkpoint.
        command: what it was read by: study, compare, inspect, test or predict.
        candidate_id: network and recipe; the network's id where a command knows no more.
        test_hash: the test images and their labels; empty for a data module of the user's own.
        data_hash: all images; likewise.
        time: when it was begun, in UTC; both lines of a reading have the same.
        event: ``intent`` before it happens, ``read`` after; empty in a ledger that does not say.
    """

    study: str
    key: str
    command: str
    candidate_id: str
    test_hash: str = ""
    data_hash: str = ""
    time: str = ""
    event: Event = ""

    @property
    def happened(self) -> bool:
        """Whether it counts as a reading: only an intent without one does not."""
        return self.event != "intent"

    @property
    def reader(self) -> str:
        """Who read, as ``study digits``."""
        return f"{self.command} {self.study}"


def ledger_beside(folder: Path) -> Path:
    """The ledger of all studies that lie beside this one, or the one that the environment names."""
    named = os.environ.get(VARIABLE)
    return expanded(named) if named else _absolute(folder).parent / LEDGER


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
    """Raise InputError where a reading could not be recorded; makes the files."""
    for path in (intents_of(ledger), ledger):
        with _locked(path):
            pass


def intents_of(ledger: Path) -> Path:
    """Where the intents of a ledger's readings are written."""
    return ledger.with_name(f"{ledger.stem}.begun{ledger.suffix}")


@contextmanager
def recorded(entry: RecordedRead, shared: Path, own: Path | None = None) -> Iterator[None]:
    """Write the intent of a reading, let it happen, write that it has happened.

    Each is written once for a study and key. A study's own ledger comes first and says when it was
    begun: a study that goes on is not a further reading, one that is begun again under an old name
    is. If an exception ends the reading, it is unknown how far it came: the intent stays alone.

    Args:
        entry: without its time and event.
        shared: the ledger over all studies and commands.
        own: that of the study.

    Raises:
        InputError: a file cannot be written. What is not recorded must not be read.
    """
    is_same = _sameness(entry, own)
    known = next(filter(is_same, _parsed(_content(own or shared))[0]), entry)  # as of an old one
    intent = _record(replace(entry, time=known.time, event="intent"), shared, own)
    yield
    _record(replace(intent, event="read"), shared, own)


def read_ledger(*ledgers: Path) -> list[RecordedRead]:
    """All readings and intents of these ledgers, each once, as by `merged`.

    Lines that were torn by a kill are left out.
    """
    return merged(entry for entries, _ in _files(ledgers) for entry in entries)


def restore(own: Path, entries: Iterable[RecordedRead]) -> int:
    """Write readings that a study's own ledger has lost; returns how many. Raises InputError."""
    known = {entry.key for entry in read_ledger(own) if entry.happened}
    lost = {entry.key: entry for entry in entries if entry.happened and entry.key not in known}
    for entry in lost.values():
        _append(own, entry, _sameness(entry, own))
    return len(lost)


def unreadable_lines(*ledgers: Path) -> int:
    """How many lines of these ledgers cannot be read, each of which may have been a reading."""
    return sum(others for _, others in _files(ledgers))


def merged(entries: Iterable[RecordedRead]) -> list[RecordedRead]:
    """Each reading once: it takes its intent's place, and both that of a line that says neither."""
    reads: dict[tuple[str, str, str], RecordedRead] = {}
    for entry in entries:
        known = reads.setdefault(_identity(entry), entry)
        if _EVENTS.index(entry.event) > _EVENTS.index(known.event):
            reads[_identity(entry)] = entry
    # an old ledger of a study's own did not say whose it was; that beside the studies did
    named = {(entry.key, entry.time) for entry in reads.values() if entry.study}
    return [e for e in reads.values() if e.study or (e.key, e.time) not in named]


def _record(entry: RecordedRead, shared: Path, own: Path | None) -> RecordedRead:
    """Write one line for both ledgers unless it is there; returns it with its time."""
    if not entry.time:
        entry = replace(entry, time=datetime.now(UTC).isoformat(timespec="microseconds"))
    known = _append(own or shared, entry, _sameness(entry, own))
    entry = replace(entry, time=known.time)
    if own is not None:
        _append(shared, entry, lambda other: _identity(other) == _identity(entry))
    return entry


def _sameness(entry: RecordedRead, own: Path | None) -> Callable[[RecordedRead], bool]:
    """What makes two lines one: in a study's own ledger the key alone, else the study beside it."""
    return lambda other: other.key == entry.key and (own is not None or other.study == entry.study)


def _append(
    ledger: Path, entry: RecordedRead, is_same: Callable[[RecordedRead], bool]
) -> RecordedRead:
    """Add a line to the file of its event unless it is there; returns the one that is there."""
    with _locked(intents_of(ledger) if entry.event == "intent" else ledger) as file:
        content = file.read()
        known = next(filter(is_same, _parsed(content)[0]), None)
        if known is None:
            torn = bool(content) and not content.endswith(b"\n")  # a kill left it without its end
            file.write(b"\n" * torn + json.dumps(asdict(entry)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    return known or entry


@contextmanager
def _locked(ledger: Path) -> Iterator[IO[bytes]]:
    """The file from its start, to be read and added to while no other process writes."""
    try:
        ledger.parent.mkdir(parents=True, exist_ok=True)
        with ledger.open("ab+") as file:  # O_APPEND: what others write is never overwritten
            fcntl.flock(file, fcntl.LOCK_EX)  # ends with the process
            file.seek(0)
            yield file
    except OSError as error:
        raise InputError(
            f"a reading of the test split cannot be recorded in {str(ledger)!r} "
            f"({error.strerror}), and without that it is not done; make the file writable, or name "
            f"another ledger in the environment: {VARIABLE}=/some/folder/{LEDGER}"
        ) from error


def _files(ledgers: Iterable[Path]) -> Iterator[tuple[list[RecordedRead], int]]:
    """What lies in the two files of each ledger."""
    for ledger in ledgers:
        yield from (_parsed(_content(file)) for file in (ledger, intents_of(ledger)))


def _content(file: Path) -> bytes:
    """Empty if the file cannot be read: there is no reading that we could know of."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _parsed(content: bytes) -> tuple[list[RecordedRead], int]:
    """The entries, and how many lines are none.

    From before other studies were counted, a line may lack the newer fields.
    """
    names = [field.name for field in fields(RecordedRead) if field.name != "event"]
    lines, others = json_lines(content)
    entries = []
    for data in lines:
        if not isinstance(data.get("key"), str):
            others += 1
            continue
        texts = {name: str(data.get(name) or "") for name in names}
        event: Event = next((e for e in _EVENTS if e == data.get("event")), "")
        entries.append(RecordedRead(**texts, event=event))
    return entries, others


def _identity(entry: RecordedRead) -> tuple[str, str, str]:
    return entry.study, entry.key, entry.time


def _absolute(folder: Path) -> Path:
    """Without links resolved: a study lies where its user says."""
    return Path(os.path.abspath(expanded(folder)))
