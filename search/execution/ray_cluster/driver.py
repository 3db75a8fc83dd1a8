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
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from hybrid_swin.errors import InputError
from search.execution.job import Node
from search.execution.ray_cluster.actor import actor_class, new_actor
from search.execution.ray_cluster.channel import Channel, News
from search.execution.ray_cluster.cluster import connected, look
from search.execution.ray_cluster.deaths import RAYLET_DIED, cause_of_death, was_taken
from search.execution.ray_cluster.nodes import Nodes, RayNode, Seen, Worker
from search.execution.ray_cluster.placement import places, room, why_none
from search.execution.ray_cluster.session import end_session
from search.statistics.formatting import counted

_LOOK_AGAIN = 1.0  # seconds between two looks at the machines
_TIME_TO_LOOK = 5.0  # seconds for the last look to end before the connection is closed
_STILLBORN_LIMIT = 3  # deaths of workers in a row before one was ready on a machine


class Driver:
    """Places workers, hands out jobs, and tells what happens, until it is told to close."""

    def __init__(self, ray: Any, opening: dict[str, Any], channel: Channel, news: News) -> None:
        self._ray, self._opening, self._channel, self._news = ray, opening, channel, news
        self._asks = opening["asks"]
        self._queue: deque[dict[str, Any]] = deque()
        self._nodes = Nodes()
        self._state: dict[str, Any] = {}
        self._waiting = self._last_why = ""
        self._closing = threading.Event()
        self._actors = actor_class(ray)
        self._own_node = ray.get_runtime_context().get_node_id()

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
            for worker in self._nodes.workers:
                self._kill(worker)
            self._closing.set()
            watch.join(_TIME_TO_LOOK)
            if watch.is_alive():  # and a call of its own would come after the end of the connection
                _end_at_once(self._opening)

    def _on_submit(self, message: dict[str, Any]) -> None:
        self._queue.append(message["job"])

    def _on_cancel(self, message: dict[str, Any]) -> None:
        self._queue = deque(job for job in self._queue if job["key"] != message["key"])
        for worker in self._nodes.workers:
            if worker.job and worker.job["key"] == message["key"]:
                self._kill(worker)

    def _on_exclude(self, message: dict[str, Any]) -> None:
        for node in {
            worker.node for worker in self._nodes.workers if worker.name == message["worker"]
        }:
            why = f"machine {node.name}: {message['why']}"
            self._set_unfit(node, why)
            for worker in list(node.workers):
                self._tell(worker, "returned", error=why)
                self._kill(worker)

    def _on_nodes(self, seen: list[Seen]) -> None:
        if self._nodes and self._own_node not in (node.id for node in seen):
            # Ray ends the actors of a driver whose raylet has died, and starts no others for it.
            print(RAYLET_DIED, file=sys.stderr, flush=True)
            _end_at_once(self._opening)
        for node in self._nodes.update(seen):
            for worker in list(node.workers):
                self._bury(worker, f"machine {node.name} left the Ray cluster")
        self._place()
        up = self._nodes.up
        why = "" if self._nodes.workers else why_none(up, self._asks)
        # a worker has just died: what it had reserved is about to be free
        self._waiting = why if why == self._last_why else ""
        self._last_why = why
        if up and not self._nodes.workers and self._is_hopeless(up):
            raise InputError(why)

    def _on_opened(self, worker: Worker, call: Any) -> None:
        why = self._answer(worker, call)
        if why is None:
            return
        if why:
            self._refuse(worker, why)
            return
        worker.node.fit = True
        worker.state = "checked"
        self._call(worker, "ready", worker.actor.ready.remote())
        self._place()

    def _on_ready(self, worker: Worker, call: Any) -> None:
        why = self._answer(worker, call)
        if why:
            self._refuse(worker, f"machine {worker.node.name}: {why}")
        elif why is not None:
            worker.state = "ready"
            worker.node.stillborn = 0

    def _on_happened(self, worker: Worker, call: Any) -> None:
        events = self._answer(worker, call)
        if events is None:
            return
        for event in events:
            if event["kind"] == "unfit":
                self._tell(worker, "returned", error=event["error"])
                self._refuse(worker, f"machine {worker.node.name}: {event['error']}")
                return
            job = worker.job
            if job is None or (event["key"], event["attempt"]) != (job["key"], job["attempt"]):
                continue
            self._channel.say("event", event=event | {"worker": worker.name})
            if event["kind"] in ("done", "failed", "lost", "returned"):
                worker.job, worker.state = None, "ready"
        if worker.job:
            self._call(worker, "happened", worker.actor.go_on.remote())

    def _on_gone(self, worker: Worker, call: Any) -> None:
        self._answer(worker, call)

    def _watch(self) -> None:
        """Look up the nodes, again and again."""
        while not self._closing.is_set():
            with suppress(Exception):  # the head does not answer; if that lasts, Ray ends us
                self._news.put(("nodes", look(self._ray), None))
            self._closing.wait(_LOOK_AGAIN)

    def _is_hopeless(self, up: list[RayNode]) -> bool:
        """Whether there will be no worker: a cluster of others may be joined by more machines."""
        if not self._nodes.any_fit and all(node.unfit for node in up):
            return True
        own = self._opening["address"] is None
        return own and not any(room(node.total, self._asks) for node in up)

    def _place(self) -> None:
        """Start workers where there is room."""
        for node in places(self._nodes.up, self._asks, self._opening["count"]):
            actor = new_actor(self._actors, self._asks, node.id)
            worker = Worker(node.new_name(), node, actor)
            node.workers.append(worker)
            request = self._opening | {"machine": node.name, "name": worker.name}
            worker.waits = actor.wait.remote()
            self._call(worker, "gone", worker.waits)
            self._call(worker, "opened", actor.open.remote(request))

    def _call(self, worker: Worker, kind: str, call: Any) -> None:
        """Have the answer of a call to an actor come into the queue."""
        call.future().add_done_callback(lambda future: self._news.put((kind, future, worker)))

    def _answer(self, worker: Worker, call: Any) -> Any:
        """What an actor answered; None if it is gone, which is told."""
        error = call.exception()
        if worker.state == "gone":
            return None
        if error is None:
            return call.result()
        why = cause_of_death(error, worker.node.name)
        if worker.state in ("opening", "checked"):
            self._note_stillborn(worker.node, why)
        self._bury(worker, why, taken=was_taken(error))
        return None

    def _note_stillborn(self, node: RayNode, why: str) -> None:
        node.stillborn += 1
        if node.stillborn >= _STILLBORN_LIMIT:
            self._set_unfit(node, f"workers on machine {node.name} end as they start: {why}")

    def _refuse(self, worker: Worker, why: str) -> None:
        """A node cannot be used: its workers end."""
        self._set_unfit(worker.node, why)
        self._kill(worker)

    def _set_unfit(self, node: RayNode, why: str) -> None:
        if node.unfit:
            return
        node.unfit = why
        if self._nodes.any_fit or not all(one.unfit for one in self._nodes.up):
            self._channel.say("say", text=f"{why}; it is not used")

    def _bury(self, worker: Worker, why: str, taken: bool = False) -> None:
        """A worker is gone, and the job that it had is lost."""
        self._tell(worker, "returned" if taken else "lost", error=why)
        self._kill(worker)

    def _tell(self, worker: Worker, kind: str, **data: Any) -> None:
        if worker.job is not None:
            about = {"key": worker.job["key"], "attempt": worker.job["attempt"]}
            event = {"kind": kind, **about, "worker": worker.name, "data": data}
            self._channel.say("event", event=event)
            worker.job = None

    def _kill(self, worker: Worker) -> None:
        worker.state = "gone"
        if worker in worker.node.workers:
            worker.node.workers.remove(worker)
        with suppress(Exception):  # it is dead, or the cluster is
            self._ray.kill(worker.actor)

    def _hand_out(self) -> None:
        for worker in self._nodes.workers:
            if not self._queue:
                return
            if worker.state == "ready":
                worker.job, worker.state = self._queue.popleft(), "busy"
                self._call(worker, "happened", worker.actor.begin.remote(worker.job))

    def _report(self) -> None:
        """Tell the state, if it has changed."""
        nodes = []
        for node in self._nodes.up:
            self._say_joined(node)
            states = [worker.state for worker in node.workers if worker.state != "opening"]
            if states:
                nodes.append(asdict(Node(node.name, len(states), states.count("busy"))))
        workers = self._nodes.workers
        state = {
            "nodes": nodes,
            "ready": sum(worker.state in ("ready", "busy") for worker in workers),
            "waiting": "" if workers else self._waiting,
        }
        if state != self._state:
            self._state = state
            self._channel.say("state", **state)

    def _say_joined(self, node: RayNode) -> None:
        """Tell once of each machine of a cluster of others that all of its workers are ready."""
        ready = sum(worker.state in ("ready", "busy") for worker in node.workers)
        if self._opening["address"] is None or node.has_joined or not ready:
            return
        if ready == len(node.workers):
            node.has_joined = True
            self._channel.say("say", text=f"{node.name} joins with {counted(ready, 'worker')}")


def _end_at_once(opening: dict[str, Any]) -> NoReturn:
    """End without a word to a cluster that does not answer; the coordinator may be gone as well."""
    if opening["address"] is None:
        end_session(os.getsid(0))
    _leave_nothing(opening)
    os._exit(1)


def _leave_nothing(opening: dict[str, Any]) -> None:
    with suppress(OSError):
        Path(opening["nonce"]).unlink(missing_ok=True)
    shutil.rmtree(opening["scratch"], ignore_errors=True)


def main(descriptor: int) -> int:
    """Serve one coordinator."""
    # Signals are for the coordinator: `ray job stop`, as a terminal, sends them to all processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
            signal.signal(
                signal.SIGTERM, signal.SIG_IGN
            )  # so is this, sent by `ray job stop` to all
            Driver(ray, opening, channel, news).run()
    except InputError as error:
        channel.say("refused", text=str(error))
        code = 2
    finally:
        _leave_nothing(opening)
    return code


if __name__ == "__main__":
    code = main(int(sys.argv[1]))
    sys.stderr.flush()
    os._exit(code)  # Ray's own handlers at exit have nothing left to do
