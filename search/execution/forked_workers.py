"""Workers from a server that has imported all they need: the second costs no import.

``server()`` is this process's one server, started at the first call; the door calls it before it
reads settings, so that imports and the rest of a start overlap. ``fork_worker`` gives None if no
worker can come from there: on systems other than Linux, where the server cannot fork safely
(see ``fork_server``), and where this process has changed since in what imports depend on, such as
``sys.path``. Workers are then started one by one.
"""

import atexit
import json
import math
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from hybrid_swin.system.forks import close_in_children
from hybrid_swin.system.processes import import_places, python_command, python_environment
from search.execution.other_process import OtherProcess

TRAINING = ("search.execution.training_job",)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Variables of the environment that Python and libraries read when they are loaded.
_READ_AT_IMPORT = (
    "PYTHON",
    "LD_",
    "OMP_",
    "MKL_",
    "OPENBLAS_",
    "KMP_",
    "GOMP_",
    "TORCH",
    "PYTORCH",
)
_LARGEST = 2**17  # bytes of a message
_LOOK_AGAIN = 0.02  # seconds
_TIME_TO_TELL = 10.0  # seconds from a worker's end to its server's word; it may be importing
_CANCELLED = -9  # what a worker that was given up before it began ended with

_started: "Server | None" = None


class ForkedWorker:
    """A worker's process, as ``subprocess.Popen`` shows those that we start ourselves.

    Attributes:
        returncode: what it ended with, negative for a signal; None while it runs or if unknown.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control, self._pid = control, 0
        self._process: OtherProcess | None = None  # once the server has said which it is
        self.returncode: int | None = None
        close_in_children(control)

    @property
    def pid(self) -> int:
        """The process id; waits for the server, which may be importing. 0 if it never began."""
        while not self._pid and self._listen(None):
            pass
        return self._pid

    @property
    def has_begun(self) -> bool:
        """Whether there has been such a process."""
        self._listen(0)
        return bool(self._pid)

    def kill(self) -> None:
        """Kill it; one that the server has not begun never begins."""
        if not self.has_begun:
            self._end(_CANCELLED)
        if self._process is not None:
            self._process.kill()  # the server may have ended or hang

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end. Returns its exit code; None if the server cannot say it.

        Raises subprocess.TimeoutExpired if it lives on.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        while self._listen(_LOOK_AGAIN) or self._lives_on():
            if self._process is not None and self._process.has_ended(0):
                while self._listen(_TIME_TO_TELL):
                    self._end(None)  # the server hangs
            elif time.monotonic() >= end:
                raise subprocess.TimeoutExpired("a forked worker", timeout or 0.0)
        return self.returncode

    def _lives_on(self) -> bool:
        """Whether it runs without the server, which has ended."""
        if self.returncode is not None or self._process is None:
            return False
        return not self._process.has_ended(_LOOK_AGAIN)

    def _listen(self, timeout: float | None) -> bool:
        """Take a message if one comes; False if none will come."""
        if self._control.fileno() < 0:
            return False
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        if not poll.poll(None if timeout is None else timeout * 1000):
            return True
        try:
            message = self._control.recv(_LARGEST)
        except OSError:
            message = b""
        about = json.loads(message or b"{}")
        if "pid" in about:
            self._pid = about["pid"]
            self._process = OtherProcess(self._pid)
        else:
            self._end(about.get("code"))
        return "pid" in about

    def _end(self, code: int | None) -> None:
        self._control.close()
        self.returncode = code


class Server:
    """The coordinator's side of a server. Args: modules: what it imports."""

    def __init__(self, modules: Sequence[str] = TRAINING) -> None:
        self.owner = os.getpid()
        self._environment = python_environment()
        self._places = import_places()
        self._answer: dict[str, str | None] = {}
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            about = str(theirs.fileno()), str(self.owner)
            self._process = subprocess.Popen(
                python_command("search.execution.fork_server", *about, *modules),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # whoever cannot import says so in its own log
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=self._environment | dict.fromkeys(THREAD_VARIABLES, "1"),
            )
        close_in_children(self._socket)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_until_ready(self) -> str | None:
        """Wait until it has imported. Returns why it cannot fork; None if it can."""
        if not self._answer:
            self._answer = json.loads(self._socket.recv(_LARGEST) or b'{"refused": "it ended"}')
        return self._answer.get("refused")

    def can_serve(self) -> bool:
        """Whether a worker of it is as one that is started now by itself."""
        now, path = python_environment(), import_places()["path"]
        same = all(
            now.get(name) == self._environment.get(name)
            for name in now.keys() | self._environment.keys()
            if name.startswith(_READ_AT_IMPORT) and name not in THREAD_VARIABLES
        )
        behind = path[: len(self._places["path"])] == self._places["path"]
        return same and behind and self._process.poll() is None

    def fork(self, pipe: int, output: int, environment: Mapping[str, str]) -> ForkedWorker:
        """A worker on a pipe, with its output and its variables of the environment.

        Raises OSError if the server has just ended.
        """
        wanted = python_environment(**environment)
        inherited = self._environment | dict.fromkeys(THREAD_VARIABLES, "1")
        changes = {k: v for k, v in wanted.items() if inherited.get(k) != v}
        request = {
            "environment": changes,
            "without": [name for name in inherited if name not in wanted],
            "places": import_places(),
            "threads": int(wanted.get(THREAD_VARIABLES[0], "1")),
        }
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folder = os.open(".", os.O_PATH | os.O_DIRECTORY)
        try:
            sent = [pipe, output, folder, theirs.fileno()]
            socket.send_fds(self._socket, [json.dumps(request).encode()], sent)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(folder)
        return ForkedWorker(ours)

    def close(self) -> None:
        """End it, and with it the workers that are left."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


def server() -> Server | None:
    """This process's server, started if need be; None if there is none."""
    global _started
    if not hasattr(socket, "send_fds") or sys.platform != "linux":
        return None
    if _started is None or _started.owner != os.getpid():
        _started = Server()
        atexit.register(_close, _started)
    return _started


def fork_worker(pipe: int, output: int, environment: Mapping[str, str]) -> ForkedWorker | None:
    """A worker of the server; None if it must be started in another way."""
    parent = server()
    if parent is None or not parent.can_serve():
        return None
    try:
        return parent.fork(pipe, output, environment)
    except OSError:
        return None


def close_server() -> None:
    """End this process's server, if no worker is to come from it."""
    global _started
    if _started is not None:
        _close(_started)
        _started = None


def _close(server: Server) -> None:
    if server.owner == os.getpid():
        server.close()
