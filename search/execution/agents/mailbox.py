"""Messages between a coordinator and its agents: files in the study's folder.

::

    STUDY/agents/coordinator.beat     a counter that the coordinator raises while it runs
    STUDY/agents/NAME/agent.json      who the agent is; it is written last, and so announces it
    STUDY/agents/NAME/agent.beat      a counter that the agent raises
    STUDY/agents/NAME/to_agent.jsonl  what the coordinator says; a line is a message
    STUDY/agents/NAME/to_coordinator.jsonl

Each file has one writer, which opens, writes and closes it for every message, and its reader opens
it each time: on a network file system this is what makes the one see what the other wrote. No
clock of another machine is believed: a beat counts when it changes, by the reader's own clock.
"""

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid_swin.system.files import json_lines, json_ready
from search.records.locking.owner import Owner

SCHEMA_VERSION = 1
AGENTS = "agents"
AGENT_FILE = "agent.json"
AGENT_BEAT, COORDINATOR_BEAT = "agent.beat", "coordinator.beat"
TO_AGENT, TO_COORDINATOR = "to_agent.jsonl", "to_coordinator.jsonl"
_NUMBER = "number"  # of a message, so that the loss of others is noticed
# What a message holds beside its kind, its number and the token.
_CONTENT: dict[str, dict[str, type]] = {
    "hello": {"about": dict},
    "job": {"job": dict},
    "cancel": {"key": str},
    "leave": {},
    "ready": {"slots": int, "hardware": dict},
    "event": {"event": dict},
    "refused": {"error": str},
    "forgot": {},
    "left": {},
}
EVERY = 2.0  # seconds between two beats
SILENT = 40.0  # seconds without a beat after which either side does not wait for the other's work
_STOOD_STILL = 10.0  # seconds; a listener that did not listen for longer stood still itself
_WIDTH = 64  # bytes of a beat, which is written at once


@dataclass(frozen=True)
class AgentRecord:
    """What ``agent.json`` says: the process, as the lock of a study names one, and its place."""

    process: int
    host: str
    kernel: str
    numbering: str
    place: dict[str, str]  # such as a job of Slurm
    schema_version: int = SCHEMA_VERSION

    @property
    def owner(self) -> Owner:
        """The process."""
        return Owner(self.process, self.host, self.kernel, self.numbering)


def agents_in(folder: Path) -> list[str]:
    """Names of the agents in a study's folder; they may have been killed."""
    return sorted(beat.parent.name for beat in (folder / AGENTS).glob(f"*/{AGENT_BEAT}"))


class Outbox:
    """Appends messages to a file, which is made empty at once, and numbers them."""

    def __init__(self, path: Path) -> None:
        self._path, self._sent = path, 0
        path.touch()

    def send(self, message: dict[str, Any]) -> None:
        """Append a message. Raises OSError if it cannot be written whole."""
        message = json_ready({**message, _NUMBER: self._sent + 1})  # other JSON is not read
        line = json.dumps(message).encode() + b"\n"
        with self._path.open("ab", buffering=0) as file:
            begin = file.seek(0, os.SEEK_END)
            try:
                written = file.write(line)
            except OSError:
                written = -1
            if written != len(line):
                file.truncate(begin)  # half a line would swallow the next one
                raise OSError(f"{self._path} cannot be written")
        self._sent += 1


class Inbox:
    """Reads the messages that were appended to a file since the last time.

    Args:
        path: the file.
        from_end: leave out those that are there already.

    Attributes:
        has_lost: whether messages were lost, as when the file was cut or deleted, or something
            else has written into it.
    """

    def __init__(self, path: Path, from_end: bool = False) -> None:
        self._path, self._offset = path, 0
        self._number: int | None = None  # of the last message
        self.has_lost = False
        if from_end:
            with suppress(OSError):
                self._offset = path.stat().st_size

    def receive(self) -> list[dict[str, Any]]:
        """New messages; none while the file cannot be read."""
        try:
            size = self._path.stat().st_size
            if size < self._offset:  # what is there now may be new
                self.has_lost, self._offset, self._number = True, 0, None
            if size == self._offset:
                return []
            with self._path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            self.has_lost, self._offset = self.has_lost or self._offset > 0, 0
            return []
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        messages, others = json_lines(whole)
        ours = [message for message in messages if _is_ours(message)]
        self.has_lost = self.has_lost or others > 0 or len(ours) < len(messages)
        for message in ours:
            number = message.pop(_NUMBER)
            if self._number is not None:
                # 1: of a coordinator or agent that was started again
                self.has_lost = self.has_lost or number not in (1, self._number + 1)
            self._number = number
        return ours


def _is_ours(message: dict[str, Any]) -> bool:
    """Whether a coordinator or an agent has written it."""
    content = _CONTENT.get(str(message.get("kind")))
    return (
        content is not None
        and isinstance(message.get(_NUMBER), int)
        and isinstance(message.get("token"), str)
        and all(isinstance(message.get(name), kind) for name, kind in content.items())
    )


class Beating:
    """Raises a counter in a file, in a thread of its own, until it is closed.

    Args:
        word: stands beside the counter; ``close`` may leave another one behind.
    """

    def __init__(self, path: Path, word: str) -> None:
        self._path, self._word, self._count = path, word, 0
        self._ends = threading.Event()
        self._write()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """Write the file at once, as after it was deleted."""
        self._write()

    def close(self, word: str = "") -> None:
        """Stop, and leave a word; without one the file goes."""
        self._ends.set()
        self._thread.join()
        self._word = word
        if word:
            self._write()
        else:
            self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._ends.wait(EVERY):
            self._count += 1
            self._write()

    def _write(self) -> None:
        line = f"{self._word} {os.getpid()} {self._count}".ljust(_WIDTH - 1) + "\n"
        with suppress(OSError):  # a full disk: beats are missed, and come again
            flags = os.O_WRONLY | os.O_CREAT
            descriptor = os.open(self._path, flags, 0o644)
            try:
                os.pwrite(descriptor, line.encode(), 0)
            finally:
                os.close(descriptor)


class Pulse:
    """Listens to a beat, by its own clock.

    Attributes:
        silence: seconds for which it was listened to since it last changed. A time in which the
            listener stood still, too, says nothing of the other.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._last = path, b""
        self._listened, self.silence = time.monotonic(), 0.0

    def listen(self) -> str:
        """The word beside the counter; empty if there is none."""
        content, now = b"", time.monotonic()
        with suppress(OSError):
            content = self._path.read_bytes()
        self.silence += min(now - self._listened, _STOOD_STILL)
        self._listened = now
        if content and content != self._last:
            self._last, self.silence = content, 0.0
        return content.decode(errors="replace").partition(" ")[0]
