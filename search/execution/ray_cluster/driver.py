"""Ray's driver, beside the coordinator: it places workers on machines and carries jobs to them.

It is started as ``python -m search.execution.ray_cluster.driver FD`` in a session and a folder of
its own, with one end of a pipe, and ends when that closes. The first message says which cluster
and what a worker asks for (see ``opening``); then come ``submit``, ``cancel`` and ``close``. It
answers with ``event`` of a job, ``state`` of the cluster, ``say`` and ``refused``.

All that happens comes into one queue: messages, answers of actors, and the cluster's machines,
which a thread of its own looks up, since that waits where the cluster's head does not answer.
"""

import os
import queue
import secrets
import shutil
import signal
import sys
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from search.execution.ray_cluster.actor import actor_class, new_actor
from search.execution.ray_cluster.channel import Channel, News
from search.execution.ray_cluster.cluster import connected, machines
from search.execution.ray_cluster.deaths import cause_of_death, was_taken
from search.execution.ray_cluster.placement import Held, Machine, places, room, why_none

_LOOK_AGAIN = 1.0  # seconds between two looks at the machines
_TIME_TO_LOOK = 5.0  # seconds for the last look to end before the connection is closed
_STILLBORN_LIMIT = 3  # deaths of workers in a row before one was ready on a machine


@dataclass(eq=False)
class _Worker:
    name: str
    machine: Machine
    actor: Any
    state: str = "opening"  # then checked, ready, busy, and in the end gone
    job: dict[str, Any] | None = None
    calls: list[Any] = field(default_factory=list)


class Driver:
    """Places workers, hands out jobs, and tells what happens, until it is told to close."""

    def __init__(self, ray: Any, opening: dict[str, Any], channel: Channel, news: News) -> None:
        self._ray, self._opening, self._channel, self._news = ray, opening, channel, news
        self._asks = opening["asks"]
        self._queue: deque[dict[str, Any]] = deque()
        self._workers: dict[str, _Worker] = {}  # by name
        self._machines: list[Machine] = []
        self._names: dict[str, str] = {}
        self._fit: set[str] = set()  # machines on which a worker was ready to start
        self._unfit: dict[str, str] = {}  # why, by the machine's id
        self._stillborn: dict[str, int] = {}  # deaths in a row before a worker was ready, by id
        self._state: dict[str, Any] = {}
        self._waiting = self._last_why = ""
        self._closing = threading.Event()
        self._actors = actor_class(ray)

    def run(self) -> None:
        """Serve until a message, or the pipe's end, says to close."""
        watch = threading.Thread(target=self._watch, daemon=True)
        watch.start()
        try:
            while True:
                kind, about, worker = self._news.get()
                if kind == "close":
                    return
                getattr(self, f"_on_{kind}")(*((about,) if worker is None else (worker, about)))
                self._hand_out()
                if self._news.empty():  # of much at once, the last state is enough
                    self._report()
        finally:
            for worker in list(self._workers.values()):
                self._kill(worker)
            self._closing.set()
            watch.join(_TIME_TO_LOOK)
            if watch.is_alive():  # and a call of its own would come after the end of the connection
                os._exit(1)

    def _on_submit(self, message: dict[str, Any]) -> None:
        self._queue.append(message["job"])

    def _on_cancel(self, message: dict[str, Any]) -> None:
        self._queue = deque(job for job in self._queue if job["key"] != message["key"])
        for worker in list(self._workers.values()):
            if worker.job and worker.job["key"] == message["key"]:
                self._kill(worker)

    def _on_machines(self, up: list[Machine]) -> None:
        self._machines = up
        there = {machine.id for machine in up}
        for worker in list(self._workers.values()):
            if worker.machine.id not in there:
                self._bury(worker, f"machine {worker.machine.name} left the Ray cluster")
        self._place()
        why = self._why_none()
        # a worker has just died: what it had reserved is about to be free
        self._waiting = why if why == self._last_why else ""
        self._last_why = why
        if up and not self._workers and self._is_hopeless(up):
            raise InputError(why)
        if self._names and not up and self._opening["address"] is None:
            print("RayError: its raylet died", file=sys.stderr, flush=True)
            os._exit(1)  # nobody can join this cluster, so the coordinator starts another

    def _on_opened(self, worker: _Worker, call: Any) -> None:
        why = self._answer(worker, call)
        if why is None:
            return
        if why:
            self._refuse(worker, why)
            return
        self._fit.add(worker.machine.id)
        worker.state = "checked"
        self._call(worker, "ready", worker.actor.ready.remote())
        self._place()

    def _on_ready(self, worker: _Worker, call: Any) -> None:
        why = self._answer(worker, call)
        if why:
            self._refuse(worker, f"machine {worker.machine.name}: {why}")
        elif why is not None:
            worker.state = "ready"
            self._stillborn.pop(worker.machine.id, None)

    def _on_happened(self, worker: _Worker, call: Any) -> None:
        events = self._answer(worker, call)
        if events is None:
            return
        for event in events:
            if event["kind"] == "unfit":
                self._tell(worker, "returned", error=event["error"])
                self._refuse(worker, f"machine {worker.machine.name}: {event['error']}")
                return
            job = worker.job
            if job is None or (event["key"], event["attempt"]) != (job["key"], job["attempt"]):
                continue
            self._channel.say("event", event=event | {"worker": worker.name})
            if event["kind"] in ("done", "failed", "lost", "returned"):
                worker.job, worker.state = None, "ready"
        if worker.job:
            self._call(worker, "happened", worker.actor.go_on.remote())

    def _on_gone(self, worker: _Worker, call: Any) -> None:
        self._answer(worker, call)

    def _watch(self) -> None:
        """Look up the machines, again and again."""
        while not self._closing.is_set():
            with suppress(Exception):  # the head does not answer; if that lasts, Ray ends us
                self._news.put(("machines", machines(self._ray, self._names), None))
            self._closing.wait(_LOOK_AGAIN)

    def _is_hopeless(self, up: list[Machine]) -> bool:
        """Whether there will be no worker: a cluster of others may be joined by more machines."""
        if not self._fit and all(machine.id in self._unfit for machine in up):
            return True
        own = self._opening["address"] is None
        return own and not any(room(machine.total, self._asks) for machine in up)

    def _place(self) -> None:
        """Start workers where there is room."""
        held: dict[str, Held] = {}
        for worker in self._workers.values():
            here = held.setdefault(worker.machine.id, Held(fit=worker.machine.id in self._fit))
            here.workers += 1
            here.opening += worker.state == "opening"
        for machine in self._machines:
            held.setdefault(machine.id, Held(fit=machine.id in self._fit))
        usable = [machine for machine in self._machines if machine.id not in self._unfit]
        for machine in places(usable, held, self._asks, self._opening["count"]):
            self._start(machine)

    def _start(self, machine: Machine) -> None:
        number = 0
        while (name := f"{machine.name}-{number}") in self._workers:
            number += 1
        actor = new_actor(self._actors, self._asks, machine.id)
        worker = self._workers[name] = _Worker(name, machine, actor)
        request = self._opening | {"machine": machine.name, "name": name}
        self._call(worker, "gone", actor.wait.remote())
        self._call(worker, "opened", actor.open.remote(request))

    def _call(self, worker: _Worker, kind: str, call: Any) -> None:
        """Have the answer of a call to an actor come into the queue."""
        if kind == "gone":
            worker.calls.append(call)
        call.future().add_done_callback(lambda future: self._news.put((kind, future, worker)))

    def _answer(self, worker: _Worker, call: Any) -> Any:
        """What an actor answered; None if it is gone, which is told."""
        error = call.exception()
        if worker.state == "gone":
            return None
        if error is None:
            return call.result()
        if worker.state in ("opening", "checked"):
            self._note_stillborn(worker, error)
        why = cause_of_death(error, worker.machine.name)
        self._bury(worker, why, taken=was_taken(error))
        return None

    def _note_stillborn(self, worker: _Worker, error: BaseException) -> None:
        machine = worker.machine
        times = self._stillborn[machine.id] = self._stillborn.get(machine.id, 0) + 1
        if times >= _STILLBORN_LIMIT:
            why = cause_of_death(error, machine.name)
            self._set_unfit(machine, f"workers on machine {machine.name} end as they start: {why}")

    def _refuse(self, worker: _Worker, why: str) -> None:
        """A machine cannot be used: its workers end."""
        self._set_unfit(worker.machine, why)
        self._kill(worker)

    def _set_unfit(self, machine: Machine, why: str) -> None:
        if machine.id in self._unfit:
            return
        self._unfit[machine.id] = why
        if any(one.id not in self._unfit for one in self._machines) or self._fit:
            self._channel.say("say", text=f"{why}; it is not used")

    def _bury(self, worker: _Worker, why: str, taken: bool = False) -> None:
        """A worker is gone, and the job that it had is lost."""
        self._tell(worker, "returned" if taken else "lost", error=why)
        self._kill(worker)

    def _tell(self, worker: _Worker, kind: str, **data: Any) -> None:
        if worker.job is not None:
            about = {"key": worker.job["key"], "attempt": worker.job["attempt"]}
            event = {"kind": kind, **about, "worker": worker.name, "data": data}
            self._channel.say("event", event=event)
            worker.job = None

    def _kill(self, worker: _Worker) -> None:
        worker.state = "gone"
        self._workers.pop(worker.name, None)
        with suppress(Exception):  # it is dead, or the cluster is
            self._ray.kill(worker.actor)

    def _hand_out(self) -> None:
        for worker in self._workers.values():
            if not self._queue:
                return
            if worker.state == "ready":
                worker.job, worker.state = self._queue.popleft(), "busy"
                self._call(worker, "happened", worker.actor.begin.remote(worker.job))

    def _why_none(self) -> str:
        if self._workers:
            return ""
        return why_none(self._machines, self._unfit, self._asks)

    def _report(self) -> None:
        """Tell the state, if it has changed."""
        by_machine: dict[str, list[_Worker]] = {}
        for worker in self._workers.values():
            if worker.state != "opening":
                by_machine.setdefault(worker.machine.name, []).append(worker)
        state = {
            "nodes": [
                (name, len(workers), sum(worker.state == "busy" for worker in workers))
                for name, workers in sorted(by_machine.items())
            ],
            "ready": sum(worker.state in ("ready", "busy") for worker in self._workers.values()),
            "waiting": "" if self._workers else self._waiting,
        }
        if state != self._state:
            self._state = state
            self._channel.say("state", **state)


def main(descriptor: int) -> int:
    """Serve one coordinator."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the coordinator
    os.umask(0o077)
    news: News = queue.SimpleQueue()
    channel = Channel(descriptor, news)
    threading.Thread(target=channel.listen, daemon=True).start()
    kind, opening, _ = news.get()
    if kind != "open":
        return 0
    nonce = Path(opening["nonce"])
    opening["word"] = secrets.token_hex(16)
    code = 0
    try:
        nonce.write_text(opening["word"], encoding="utf-8")
        with connected(opening) as ray:
            Driver(ray, opening, channel, news).run()
    except InputError as error:
        channel.say("refused", text=str(error))
        code = 2
    finally:
        with suppress(OSError):
            nonce.unlink(missing_ok=True)
        shutil.rmtree(opening["scratch"], ignore_errors=True)
    return code


if __name__ == "__main__":
    code = main(int(sys.argv[1]))
    sys.stderr.flush()
    os._exit(code)  # Ray's own handlers at exit have nothing left to do
