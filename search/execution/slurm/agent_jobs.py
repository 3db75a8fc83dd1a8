"""Agents in jobs of their own, as many as the study can feed."""

import math
import time
from collections.abc import Sequence
from itertools import chain

from hybrid_swin.errors import InputError
from search.execution.job import Event, Node, Place
from search.execution.slurm.job_script import (
    agent_command,
    fingerprint,
    fixed_options,
    job_name,
    logs,
    script_text,
    write_script,
)
from search.execution.slurm.jobs import Jobs, check_submission, last_line
from search.execution.slurm.parting import Parting
from search.execution.slurm.queue import VANISHED, SlurmJob
from search.execution.slurm.request import gpus_in
from search.execution.waiting import Reminder
from search.settings.experiment import WorkerSettings

_STILLBORN_LIMIT = 3  # jobs in a row that end before their agent joins


def room_of(cpus: int, gres: str, workers: WorkerSettings) -> int:
    """Workers for which a job has room, as far as it is known before one runs."""
    gpus = gpus_in(gres)
    on_gpus = gpus // workers.devices * workers.per_device
    return max(1, on_gpus if gpus else cpus // (workers.threads * workers.devices))


def agents_as_jobs(
    place: Place,
    request: Sequence[str],
    setup: Sequence[str],
    max_jobs: int,
    room: int,
    pause: float,
    patience: float,
) -> "AgentJobs":
    """Jobs that are submitted when there is work.

    Args:
        place: the study's.
        request: what a job asks for, in words of sbatch.
        setup: lines of shell before the agent.
        max_jobs: at once.
        room: workers for which a job has room.
        pause: seconds between two looks at the queue.
        patience: seconds that a job may be without work.

    Raises:
        InputError: there is no Slurm here, or it refuses such a job.
    """
    count = place.workers.count
    most = [room * max_jobs, *([] if place.most is None else [place.most])]
    most += [] if count == "auto" else [int(count)]
    each = None if count == "auto" or int(count) >= room else int(count)
    text = script_text(agent_command(place.folder, each), setup)
    name = job_name(place.folder)
    options = [*fixed_options(place.folder, name), *request]
    known = fingerprint(options, text)
    options.append(f"--comment={known}")
    check_submission(options, text)

    def submission() -> list[str]:
        return [*options, str(write_script(place.folder, text))]

    jobs = Jobs(name, submission, known, max_jobs, pause)
    return AgentJobs(place, jobs, min(most), min(room, min(most)), patience)


class AgentJobs:
    """As many as the study feeds.

    Args:
        place: the study's.
        jobs: what runs them.
        expected: slots of all of them.
        room: workers of one, until one has come.
        patience: seconds that one may be without work.
    """

    def __init__(self, place: Place, jobs: Jobs, expected: int, room: int, patience: float) -> None:
        self._place, self._agents, self._jobs = place, place.agents, jobs
        self.expected, self._room, self._patience = expected, room, patience
        self._idle: dict[str, float] = {}  # agents without work, and since when
        self._parting = Parting(place.agents)
        self._by_job: dict[str, list[str]] = {}  # agents that have come, by their jobs
        self._joined: set[str] = set()  # jobs whose agent works, or has worked
        self._stillborn = 0
        self._vanished: set[str] = set()  # submissions of which the queue shows nothing
        self._reminder = Reminder(place.say)

    @property
    def waiting(self) -> str:
        """Why no agent runs."""
        return self._jobs.waiting

    def wait_until_ready(self, timeout: float) -> bool:
        """Jobs may wait for hours, and are submitted when there is work."""
        return True

    def tend(self) -> list[Event]:
        """Replace jobs that have ended while there is work. Raises InputError if none works."""
        self._look_at_agents()
        news = self._jobs.news()
        for text in news.words:
            self._place.say(text)
        for job in news.ends:
            self._end(job)
        self._reminder.tell(self._jobs.waiting)
        return self._parting.events()

    def close(self) -> None:
        """End the agents in order, and cancel the jobs."""
        for name in chain.from_iterable(self._agents_by_job().values()):
            self._agents.dismiss(name, "the command has ended")
        if trouble := self._jobs.close():
            self._place.say(trouble)

    def _look_at_agents(self) -> None:
        self._by_job = self._agents_by_job()
        jobs = {name: job for job, names in self._by_job.items() for name in names}
        ours = [node for node in self._agents.nodes if node.name in jobs]
        new = {jobs[node.name] for node in ours} - self._joined
        if new:
            self._joined |= new
            self._stillborn = 0
            self._vanished.clear()
        room = max((node.slots for node in ours), default=self._room)
        work = self._agents.backlog + sum(node.busy for node in ours)
        self._jobs.want(math.ceil(min(work, self.expected) / room))
        self._dismiss_idle(ours)

    def _agents_by_job(self) -> dict[str, list[str]]:
        agents: dict[str, list[str]] = {}
        for name, place in self._agents.places.items():
            if (job := place.get("slurm_job", "")) in self._jobs.known:
                agents.setdefault(job, []).append(name)
        return agents

    def _dismiss_idle(self, ours: Sequence[Node]) -> None:
        """Let agents go that have had no work for long, as while the last trainings run elsewhere.

        Their jobs end, and others are submitted when there is work again.
        """
        now, backlog = time.monotonic(), self._agents.backlog
        idle = [node.name for node in ours if not (node.busy or backlog)]
        self._idle = {name: self._idle.get(name, now) for name in idle}
        for name, since in self._idle.items():
            if now - since > self._patience:
                why = f"there was no work for {self._patience / 60:g} minutes"
                self._place.say(f"{name} leaves its node: {why}")
                self._agents.dismiss(name, why)

    def _end(self, job: SlurmJob) -> None:
        log = logs(self._place.folder) / f"{job.id}.log"
        if job.stage == "failed" or (job.id not in self._joined and job.stage == "done"):
            why = f": {line}" if (line := last_line(log)) else ""
            self._place.say(f"job {job.id} of Slurm: {job.words}{why}")
        elif job.stage != "done":
            self._place.say(f"job {job.id} of Slurm: {job.words}")
        if job.id in self._joined:
            why = f"the job {job.id} of Slurm: {job.words}"
            for name in self._by_job.get(job.id, []):
                if job.state != VANISHED:  # else only its silence tells
                    self._parting.add(name, "lost" if job.stage == "failed" else "returned", why)
        elif job.stage in ("failed", "done"):
            self._stillborn += 1
            if self._stillborn >= _STILLBORN_LIMIT:
                raise InputError(
                    f"executor slurm: {self._stillborn} jobs ended before their agent joined the "
                    f"study: {last_line(log) or job.words}; {log} says more, and nodes must see "
                    "the study's folder"
                )
        elif job.state == VANISHED:
            self._vanished.add(job.id.partition("_")[0])
            if len(self._vanished) >= _STILLBORN_LIMIT:
                raise InputError(
                    f"executor slurm: {len(self._vanished)} submissions in a row are not in the "
                    "queue: `squeue --states=all` does not show them; jobs that run in another "
                    "cluster need SLURM_CLUSTERS in the environment"
                )
