"""The driver as the coordinator sees it: a process, the pipe to it, its folder and its log."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from hybrid_swin.system.forks import close_in_children
from hybrid_swin.system.processes import python_command, python_environment
from search.execution.bounded_log import BoundedLog, Pump
from search.execution.ray_cluster.deaths import end_of_driver
from search.execution.ray_cluster.session import end_session

_TIME_TO_SAY = 1.0  # seconds from a closed pipe to the end of its process
_TIME_TO_CLOSE = 15.0  # seconds that the driver has to end its actors and its cluster
_LONGEST_FOLDER = 38  # characters: Ray puts sockets in it, whose paths may have 107


class DriverProcess:
    """A driver, from its start to the end of all that it has started.

    Args:
        opening: its first message (see ``opening``).
        log: where it prints.
    """

    def __init__(self, opening: Mapping[str, Any], log: Path) -> None:
        self._nonce = Path(opening["nonce"])
        self.scratch = Path(tempfile.mkdtemp(prefix="hybrid-swin-ray-", dir=_short_folder()))
        self._output = Pump(BoundedLog(log))
        ours, theirs = Pipe()
        try:
            self._process = subprocess.Popen(
                python_command("search.execution.ray_cluster.driver", str(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=self._output.writer,
                stderr=self._output.writer,
                pass_fds=(theirs.fileno(),),
                cwd=self.scratch,
                env=python_environment(),
                start_new_session=True,  # no signal of the terminal; all of it can be ended
            )
        except BaseException:
            ours.close()
            shutil.rmtree(self.scratch, ignore_errors=True)
            raise
        finally:
            os.close(self._output.writer)
            theirs.close()
        close_in_children(ours)
        self._pipe: Connection[Any, Any] = ours
        self.send("open", **opening, scratch=str(self.scratch))

    @property
    def pid(self) -> int:
        """Its process id, which is that of its session as well."""
        return self._process.pid

    def send(self, kind: str, **about: Any) -> None:
        """Send a message; one that has ended takes none, which `messages` tells."""
        with suppress(OSError):
            self._pipe.send_bytes(json.dumps({"kind": kind, **about}).encode())

    def messages(self, timeout: float) -> Iterator[dict[str, Any]]:
        """Messages that have come; waits at most ``timeout`` seconds for the first.

        Raises EOFError or OSError after the last one of a driver that has ended.
        """
        if self._pipe.poll(timeout):
            while self._pipe.poll():
                yield json.loads(self._pipe.recv_bytes())

    def close(self) -> None:
        """Have it end its workers and a cluster of its own, and leave nothing behind."""
        self.send("close")
        self._pipe.close()
        try:
            self._process.wait(_TIME_TO_CLOSE)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._clean_up()

    def bury(self) -> str:
        """Leave nothing behind of one that has ended; gives why it has."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_TIME_TO_SAY)
        code = self._process.poll()
        self._clean_up()
        return end_of_driver(code, self._output.last_line())

    def _clean_up(self) -> None:
        end_session(self._process.pid)
        self._process.wait()
        self._output.close()
        self._pipe.close()
        shutil.rmtree(self.scratch, ignore_errors=True)
        self._nonce.unlink(missing_ok=True)


def _short_folder() -> str:
    """Where the private folder of a driver is made."""
    folder = tempfile.gettempdir()
    return folder if len(folder) < _LONGEST_FOLDER - len("/hybrid-swin-ray-12345678") else "/tmp"  # noqa: S108
