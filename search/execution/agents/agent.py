"""An agent: the workers of this machine, lent to a study that a coordinator runs elsewhere.

It announces itself in the study's folder, and then does what the coordinator says: ``hello``
(forget all jobs; here is what workers need to know), ``job``, ``cancel``, ``leave``. Its answers
carry the token of the last ``hello``, so that nothing counts that is of an earlier coordinator, or
of a time in which the agent was not heard of.
"""

import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hybrid_swin.data.test_reads import VARIABLE as LEDGER_VARIABLE
from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import LONGEST_ERROR, one_line
from hybrid_swin.system.files import explained, read_json, write_json_atomically
from hybrid_swin.system.processes import import_places, take_places
from hybrid_swin.system.schema import build
from search.execution.agents.mailbox import (
    AGENT_BEAT,
    AGENT_FILE,
    AGENTS,
    COORDINATOR_BEAT,
    TO_AGENT,
    TO_COORDINATOR,
    AgentRecord,
    Beating,
    Inbox,
    Outbox,
    Pulse,
)
from search.execution.executors import local
from search.execution.forked_workers import server
from search.execution.job import Event, Job
from search.records.locking.owner import LOCK, read_owner, this_process
from search.records.receipt import code_hash, versions
from search.records.settings import read_study
from search.records.study_folder import RECEIPT
from search.settings.experiment import WorkerSettings
from search.settings.storage_url import check_hosts
from search.statistics.formatting import counted

GONE = 60.0  # seconds without a beat after which the coordinator is not waited for with jobs
OVER = "over"  # the coordinator's last word where nothing is left to be done
_LOOK_AGAIN = 0.1  # seconds
_SAY_AGAIN = 60.0  # seconds
_SAME = ("python", "torch", "lightning", "numpy")  # versions without which results may differ


class Agent:
    """Serves the study in a folder until it is over.

    Args:
        folder: the study's.
        count: workers; None for as many as this machine has room for.
        patience: seconds to wait for a coordinator.
        say: is told what happens.
        place: where it runs, to be told with it, such as a job of Slurm.
    """

    def __init__(
        self,
        folder: Path,
        count: int | None,
        patience: float,
        say: Callable[[str], None],
        place: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = Path(os.path.abspath(folder))
        self._count, self._patience, self._say = count, patience, say
        self._place = dict(place or {})
        self.name = f"{socket.gethostname().partition('.')[0]}-{secrets.token_hex(3)}"
        self._home = self._folder / AGENTS / self.name
        self._token = ""
        self._executor: local.LocalExecutor | None = None
        self._moved: tuple[str, str] | None = None  # how the coordinator calls our folders
        self._jobs = 0

    def run(self) -> None:
        """Serve. Raises InputError for what the user must fix here."""
        self._check_folder()
        if self._is_over():
            self._say(
                f"the study in {self._folder} has come to its end: nothing is left to be done; for "
                "more trials or seeds give `run` first"
            )
            return
        server()  # imports what workers need while we wait
        pulse = Pulse(self._folder / AGENTS / COORDINATOR_BEAT)
        try:
            self._home.mkdir(parents=True)
            inbox, self._outbox = Inbox(self._home / TO_AGENT), Outbox(self._home / TO_COORDINATOR)
            beating = Beating(self._home / AGENT_BEAT, "agent")
        except OSError as error:
            raise InputError(explained(error, self._home)) from error
        try:
            self._announce()
            self._serve(inbox, pulse)
        finally:
            self._leave(beating)

    def _is_over(self) -> bool:
        """Whether the study has come to its end, and has not been started again since."""
        receipt = self._folder / RECEIPT
        with suppress(OSError, InputError, KeyError, TypeError):
            begun, written = ((self._folder / LOCK).stat().st_mtime, receipt.stat().st_mtime)
            runs = read_json(receipt)["runs"]
            return bool(runs["asked"] == runs["ended"]) and written >= begun
        return False

    def _check_folder(self) -> None:
        if not (self._folder / LOCK).is_file():
            raise InputError(
                f"no study is run in {str(self._folder)!r}; begin it there with `run`, or name the "
                "folder as this machine sees it"
            )

    def _announce(self) -> None:
        write_json_atomically(
            self._home / AGENT_FILE,
            asdict(AgentRecord(**asdict(this_process()), place=self._place)),
        )

    def _announce_again(self) -> None:
        """Somebody has deleted our files: the coordinator must find us, and begin anew with us."""
        try:
            self._home.mkdir(exist_ok=True)
            self._announce()
        except FileNotFoundError:
            return  # the study is over
        except OSError as error:
            raise InputError(explained(error, self._home)) from error

    def _serve(self, inbox: Inbox, pulse: Pulse) -> None:
        last_note = time.monotonic()
        self._say(f"agent {self.name}: waiting for the coordinator of {self._folder}")
        while True:
            messages = inbox.receive()
            if inbox.has_lost:
                inbox.has_lost = False
                if self._token:
                    self._forget("messages of the coordinator were lost")
            for message in _of_the_last(messages):
                if message["kind"] == "leave":
                    self._say(message.get("why") or "the study needs no more workers")
                    return
                try:
                    self._obey(message)
                except InputError:
                    raise
                except (KeyError, TypeError, ValueError):  # something else has written it
                    self._forget("a message of the coordinator cannot be read")
            word = pulse.listen()
            if word == OVER or not self._home.parent.exists():
                self._say(f"the study is over; {counted(self._jobs, 'job')} were done here")
                return
            if not (self._home / AGENT_FILE).exists():
                self._announce_again()
            if self._token and (word == "closed" or pulse.silence > GONE):
                self._forget("the coordinator has ended" if word == "closed" else "it is silent")
            if not self._token and pulse.silence > self._patience:
                raise InputError(
                    f"no coordinator runs the study in {str(self._folder)!r} for "
                    f"{self._patience / 60:g} minutes; start it with `run`, or wait longer with "
                    "--patience"
                )
            if self._token:
                last_note = time.monotonic()
            elif time.monotonic() - last_note > _SAY_AGAIN:
                last_note = time.monotonic()
                self._say(f"still waiting: {pulse.silence:.0f} of {self._patience:.0f} s")
            if self._executor is None:
                time.sleep(_LOOK_AGAIN)
            else:
                for event in self._executor.events(_LOOK_AGAIN):
                    self._tell(event)

    def _obey(self, message: Mapping[str, Any]) -> None:
        if message["kind"] == "hello":
            self._meet(message)
        elif message.get("token") != self._token or self._executor is None:
            return  # of a coordinator that is gone
        elif message["kind"] == "job":
            self._executor.submit(build(Job, self._rerooted(message["job"])))
        elif message["kind"] == "cancel":
            self._executor.cancel(message["key"])

    def _meet(self, message: Mapping[str, Any]) -> None:
        """A coordinator wants us: check that results will be the same, and start workers."""
        self._token = message["token"]
        theirs, here = message["about"], str(self._folder.parent)
        there = str(Path(theirs["folder"]).parent)
        self._moved = None if there == here else (there, here)
        try:
            _check_same(theirs)
            _check_storage(self._folder)
            if self._executor is None:
                self._settle(theirs)
                workers = WorkerSettings(**theirs["workers"])
                if self._count is not None:
                    workers = WorkerSettings(**{**theirs["workers"], "count": self._count})
                logs, prefix = self._folder / "logs", f"{self.name}-"
                self._executor = local.local_workers(workers, None, logs, self._say, prefix)
            else:
                self._executor.cancel_all()
            self._executor.wait_until_ready()
        except InputError as error:
            self._send("refused", error=one_line(str(error), LONGEST_ERROR))
            raise
        self._send("ready", slots=self._executor.slots)
        self._say(f"serving with {counted(self._executor.slots, 'worker')}")

    def _settle(self, theirs: Mapping[str, Any]) -> None:
        """Look for data, modules and the ledger of test readings where the coordinator does."""
        with suppress(OSError):
            os.chdir(self._rerooted(theirs["working_folder"]))
        take_places({"path": sys.path[:], "last": self._rerooted(theirs["modules_in"])})
        if theirs["ledger"]:
            os.environ.setdefault(LEDGER_VARIABLE, self._rerooted(theirs["ledger"]))

    def _forget(self, why: str) -> None:
        """Give up all jobs: nobody waits for them any more."""
        self._say(f"{why}: jobs are given up; waiting to be asked again")
        self._send("forgot")
        self._token = ""
        if self._executor is not None:
            self._executor.cancel_all()

    def _tell(self, event: Event) -> None:
        self._jobs += event.kind == "done"
        self._send("event", event=asdict(event))

    def _send(self, kind: str, **content: Any) -> None:
        try:
            self._outbox.send({"kind": kind, "token": self._token, **content})
        except OSError as error:
            raise InputError(explained(error, self._home)) from error

    def _rerooted(self, value: Any) -> Any:
        """A job in which the coordinator's folders are ours."""
        if self._moved is None:
            return value
        if isinstance(value, dict):
            return {self._rerooted(key): self._rerooted(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._rerooted(inner) for inner in value]
        there, here = self._moved
        if isinstance(value, str) and (value == there or value.startswith(there + os.sep)):
            return here + value[len(there) :]
        return value

    def _leave(self, beating: Beating) -> None:
        """End the workers first, so that nothing writes any more when others take their jobs."""
        try:
            if self._executor is not None:
                self._executor.close()
        finally:
            with suppress(OSError, InputError):
                self._send("left")
            beating.close()
            if not self._token:  # nobody reads it any more
                shutil.rmtree(self._home, ignore_errors=True)


def _of_the_last(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages of the last coordinator alone, where there is more than one."""
    hellos = [index for index, message in enumerate(messages) if message["kind"] == "hello"]
    return messages[hellos[-1] if hellos else 0 :]


def about_coordinator(folder: Path, workers: WorkerSettings) -> dict[str, Any]:
    """What a coordinator tells its agents of itself."""
    return {
        "folder": os.path.abspath(folder),
        "working_folder": os.getcwd(),
        "modules_in": import_places()["last"],
        "ledger": os.environ.get(LEDGER_VARIABLE, ""),
        "workers": asdict(workers) | {"count": "auto"},
        "code_hash": code_hash(),
        "versions": versions(),
    }


def _check_same(theirs: Mapping[str, Any]) -> None:
    """Raise InputError where results of this machine would be others."""
    if theirs["code_hash"] != code_hash():
        raise InputError(
            "this machine has another version of hybrid-swin than the coordinator (hashes "
            f"{code_hash()} and {theirs['code_hash']}); install the same"
        )
    ours = versions()
    for name in _SAME:
        if ours.get(name) != theirs["versions"].get(name):
            raise InputError(
                f"{name} is {ours.get(name)} here and {theirs['versions'].get(name)} at the "
                "coordinator, so results could differ; install the same"
            )


def _check_storage(folder: Path) -> None:
    """Raise InputError if the coordinator, on another host, keeps its trials in SQLite."""
    owner = read_owner(folder)
    if owner is not None and not owner.is_of_this_kernel:
        check_hosts(
            getattr(read_study(folder), "storage", None), f"this host, beside {owner.host},"
        )
