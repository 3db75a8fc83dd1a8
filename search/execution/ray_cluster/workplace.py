"""A machine of the cluster, as its actor finds it: checked, and with one worker."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from hybrid_swin.errors import InputError
from hybrid_swin.system import processes
from search.execution.executors.local import LocalExecutor
from search.execution.job import Job
from search.execution.ray_cluster.opening import differences, versions
from search.execution.shared_word import comes_to_hold

_PATIENCE = 5.0  # seconds for a file to appear
_SILENCE = 60.0  # seconds after which a call returns without news


class Workplace:
    """One worker of this machine, for an actor."""

    def __init__(self, executor: LocalExecutor) -> None:
        self._executor = executor

    @classmethod
    def open(cls, request: Mapping[str, Any], gpus: Sequence[str]) -> tuple[Self | None, str]:
        """Check the machine and start a worker; without one, why."""
        if why := unfit(request):
            return None, why
        _arrange_imports(request)
        devices = [",".join(gpus)] if gpus else []
        prefix = f"{request['name']}-"
        logs, threads = Path(request["logs"]), int(request["threads"])
        try:
            return cls(LocalExecutor(1, threads, logs, devices, prefix)), ""
        except (InputError, OSError) as error:
            return None, f"machine {request['machine']}: {error}"

    def ready(self) -> str:
        """Wait for the worker; gives why there will be none."""
        try:
            self._executor.wait_until_ready()
        except InputError as error:
            return str(error)
        return ""

    def begin(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        """Give it a job; gives what happens first."""
        self._executor.submit(Job(**job))
        return self.go_on()

    def go_on(self) -> list[dict[str, Any]]:
        """What happens next; nothing after a while of silence."""
        try:
            return [asdict(event) for event in self._executor.events(_SILENCE)]
        except InputError as error:
            return [{"kind": "unfit", "error": str(error)}]


def unfit(request: Mapping[str, Any]) -> str:
    """Why a machine cannot be used; empty if it can."""
    name, nonce = request["machine"], Path(request["nonce"])
    if other := differences(request["versions"], versions()):
        return f"machine {name} has other versions: {other}; install the same on all machines"
    folder = nonce.parent.parent
    if not comes_to_hold(nonce, request["word"], _PATIENCE):
        return (
            f"machine {name} does not see the study's folder {folder}; put it on a file system "
            "that all machines mount at the same path, and name that by --folder"
        )
    trace = nonce.with_name(f"{nonce.name}-{request['name']}")
    try:
        trace.write_text("written\n", encoding="utf-8")
        trace.unlink()
    except OSError as error:
        return (
            f"machine {name} cannot write into the study's folder {folder} "
            f"({error.strerror}); mount it there for reading and writing"
        )
    return ""


def _arrange_imports(request: Mapping[str, Any]) -> None:
    """Look for modules as the coordinator does, not as Ray's own worker process.

    The driver's working folder goes; what Ray brings with it comes behind what is installed.
    """
    inside = os.sep + os.path.join("ray", "thirdparty_files")
    gone = (request["scratch"], os.path.join("_private", "workers"))
    entries = [entry for entry in sys.path if entry and not entry.endswith(gone)]
    entries.sort(key=lambda entry: entry.endswith(inside))  # stable: the others keep their order
    with suppress(OSError):  # what is named by whole paths can be found without it
        os.chdir(request["working_folder"])
    sys.path[:] = ["/", *entries]  # the first stands for a script's folder, which is not searched
    processes.arrange_imports()
    processes.take_places({"path": entries, "last": list(request["last"])})
