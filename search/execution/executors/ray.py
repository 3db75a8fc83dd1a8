"""Machines of a Ray cluster: one actor per worker, placed wherever there is room.

Ray's driver is a process of its own beside this one (``ray_cluster.driver``): Ray ends the driver
when the cluster's head is gone, and that must not end a study. The two talk through a pipe with
JSON. The driver ends with the pipe, and with it the actors, their trainings, and a cluster that it
has started itself.
"""

import importlib.util
import math
import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec.values import Range, Word
from search.execution.job import Event, Job, Node, Place
from search.execution.ray_cluster.cluster import check_listens
from search.execution.ray_cluster.driver_process import DriverProcess
from search.execution.ray_cluster.opening import gpus_of_worker, opening_of
from search.execution.ray_cluster.request import check_address, check_amounts
from search.execution.waiting import Reminder, wait_for

_TO_ANSWER = 180.0  # seconds
_SOON = 10.0  # seconds after which it is said that nothing has answered
_COPY = "/runtime_resources/working_dir_files/"  # where Ray puts what a job brings along
_MOST_STARTS = 3  # of a cluster of our own, without one job that ended


@dataclass(frozen=True)
class Options:
    """Which cluster, and what each worker asks of its machine.

    Args:
        address: a running cluster: auto is the one that this machine belongs to, else HOST:PORT of
            its head; left out, the environment's RAY_ADDRESS, and without that a cluster of its
            own on this machine.
        num_cpus: CPUs that Ray reserves for each worker, fractions too; workers.threads where left
            out.
        num_gpus: GPUs for each worker, or a fraction such as 0.25 of one; where left out, those of
            one training if workers.accelerator is a GPU, else 0.
        resources: custom resources for each worker, such as {large_memory: 1}.
    """

    address: Annotated[str | None, Word()] = None
    num_cpus: Annotated[float | None, Range(0, 1024, open_below=True)] = None
    num_gpus: Annotated[float | None, Range(0, 1024)] = None
    resources: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.address is not None:
            check_address(self.address, "executor.address")
        check_amounts(self.num_cpus, self.num_gpus, self.resources)


def check(options: Options) -> None:
    """Raise InputError if Ray is not installed, or nobody listens at the address."""
    _check_installed()
    address, name = _address_of(options)
    if address not in (None, "auto", "local"):
        check_listens(str(address), f"{name} {quote(str(address))}")


def _check_installed() -> None:
    if importlib.util.find_spec("ray") is None:
        raise InputError(
            "executor ray needs the package ray: pip install 'hybrid-swin[ray]', or choose "
            "executor.name local"
        )


def _address_of(options: Options) -> tuple[str | None, str]:
    """The cluster's address, if any, and where it stands. Raises InputError as `check_address`."""
    if options.address is not None:
        return options.address, "executor.address"
    address, name = os.environ.get("RAY_ADDRESS") or None, "RAY_ADDRESS of the environment,"
    if address is None:
        return None, "executor.address"
    check_address(address, name)
    return address, name


def start(options: Options, place: Place) -> "RayExecutor":
    """Workers on a Ray cluster.

    Raises InputError if Ray is not installed, or deletes the study's folder after the job.
    """
    _check_installed()
    if _COPY in str(place.folder.absolute()):
        raise InputError(
            "the study's folder lies in the copy that `ray job submit --working-dir` has made, "
            "which Ray deletes; give --folder a whole path that all machines of the cluster see"
        )
    executor = RayExecutor(options, place)
    place.say(f"Ray {executor.where}: starting workers ...")
    return executor


class RayExecutor:
    """The coordinator's side of the driver.

    Args:
        options: the cluster, and what a worker asks for.
        place: the study.
    """

    def __init__(self, options: Options, place: Place) -> None:
        self._place, self._owner = place, os.getpid()
        address, name = _address_of(options)
        self._address = None if address == "local" else address
        self._opening = opening_of(place, _asks(options, place), self._address, name)
        self._log = place.folder / "logs" / "ray.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._jobs: dict[str, Job] = {}
        self._begun: set[str] = set()
        self._pending: deque[Event] = deque()
        self._starts, self._reminder = 0, Reminder(place.say)
        self._closed = False
        self._start()

    @property
    def where(self) -> str:
        """Which cluster, for a person."""
        return "on this machine" if self._address is None else f"at {self._address}"

    @property
    def slots(self) -> int:
        """How many jobs run at once now, those of workers that start included."""
        return sum(node.slots for node in self._nodes)

    @property
    def free(self) -> int:
        """How many further jobs would begin at once."""
        return max(0, self._ready - len(self._jobs))

    @property
    def nodes(self) -> list[Node]:
        """The machines that have workers."""
        return list(self._nodes)

    @property
    def waiting(self) -> str:
        """Why no worker begins; empty if there are workers."""
        return self._waiting

    def wait_until_ready(self, timeout: float = math.inf) -> bool:
        """Wait for the first worker, and say why there is none yet.

        Raises InputError if there will be none.
        """

        def look(seconds: float) -> None:
            self._pending += self._receive(seconds)

        return wait_for(lambda: self._ready > 0, look, timeout)

    def submit(self, job: Job) -> None:
        """Take a job; it starts when a worker is free."""
        job = Job(job.key, job.attempt, job.task, os.path.abspath(job.folder), job.settings)
        self._jobs[job.key] = job
        self._driver.send("submit", job=asdict(job))

    def events(self, timeout: float) -> list[Event]:
        """What happened; waits at most ``timeout`` seconds.

        Raises InputError if the cluster is gone, or its machines cannot be used.
        """
        events = [*self._pending]
        self._pending.clear()
        # also news without an event: a worker may have become free
        return events + self._receive(0 if events else timeout)

    def cancel(self, key: str) -> None:
        """Forget a job, killing the worker that runs it."""
        if self._jobs.pop(key, None) is not None:
            self._begun.discard(key)
            self._driver.send("cancel", key=key)

    def exclude(self, worker: str, why: str) -> bool:
        """Use no more the machine of a worker, if this is not a cluster of one machine."""
        self._driver.send("exclude", worker=worker, why=why)
        return self._address is not None

    def close(self, whole: bool = False) -> None:
        """End workers, driver and a cluster of our own; in a forked child, leave them alone."""
        if self._closed or os.getpid() != self._owner:
            return
        self._closed = True
        self._driver.close()

    def _start(self) -> None:
        """Start a driver; what it needs is its first message."""
        self._nodes: list[Node] = []
        self._ready, self._waiting, self._refusal = 0, "", ""
        self._starts += 1
        self._begin, self._has_answered = time.monotonic(), False
        self._driver = DriverProcess(self._opening, self._log)

    def _receive(self, timeout: float) -> list[Event]:
        events: list[Event] = []
        try:
            for message in self._driver.messages(timeout):
                self._has_answered = True
                events += self._take(message)
        except (EOFError, OSError):
            events += self._bury()
        self._check_answer()
        self._say_waiting()
        return events

    def _check_answer(self) -> None:
        """Raise InputError if something else than Ray listens at the address."""
        silence = time.monotonic() - self._begin
        if self._address is not None and not self._has_answered and silence > _TO_ANSWER:
            raise InputError(
                f"what listens at {quote(self._address)} does not answer as Ray for "
                f"{silence:.0f} s; give the address that `ray start --head` printed, with its port "
                "(6379 unless another was given)"
            )

    def _take(self, message: dict[str, Any]) -> list[Event]:
        kind = message.pop("kind")
        if kind == "event":
            return self._fenced(Event(**message["event"]))
        if kind == "state":
            self._nodes = [Node(**node) for node in message["nodes"]]
            self._ready, self._waiting = message["ready"], message["waiting"]
        elif kind == "say":
            self._place.say(message["text"])
        elif kind == "refused":
            self._refusal = message["text"]
            raise InputError(message["text"])
        return []

    def _fenced(self, event: Event) -> list[Event]:
        """An event of a job that still runs; nothing for one of an earlier attempt."""
        job = self._jobs.get(event.key)
        if job is None or job.attempt != event.attempt:
            return []
        if event.kind == "started":
            self._begun.add(event.key)
        elif event.kind != "epoch":
            del self._jobs[event.key]
            self._begun.discard(event.key)
            self._starts = 1 if event.kind == "done" else self._starts
        return [event]

    def _say_waiting(self) -> None:
        """Tell at once why nothing begins, and again while that lasts."""
        is_idle = not self._ready or (self._jobs and not self._begun)
        why = self._waiting if is_idle else ""
        late = not self._has_answered and time.monotonic() - self._begin > _SOON
        if late and self._address is not None:
            why = f"Ray {self.where} has not answered yet; it has {_TO_ANSWER:.0f} s"
        self._reminder.tell(f"waiting: {why}" if why else "")

    def _bury(self) -> list[Event]:
        """The driver has ended: with its cluster, or by itself."""
        if self._refusal:
            raise InputError(self._refusal)
        cause = self._driver.bury()
        if self._address is not None:
            raise InputError(
                f"the Ray cluster at {quote(self._address)} is lost ({cause}); all results are "
                f"saved: give the same command again to go on; {self._log} says more"
            )
        if self._starts >= _MOST_STARTS:
            raise InputError(
                f"Ray on this machine ended {self._starts} times ({cause}); all results are saved; "
                f"{self._log} says more; choose executor.name local to go on without it"
            )
        self._place.say(f"Ray on this machine ended ({cause}); it is started again")
        jobs, begun = list(self._jobs.values()), set(self._begun)
        self._jobs.clear()
        self._begun.clear()
        self._start()
        for job in jobs:
            if job.key not in begun:
                self.submit(job)
        data = {"error": "Ray on this machine ended"}
        return [Event("returned", j.key, j.attempt, "", data) for j in jobs if j.key in begun]


def _asks(options: Options, place: Place) -> dict[str, float]:
    """What Ray reserves for one worker, by the names of its resources."""
    workers, gpus = place.workers, options.num_gpus
    if gpus is None:
        gpus = gpus_of_worker(workers)
    own = workers.threads * workers.devices  # a GPU more needs a process more
    cpus = own if options.num_cpus is None else options.num_cpus
    asks: Mapping[str, float] = {"CPU": cpus, "GPU": gpus, **options.resources}
    return {name: float(amount) for name, amount in asks.items() if amount}
