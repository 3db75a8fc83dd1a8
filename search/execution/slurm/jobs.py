"""Jobs in Slurm's queue that run agents: submitted, watched, replaced and cancelled.

Slurm's commands take seconds where the controller is busy, so a thread calls them. It leaves what
it has to say for `Jobs.news`, which the coordinator asks for.
"""

import getpass
import os
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import LONGEST, described, one_line
from hybrid_swin.system.files import explained
from search.execution.slurm.commands import RefusedError, UnreachableError, call
from search.execution.slurm.queue import VANISHED, SlurmJob, jobs_named

_UNSEEN = 60.0  # seconds in which a job that was submitted may be missing in the queue
_TO_CANCEL = 10.0  # seconds for one command
_TO_LEAVE = 5.0  # seconds for agents
_TO_GATHER = 0.5  # seconds from the first work to a submission
_LOOK_AGAIN = 0.3  # seconds
_TAIL = 10_000  # bytes of a log that are read for its last line
# What a test says of nodes that are down, as of nodes that there are not.
_OF_THE_MOMENT = re.compile(
    "requested node configuration is not available|required node not available|nodes are busy",
    re.IGNORECASE,
)
_UP = ("idle", "mix", "alloc", "comp", "plnd", "resv")  # node states
_REASONS = {
    "Priority": "others come first",
    "Resources": "no node is free",
    "BeginTime": "its begin is later",
    "PartitionConfig": "the partition has no node with executor.cpus, memory and gres",
    "PartitionDown": "the partition is down",
    "PartitionInactive": "the partition is inactive",
    "PartitionTimeLimit": "executor.time is more than the partition allows",
    "BadConstraints": "no node has what executor.constraint, cpus, memory and gres ask for",
    "InvalidAccount": "executor.account is not one of yours",
    "InvalidQOS": "executor.qos is not one of yours",
    "JobHeldUser": "it is held until `scontrol release` frees it",
    "JobHeldAdmin": "an administrator holds it",
    "ReqNodeNotAvail": "nodes are reserved or down",
    "Reservation": "nodes are reserved",
}


def check_submission(options: Sequence[str], script: str) -> None:
    """Raise InputError if there is no Slurm here, or it would not take such a job.

    Nothing is left of it. Where all nodes are down or drained now, sbatch takes a job that it
    refuses in a test, and the job waits.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".sh", encoding="utf-8") as file:
        file.write(script)
        file.flush()
        with suppress(UnreachableError):  # it is waited for later
            try:
                call("sbatch", "--test-only", "--array=1", *options, file.name)
            except RefusedError as error:
                if not _OF_THE_MOMENT.search(str(error)) or _has_node(options):
                    raise


def _has_node(options: Sequence[str]) -> bool:
    """Whether any node of the partition is up; one that does not answer (*) is not."""
    partition = [option for option in options if option.startswith("--partition=")]
    states = call("sinfo", "--noheader", "--format=%t", *partition).split()
    return any(state in _UP for state in states)


@dataclass
class News:
    """What has happened since the last time."""

    ends: list[SlurmJob] = field(default_factory=list)
    words: list[str] = field(default_factory=list)  # for a person


class Jobs:
    """As many jobs as are wanted, of one name.

    Args:
        name: of the jobs, which no other study's have.
        submission: the words of ``sbatch`` for one more, up to the script and without an array; the
            script, which others can write to as well, is made anew each time.
        fingerprint: of the submission; jobs of an earlier start that have another are cancelled.
        most: jobs at once.
        pause: seconds between two looks at the queue.
    """

    def __init__(
        self,
        name: str,
        submission: Callable[[], Sequence[str]],
        fingerprint: str,
        most: int,
        pause: float,
    ) -> None:
        self._name, self._submission, self._fingerprint = name, submission, fingerprint
        self._most, self._pause = most, pause
        self.known: set[str] = set()
        """Numbers of all jobs that there have been."""
        self._alive: dict[str, SlurmJob] = {}
        self._submitted: dict[str, float] = {}  # by id, and when; not seen in the queue so far
        self._wanted = 0
        self._lock = threading.Lock()
        self._news = News()
        self._failure: InputError | None = None
        self._silent = ""  # why the controller does not answer
        self._refused = ""
        self._wake, self._ends = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def want(self, count: int) -> None:
        """Let there be so many jobs, as far as `most` allows. More than that are left alone."""
        if count > self._wanted:
            self._wanted = count
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self._wake.set()
        self._wanted = count

    def news(self) -> News:
        """What has happened. Raises InputError for what the user must fix."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            news, self._news = self._news, News()
        return news

    @property
    def waiting(self) -> str:
        """Why no job runs; empty if one does, or none is wanted."""
        with self._lock:
            jobs = list(self._alive.values())
            if self._silent:
                return f"Slurm does not answer: {self._silent}"
        waits = [job for job in jobs if job.stage == "waits"]
        if not waits or any(job.stage == "runs" for job in jobs):
            return ""
        reasons = Counter(_REASONS.get(job.reason, job.reason) for job in waits)
        jobs_wait = "a job waits" if len(waits) == 1 else f"{len(waits)} jobs wait"
        return f"{jobs_wait} in Slurm's queue: {', '.join(filter(None, reasons)) or 'unscheduled'}"

    def close(self) -> str:
        """Cancel all jobs; why not, if they could not be."""
        self._ends.set()
        self._wake.set()
        if self._thread is None:
            return ""
        self._thread.join(_TO_CANCEL)
        try:
            self._end_all()
        except (UnreachableError, InputError) as error:
            return (
                f"jobs of Slurm could not be cancelled ({error}); they end by themselves, or by "
                f"`scancel --name {self._name}`"
            )
        return ""

    def _end_all(self) -> None:
        """Those that wait at once; those that run, whose agents leave, if they do not end."""
        words = ("scancel", f"--user={getpass.getuser()}", f"--name={self._name}")
        call(*words, "--state=PENDING", seconds=_TO_CANCEL)
        end = time.monotonic() + _TO_LEAVE
        while any(job.stage == "runs" for job in jobs_named(self._name, _TO_CANCEL)):
            if time.monotonic() > end:
                call(*words, seconds=_TO_CANCEL)
                return
            time.sleep(_LOOK_AGAIN)

    def _run(self) -> None:
        first = True
        self._ends.wait(min(_TO_GATHER, self._pause))
        while not self._ends.is_set():
            try:
                self._look(first)
                first = False
            except UnreachableError as error:
                if not self._silent:
                    self._say(f"Slurm does not answer: {error}; asking again until it answers")
                self._silent = str(error)
            except InputError as error:
                self._failure = error
                return
            except Exception as error:  # a thread that dies in silence would stop the study
                self._failure = InputError(f"executor slurm: {described(error)}")
                return
            if self._wake.wait(self._pause):
                self._ends.wait(min(_TO_GATHER, self._pause))  # more work may come with the first
                self._wake.clear()

    def _look(self, first: bool) -> None:
        queue = {job.id: job for job in jobs_named(self._name)}
        if self._silent:
            self._silent = ""
            self._say("Slurm answers again")
        alive = {job.id: job for job in queue.values() if not job.is_over}
        if first:
            others = [job for job in alive.values() if job.comment != self._fingerprint]
            self._cancel(others)
            for job in others:
                del alive[job.id]
        now = time.monotonic()
        for number, since in [*self._submitted.items()]:
            if number in queue or now - since > _UNSEEN:
                del self._submitted[number]
                self._alive.setdefault(number, SlurmJob(number, "PENDING"))
        gone = [number for number in self._alive if number not in alive]
        with self._lock:
            self.known |= alive.keys()
            self._news.ends += [queue.get(i, SlurmJob(i, VANISHED)) for i in gone]
            self._alive = alive
        waits = sorted((job for job in alive.values() if job.stage == "waits"), key=_by_number)
        count = sum(job.stage != "leaves" for job in alive.values()) + len(self._submitted)
        if count > self._most:  # a submission of which we did not hear
            self._cancel(waits[self._most - count :])
        missing = min(self._most, self._wanted) - count
        if missing > 0 and not self._ends.is_set():
            self._submit(missing, bool(alive))

    def _submit(self, count: int, others: bool) -> None:
        try:
            try:
                words = self._submission()
            except OSError as error:
                raise RefusedError(f"executor slurm: {explained(error)}") from error
            text = call("sbatch", f"--array=1-{count}", *words)
        except RefusedError as error:
            if not others:
                raise
            if str(error) != self._refused:  # a limit on the user's jobs, perhaps
                self._refused = str(error)
                self._say(f"{error}; the study goes on with the jobs that there are")
            return
        self._refused = ""
        number = text.strip().splitlines()[-1].partition(";")[0].strip()
        if not number.isdigit():
            raise InputError(f"executor slurm: sbatch gave no job number but {text.strip()!r}")
        now = time.monotonic()
        new = {f"{number}_{task}": now for task in range(1, count + 1)}
        self._submitted |= new
        self.known |= new.keys()
        jobs = "a job" if count == 1 else f"{count} jobs"
        self._say(f"submitted {jobs} to Slurm: {number}")

    def _cancel(self, jobs: Sequence[SlurmJob]) -> None:
        if jobs:
            call("scancel", *(job.id for job in jobs))

    def _say(self, text: str) -> None:
        with self._lock:
            self._news.words.append(text)


def _by_number(job: SlurmJob) -> tuple[int, ...]:
    return tuple(int(part) for part in job.id.split("_"))


def last_line(log: Path) -> str:
    """What a job printed last, as one line of a message; empty if nothing can be read."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        lines = file.read().decode(errors="replace").split("\n")
        return one_line(next((line for line in reversed(lines) if line.strip()), ""), LONGEST // 2)
    return ""
