"""Why an actor died, for a person: Ray's own text is a page."""

import re

from hybrid_swin.errors.plain_text import message_of, one_line
from hybrid_swin.system.processes import how_it_ended

RAYLET_DIED = "its process on this machine died"  # what a driver prints last
_LONGEST = 160  # characters
_OWNER_DIED = "Owner's node has crashed"  # the driver's
_PREFIX = re.compile(r"^\[[^]]*\] (\(\w+\) )?\S+:\d+: ")  # of a line in Ray's logs


def cause_of_death(error: BaseException, machine: str) -> str:
    """What became of an actor on a machine."""
    text = message_of(error)
    if _OWNER_DIED in text:
        return "Ray's process on the study's own machine died"
    if "node has died" in text or "node was terminated" in text or "NODE_DIED" in text:
        return f"machine {machine} left the Ray cluster"
    if "low on memory" in text or "OutOfMemory" in type(error).__name__:
        return f"Ray ended the worker, since machine {machine} ran out of memory"
    if "worker process has died" in text or "UnavailableError" in type(error).__name__:
        detail = re.search(r"exit type: (\w+)", text)
        words = f" (Ray: {detail[1]})" if detail else ""
        return f"the worker on machine {machine} was killed or crashed{words}"
    return f"the worker on machine {machine} ended: {one_line(text, _LONGEST)}"


def end_of_driver(code: int | None, last_line: str) -> str:
    """Why the driver's process ended, by its exit code and what it printed last."""
    if code is not None and code < 0:
        return f"Ray's driver {how_it_ended(code)}"
    if "GCS" in last_line or not last_line:
        return "its head does not answer"
    return one_line(_PREFIX.sub("", last_line), _LONGEST)


def was_taken(error: BaseException) -> bool:
    """Whether the machine was taken from us, as a preempted one is: no fault of the job's."""
    return bool(getattr(error, "preempted", False)) or _OWNER_DIED in str(error)
