"""A process that is not our child, such as one that a server forked for us."""

import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path

_LOOK_AGAIN = 0.02  # seconds


class OtherProcess:
    """To be killed and waited for, never taken for a later one with the same process id.

    Linux only. Python may have been built without ``pidfd_open``; then the moment in which a
    process began tells it from others.
    """

    def __init__(self, pid: int) -> None:
        self._pid, self._began = pid, _began(pid)
        self._descriptor: int | None = None
        if self._began and hasattr(os, "pidfd_open"):
            with suppress(OSError):  # an old kernel, or it has just ended
                self._descriptor = os.pidfd_open(pid)

    def __del__(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def kill(self) -> None:
        """Kill it, if it still runs."""
        with suppress(ProcessLookupError):
            if self._descriptor is not None:
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
            elif not self.has_ended(0):
                os.kill(self._pid, signal.SIGKILL)

    def has_ended(self, timeout: float) -> bool:
        """Whether it has ended, or does within so many seconds."""
        end = time.monotonic() + timeout
        if self._descriptor is not None:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            return bool(poll.poll(timeout * 1000))
        while self._began and self._began == _began(self._pid):
            if time.monotonic() >= end:
                return False
            time.sleep(min(_LOOK_AGAIN, timeout))
        return True


def _began(pid: int) -> str:
    """When a process began, in the kernel's clock; empty if it has ended."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[19] if fields[0] not in "ZX" else ""
    return ""
