"""The coordinator's side of agents on other machines: who is there, and which job is whose."""

import os
import shutil
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from hybrid_swin.errors import InputError
from hybrid_swin.system.schema import SchemaError, build
from hybrid_swin.training.hardware import Hardware
from search.execution.agents.agent import OVER
from search.execution.agents.arrivals import Arrivals, RemoteAgent
from search.execution.agents.greeting import ANSWER, WORD, about_coordinator
from search.execution.agents.mailbox import AGENTS, COORDINATOR_BEAT, SILENT, Beating
from search.execution.job import Event, Job, Node
from search.execution.shared_word import holds
from search.settings.experiment import WorkerSettings
from search.statistics.formatting import counted

_SCAN = 1.0  # seconds between two looks for new agents
_SHORT, _LONG = 0.01, 0.2  # seconds between two looks for messages; longer while none come
_TO_LEAVE = 5.0  # seconds in which agents of a study that is over may go


class Agents:
    """All agents of a study, which come and go.

    Nothing is written and no thread runs before the first one comes.

    Args:
        folder: the study's.
        workers: settings of theirs.
        say: is told who joins and leaves.
    """

    backlog = 0
    """Jobs that wait for a worker, here or in the executor that agents have joined."""

    def __init__(self, folder: Path, workers: WorkerSettings, say: Callable[[str], None]) -> None:
        self._folder, self._workers, self._say = folder, workers, say
        self._agents: dict[str, RemoteAgent] = {}
        self._queue: deque[Job] = deque()
        self._beating: Beating | None = None
        self._scanned = -_SCAN
        self._arrivals = Arrivals(folder, say)
        self._unfit: dict[str, str] = {}  # what an agent could not do for its machine's sake
        self._precision = ""
        self._closed = False
        self.excluded: set[str] = set()
        """Those whose machine must not be used."""
        self.hardware: Hardware | None = None
        """On what the first agent that was ready trains; None before."""

    def require(self, precision: str) -> None:
        """Let no agent serve, now or later, on whose machine this precision cannot be had."""
        self._precision = precision
        for agent in self._agents.values():
            self._check_precision(agent)

    @property
    def present(self) -> bool:
        """Whether there is any agent."""
        return bool(self._agents)

    @property
    def names(self) -> set[str]:
        """Those that are there, ready or not."""
        return set(self._agents)

    @property
    def places(self) -> dict[str, dict[str, str]]:
        """Where each runs, as it says."""
        return {agent.name: agent.place for agent in self._agents.values()}

    @property
    def slots(self) -> int:
        """How many jobs run at once now."""
        return sum(agent.slots for agent in self._agents.values())

    @property
    def free(self) -> int:
        """How many further jobs would begin at once."""
        return max(0, sum(agent.free for agent in self._agents.values()) - len(self._queue))

    @property
    def nodes(self) -> list[Node]:
        """The agents' machines."""
        return [
            Node(agent.name, agent.slots, len(agent.jobs))
            for agent in self._agents.values()
            if agent.slots
        ]

    def submit(self, job: Job) -> None:
        """Take a job."""
        self._queue.append(job)
        self._hand_out()

    def events(self, timeout: float) -> list[Event]:
        """What happened; waits at most ``timeout`` seconds for something."""
        end, pause = time.monotonic() + timeout, _SHORT
        while True:
            self._look_for_agents()
            events = [event for agent in list(self._agents.values()) for event in self._hear(agent)]
            self._hand_out()
            left = end - time.monotonic()
            if events or left <= 0:
                return events
            time.sleep(min(left, pause))
            pause = min(_LONG, 2 * pause)

    def cancel(self, key: str) -> None:
        """Forget a job; its agent kills the worker that runs it."""
        self._queue = deque(job for job in self._queue if job.key != key)
        for agent in self._agents.values():
            if agent.jobs.pop(key, None):
                self._send(agent, {"kind": "cancel", "key": key})

    def exclude(self, worker: str, why: str) -> bool:
        """Let the agent go that has a worker; whether it is one of ours."""
        name = max((name for name in self._agents if worker.startswith(name)), key=len, default="")
        if not name:
            return False
        if name not in self.excluded:  # else another of its workers has said it
            self.excluded.add(name)
            self._say(f"{name} is not used any more: {why}")
            self.dismiss(name, why, refused=True)
            self._agents[name].slots = 0
        return True

    def dismiss(self, name: str, why: str, refused: bool = False) -> None:
        """Let an agent go; it gets no further jobs, and its own are as of one that leaves.

        ``refused``: its machine cannot serve, which is for its user to mend.
        """
        agent = self._agents.get(name)
        if agent is not None and self._send(
            agent, {"kind": "leave", "why": why, "refused": refused}
        ):
            agent.slots = 0

    def part(self, name: str, kind: Literal["lost", "returned"], error: str) -> list[Event]:
        """Take an agent for gone, as its scheduler says; gives what that means for its jobs."""
        events: list[Event] = []
        if name in self._agents:
            home = self._agents[name].home
            self._part(self._agents[name], events, kind, error)
            shutil.rmtree(home, ignore_errors=True)
        return events

    def close(self, whole: bool = False) -> None:
        """Let all agents know that nobody waits for their jobs; where all is done, they go."""
        if self._closed:
            return
        self._closed = True
        self._queue.clear()
        root = self._folder / AGENTS
        if self._beating is not None:
            self._beating.close(OVER if whole else "closed")
            end = time.monotonic() + (_TO_LEAVE if whole else 0.0)
            while self._agents and time.monotonic() < end:
                time.sleep(_SHORT)
                for agent in list(self._agents.values()):
                    self._hear(agent)
        if whole:
            shutil.rmtree(root, ignore_errors=True)

    def _look_for_agents(self) -> None:
        now = time.monotonic()
        if now - self._scanned < _SCAN or self._closed:
            return
        self._scanned = now
        for agent in self._arrivals.look(self._agents):
            if self._beating is None:
                self._beating = Beating(self._folder / AGENTS / COORDINATOR_BEAT, "running")
            self._agents[agent.name] = agent
            self._say(f"{agent.name} starts its workers")
            word = Path(os.path.abspath(agent.home / WORD))
            with suppress(OSError):  # the agent does not find it, and says so
                word.write_text(agent.token, encoding="utf-8")
            about = about_coordinator(self._folder, self._workers)
            about |= {"word": agent.token, "word_at": str(word)}
            self._send(agent, {"kind": "hello", "about": about})

    def _hear(self, agent: RemoteAgent) -> list[Event]:
        events: list[Event] = []
        for message in agent.inbox.receive():
            if message.get("token") != agent.token:
                continue
            if message["kind"] == "event":
                try:
                    event = build(Event, message["event"])
                except (SchemaError, InputError):
                    agent.inbox.has_lost = True
                    break
                events += self._take(agent, event)
            elif message["kind"] == "ready":
                try:
                    agent.hardware = build(Hardware, message["hardware"])
                except (SchemaError, InputError):
                    agent.inbox.has_lost = True
                    break
                agent.slots = max(0, message["slots"])
                if self._check_place(agent) and self._check_precision(agent):
                    self.hardware = self.hardware or agent.hardware
                    self._say(f"{agent.name} joins with {counted(agent.slots, 'worker')}")
            elif message["kind"] == "refused":
                self._say(f"{agent.name} cannot join: {message['error']}")
            elif message["kind"] == "forgot":  # it did not hear of us for long
                self._part(agent, events, "returned", f"{agent.name} gave up its jobs")
                return events
            elif message["kind"] == "left":
                self._part(agent, events, "returned", f"{agent.name} has left")
                shutil.rmtree(agent.home, ignore_errors=True)
                return events
        if agent.inbox.has_lost:  # it may have ended jobs that we wait for: begin anew with it
            self._part(agent, events, "returned", f"messages of {agent.name} were lost")
            return events
        agent.pulse.listen()
        if agent.process is not None and agent.process.has_ended(0):
            self._part(agent, events, "lost", f"the agent {agent.name} was killed")
            shutil.rmtree(agent.home, ignore_errors=True)
        elif agent.pulse.silence > SILENT:
            if agent.slots:
                self._arrivals.give_up(agent)
            else:  # it never answered: what one that was killed has left
                shutil.rmtree(agent.home, ignore_errors=True)
            error = f"{agent.name} was not heard of for {SILENT:.0f} s"
            self._part(agent, events, "lost", error)
        return events

    def _check_place(self, agent: RemoteAgent) -> bool:
        """Let an agent go on that has written where we see it."""
        if holds(agent.home / ANSWER, agent.token):
            return True
        if agent.was_deleted:  # and its answer with it: begin anew with it
            agent.inbox.has_lost = True
            return False
        why = f"what it writes is not seen in {str(agent.home)!r} of the coordinator's machine"
        self._say(f"{agent.name} cannot join: {why}")
        self.dismiss(agent.name, why, refused=True)
        agent.slots = 0
        return False

    def _check_precision(self, agent: RemoteAgent) -> bool:
        """Let an agent go on whose machine the study's precision cannot be had."""
        why = agent.hardware.lacks(self._precision) if agent.hardware else ""
        if why:
            self._say(f"{agent.name} cannot join: {why}")
            self.dismiss(agent.name, why, refused=True)
            agent.slots = 0
        return not why

    def _take(self, agent: RemoteAgent, event: Event) -> list[Event]:
        job = agent.jobs.get(event.key)
        if job is None or job.attempt != event.attempt:
            return []
        if event.kind in ("done", "failed", "lost"):
            del agent.jobs[event.key]
        if event.data.get("input_error") and event.key not in self._unfit:
            # It may be that machine's fault alone, such as a data set that it does not see.
            self._unfit[event.key] = error = str(event.data["error"])
            self.exclude(agent.name, error)
            return [Event("returned", job.key, job.attempt, agent.name, {"error": error})]
        return [event]

    def _part(self, agent: RemoteAgent, events: list[Event], kind: Any, error: str) -> None:
        """An agent is gone: add what that means for its jobs to the events."""
        del self._agents[agent.name]
        jobs = list(agent.jobs.values())
        if not jobs:  # else it is said of each of them
            self._say(error)
        data = {"error": error}
        events += [Event(kind, job.key, job.attempt, agent.name, data) for job in jobs]

    def _hand_out(self) -> None:
        for agent in self._agents.values():
            while self._queue and agent.free:
                if not self._send(agent, {"kind": "job", "job": asdict(self._queue[0])}):
                    break
                job = self._queue.popleft()
                agent.jobs[job.key] = job

    def _send(self, agent: RemoteAgent, message: dict[str, Any]) -> bool:
        """Whether it could be written; what cannot is an agent's that will be silent."""
        with suppress(OSError):
            agent.outbox.send({**message, "token": agent.token})
            return True
        return False
