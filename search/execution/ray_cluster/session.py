"""The processes of one session, as ``setsid`` makes it: what a driver and its Ray have started."""

import os
import signal
from contextlib import suppress
from pathlib import Path

_ENOUGH = 20  # times to look: what is killed may have just started another


def end_session(leader: int) -> None:
    """Kill all processes of a session but this one. Linux only; elsewhere its process group."""
    if not Path("/proc/self/stat").exists():
        with suppress(OSError):
            os.killpg(leader, signal.SIGKILL)
        return
    for _ in range(_ENOUGH):
        members = _members(leader)
        if not members:
            return
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _members(leader: int) -> list[int]:
    """The living processes of a session, without this one."""
    members = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader and fields[0] not in "ZX":
                    members.append(int(folder.name))
    return members
