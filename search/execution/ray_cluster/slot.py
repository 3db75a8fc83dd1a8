"""The actor: one worker on a machine of the cluster.

Ray carries this class by value, since the machine may have no hybrid-swin, or another one: that
must become a message. So its module imports only what comes with Python, and Ray.
"""

import os
import sys
import time
import traceback
from typing import Any

import ray

_LOOK_AGAIN = 1.0  # seconds


class Slot:
    """One worker. Its calls come one after another, but `wait`, which never returns."""

    def __init__(self) -> None:
        self._workplace: Any = None

    def wait(self) -> None:
        """Wait for ever: Ray tells whoever called this when the actor dies.

        An actor would outlive its raylet, and go on with a training that nobody waits for.
        """
        raylet = os.getppid()
        while os.getppid() == raylet:
            time.sleep(_LOOK_AGAIN)
        os._exit(1)

    def open(self, request: dict[str, Any]) -> str:
        """Check this machine and start the worker; gives why not, empty if it starts."""
        root = request["root"]
        if os.path.isfile(os.path.join(root, "search", "__init__.py")):
            sys.path.insert(0, root)
        try:
            from search.execution.ray_cluster.workplace import Workplace
        except Exception as error:
            reason = traceback.format_exception_only(error)[-1].strip()  # nothing of ours is there
            return (
                f"machine {request['machine']} cannot import hybrid-swin as it is here "
                f"({reason}); install the same version there, or start from "
                "a folder that it sees"
            )
        finally:
            if sys.path[0] == root:
                del sys.path[0]
        gpus = [str(gpu) for gpu in ray.get_gpu_ids()]
        self._workplace, why = Workplace.open(request, gpus)
        return str(why)

    def ready(self) -> str:
        """Wait for the worker; gives why there will be none, empty if it is there."""
        return str(self._workplace.ready())

    def begin(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        """Give the worker a job; what happens first, possibly nothing."""
        events: list[dict[str, Any]] = self._workplace.begin(job)
        return events

    def go_on(self) -> list[dict[str, Any]]:
        """What happens next, possibly nothing."""
        events: list[dict[str, Any]] = self._workplace.go_on()
        return events
