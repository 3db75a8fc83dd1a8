"""Processes that faults strike: begun at the door, looked at through /proc, searched for after."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOOR = ROOT / "search.py"
MARK = "HYBRID_SWIN_CHAOS"  # of the environment: tells to whom a process belongs, wherever it is


class Process:
    """A command of the door, in a session of its own, with its output in a file."""

    def __init__(self, command: str, handle: Any, output: Path) -> None:
        self.command, self._handle, self._output = command, handle, output
        self.struck = False  # on purpose: its exit code says nothing of the program

    @property
    def pid(self) -> int:
        """The process id."""
        pid: int = self._handle.pid
        return pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self._handle.wait(0)
        code: int | None = self._handle.returncode
        return code

    @property
    def text(self) -> str:
        """What it has printed."""
        return self._output.read_text(errors="replace")

    def wait(self, seconds: float) -> int | None:
        """Its exit code; None if it runs for longer than that."""
        with suppress(subprocess.TimeoutExpired):
            self._handle.wait(seconds)
        return self.code

    def kill(self) -> None:
        """End it, and all of its session."""
        for pid in session_of(self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        self._handle.kill()


class Doors:
    """Opens the door: as a user does, or in processes forked from one that has imported all.

    The latter are the tests' (``tests/search/door_server.py``): a start costs a tenth.

    Args:
        forked: whether they are forked, but for those that need a variable at their very start.
        server: forks them; one of our own if left out.
    """

    def __init__(self, forked: bool, server: Any = None) -> None:
        self.forked = forked
        self._own, self._server = server is None, server

    def open(
        self, output: Path, arguments: list[str], environment: dict[str, str] | None = None
    ) -> Process:
        """Begin a command, such as ``run --config mine.yaml``; real where it needs variables."""
        output.parent.mkdir(parents=True, exist_ok=True)
        own = {MARK: str(output.parent), "OMP_NUM_THREADS": "1", **(environment or {})}
        with output.open("ab") as file:
            if self.forked and "LD_PRELOAD" not in own:
                return Process(arguments[0], self._fork(file.fileno(), arguments, own), output)
            command = [sys.executable, str(DOOR), *arguments]
            handle = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=os.environ | own,
                start_new_session=True,
            )
        return Process(arguments[0], handle, output)

    def _fork(self, output: int, arguments: list[str], own: dict[str, str]) -> Any:
        from search.execution.forked_workers import Server

        if self._server is None:
            place = str(ROOT / "tests" / "search")
            sys.path.append(place)
            self._server = Server(("door_server",))
            sys.path.remove(place)
            if why := self._server.wait_until_ready():
                raise RuntimeError(f"the doors' server cannot fork: {why}")
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            own |= {"ARGUMENTS_OF_THE_DOOR": json.dumps(arguments)}
            return self._server.fork(nothing, output, own)
        finally:
            os.close(nothing)

    def close(self) -> None:
        """End the server."""
        if self._own and self._server is not None:
            self._server.close()


def session_of(leader: int) -> list[int]:
    """All processes of a session that have not ended."""
    return [pid for pid, state, _, session in _processes() if session == leader and state != "Z"]


def children_of(pid: int) -> list[int]:
    """Its children that have not ended."""
    return [child for child, state, parent, _ in _processes() if parent == pid and state != "Z"]


def servers_of(pid: int) -> list[int]:
    """The workers' servers of a coordinator or agent."""
    return [child for child in children_of(pid) if _is(child, "search.execution.fork_server")]


def workers_of(pid: int) -> list[int]:
    """The workers of a coordinator or agent."""
    forked = [worker for server in servers_of(pid) for worker in children_of(server)]
    return forked + [child for child in children_of(pid) if _is(child, "search.execution.worker")]


def marked(mark: Path) -> list[int]:
    """Processes that were begun for a fault, in whatever session they are, or that stand there."""
    found = []
    for pid, state, _, _ in _processes():
        if state == "Z" or pid == os.getpid():
            continue
        with suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if f"{MARK}={mark}".encode() in environment or str(mark).encode() + b"/" in command:
                found.append(pid)
    return found


def command_of(pid: int) -> list[str]:
    """The command line of a process; empty if it has ended."""
    with suppress(OSError):
        content = Path(f"/proc/{pid}/cmdline").read_bytes()
        return content.decode(errors="replace").split("\0")
    return []


def called(pids: Iterable[int], name: str) -> list[int]:
    """Those whose command line holds a text."""
    return [pid for pid in pids if any(name in word for word in command_of(pid))]


def lives(pid: int) -> bool:
    """Whether a process, which may be another's child, has not ended."""
    with suppress(OSError):
        return (Path(f"/proc/{pid}") / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def of_tests(name: str) -> Any:
    """A module of the tests, which are not a package."""
    place = ROOT / "tests" / "search" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{place} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _is(pid: int, module: str) -> bool:
    with suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        return module.encode() in command.split(b"\0") or name == module.rpartition(".")[2]
    return False


def _processes() -> list[tuple[int, str, int, int]]:
    """Process id, state, parent and session of all."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            state, parent, _, session = (
                (place / "stat").read_text().rpartition(")")[2].split(maxsplit=4)[:4]
            )
            found.append((int(place.name), state, int(parent), int(session)))
    return found
