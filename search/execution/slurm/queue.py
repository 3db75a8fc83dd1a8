"""Jobs of ours in Slurm's queue, as ``squeue`` shows them."""

import getpass
import re
from dataclasses import dataclass
from typing import Literal

from search.execution.slurm.commands import SECONDS, call

_FORMAT = "%i|%T|%r|%k"
_ID = re.compile(r"\d+(_\d+)?")
VANISHED = "VANISHED"  # our word for a job that the queue does not show
Stage = Literal["waits", "runs", "leaves", "done", "taken", "failed"]
# Job states by what they mean here; https://slurm.schedmd.com/squeue.html#SECTION_JOB-STATE-CODES
_STAGES: dict[Stage, tuple[str, ...]] = {
    "waits": (
        *("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD"),
        "SPECIAL_EXIT",
    ),
    "runs": ("RUNNING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT"),
    "leaves": ("COMPLETING",),
    "done": ("COMPLETED",),
    "taken": (VANISHED, "CANCELLED", "PREEMPTED", "TIMEOUT", "DEADLINE", "REVOKED"),
    "failed": ("FAILED", "NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY", "LAUNCH_FAILED"),
}
_STAGE = {state: stage for stage, states in _STAGES.items() for state in states}
_WORDS = {
    "PENDING": "waiting",
    "TIMEOUT": "at its time limit",
    "NODE_FAIL": "lost with its node",
    "OUT_OF_MEMORY": "out of memory",
}


@dataclass(frozen=True)
class SlurmJob:
    """A job or a task of an array.

    ``stage``: it waits, runs, leaves its node; it is done; it was taken from us, through no fault
    of its work; it failed.
    """

    id: str
    state: str  # in Slurm's words
    reason: str = ""  # why it waits, in Slurm's words
    comment: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left."""
        return self.stage in ("done", "taken", "failed")

    @property
    def stage(self) -> Stage:
        """What the state means here; one that is not known counts as running."""
        return _STAGE.get(self.state, "runs")

    @property
    def words(self) -> str:
        """The state for people."""
        return _WORDS.get(self.state, self.state.lower().replace("_", " "))


def jobs_named(name: str, seconds: float = SECONDS) -> list[SlurmJob]:
    """The user's jobs of this name, also those that ended minutes ago.

    Raises as `search.execution.slurm.commands.call`.
    """
    words = ("--noheader", "--array", "--states=all", f"--user={getpass.getuser()}")
    which = (f"--name={name}", f"--format={_FORMAT}")
    return read_queue(call("squeue", *words, *which, seconds=seconds))


def read_queue(text: str) -> list[SlurmJob]:
    """The jobs that ``squeue`` printed; a line that is none (a message of the site) is left out."""
    jobs = []
    for line in text.splitlines():
        parts = line.strip().split("|", 3)
        if len(parts) == 4 and _ID.fullmatch(parts[0]):
            number, state, reason, comment = (part.strip() for part in parts)
            reason = "" if reason in ("None", "(null)") else reason
            jobs.append(SlurmJob(number, state.split()[0] if state else "", reason, comment))
    return jobs
