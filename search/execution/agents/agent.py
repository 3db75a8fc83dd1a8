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
from hybrid_swin.system.schema import build
from search.execution.agents.greeting import Greeting
from search.execution.agents.mailbox import (
    AGENT_BEAT,
    AGENT_FILE,
    AGENTS,
    COORDINATOR_BEAT,
    SILENT,
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
from search.execution.other_process import OtherProcess
from search.execution.waiting import Reminder
from search.records.locking.owner import LOCK, this_process
from search.records.nearby import hint_of_studies
from search.records.study_folder import RECEIPT
from search.statistics.formatting import counted

OVER = "over"  # the coordinator's last word where nothing is left to be done
_LOOK_AGAIN, _LOOK_AT_END = 0.1, 1.0  # seconds
_STOOD_STILL = 10.0  # seconds; more between two looks is not a time in which it waited


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
        self._greeting: Greeting | None = None  # of the last coordinator
        self._terms: dict[str, Any] = {}  # of the one for which the workers were started
        self._own_ledger = LEDGER_VARIABLE in os.environ
        self._coordinator: OtherProcess | None = None  # None if it is of another machine
        self._reminder, self._next_look = Reminder(say), 0.0
        self._was_deleted = False  # our folder, once
        self._jobs = 0

    def run(self) -> None:
        """Serve. Raises InputError for what the user must fix here."""
        self._await_study()
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
            self._beating = Beating(self._home / AGENT_BEAT, "agent")
        except OSError as error:
            raise InputError(explained(error, self._home)) from error
        try:
            self._announce()
            self._serve(inbox, pulse)
        finally:
            self._leave()

    def _is_over(self) -> bool:
        """Whether the study has come to its end, and has not been started again since."""
        receipt = self._folder / RECEIPT
        with suppress(OSError, InputError, KeyError, TypeError):
            begun, written = ((self._folder / LOCK).stat().st_mtime, receipt.stat().st_mtime)
            runs = read_json(receipt)["runs"]
            return bool(runs["asked"] == runs["ended"]) and written >= begun
        return False

    def _await_study(self) -> None:
        """Wait for the folder: `run` and `work` may be started at once, in either order.

        Raises InputError where the name looks like a mistake, or after the patience.
        """
        folder, end = self._folder, time.monotonic() + self._patience
        runs = folder.parent  # which the first `run` of all makes, too
        is_new = not (any(folder.iterdir()) if folder.is_dir() else folder.exists())
        is_likely = runs.parent.is_dir() and is_new and not hint_of_studies(folder)
        while not (folder / LOCK).is_file() and is_likely and time.monotonic() < end:
            minutes = self._patience / 60
            self._reminder.tell(
                f"no study is run in {folder} yet: waiting for `run`, at most {minutes:g} minutes"
            )
            time.sleep(_LOOK_AT_END)
        self._check_folder()

    def _check_folder(self) -> None:
        if not (self._folder / LOCK).is_file():
            hint = hint_of_studies(self._folder)
            raise InputError(
                f"no study is run in {str(self._folder)!r}{hint}; begin it there with `run`, or "
                "name the folder as this machine sees it"
            )

    def _announce(self) -> None:
        write_json_atomically(
            self._home / AGENT_FILE,
            asdict(AgentRecord(**asdict(this_process()), place=self._place)),
        )

    def _is_done(self, word: str) -> bool:
        """Whether the study is over. If it is not, and our files are gone, announce us again."""
        if word == OVER:
            return True
        if not (self._home / AGENT_FILE).exists():
            if self._is_over():  # and its agents' folder went with it
                return True
            self._announce_again()
        elif self._was_deleted and not self._token and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK_AT_END
            return self._is_over()  # it was the coordinator, whose receipt was still to come
        return False

    def _announce_again(self) -> None:
        """Somebody has deleted our files: the coordinator must find us, and begin anew with us.

        Raises InputError if the whole study was deleted.
        """
        self._check_folder()
        self._was_deleted = True
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            self._beating.beat()  # without one, what is there is taken for what a dead one left
            self._announce()
        except OSError as error:
            raise InputError(explained(error, self._home)) from error

    def _serve(self, inbox: Inbox, pulse: Pulse) -> None:
        self._say(f"agent {self.name}: waiting for the coordinator of {self._folder}")
        unmet, looked = 0.0, time.monotonic()  # seconds without a hello, which a silence may be
        while True:
            messages = inbox.receive()
            word = pulse.listen()
            if self._is_done(word):
                self._say(f"the study is over; {counted(self._jobs, 'job')} were done here")
                return
            if inbox.has_lost:
                inbox.has_lost = False
                if self._token:
                    self._forget("messages of the coordinator were lost")
            for message in _of_the_last(messages):
                if message["kind"] == "leave":
                    if message.get("refused"):
                        raise InputError(str(message.get("why")))
                    self._say(message.get("why") or "the study needs no more workers")
                    return
                try:
                    self._obey(message)
                except InputError:
                    raise
                except (KeyError, TypeError, ValueError):  # something else has written it
                    self._forget("a message of the coordinator cannot be read")
            if self._token and (why := self._why_gone(word, pulse.silence)):
                self._forget(why)
            now = time.monotonic()
            unmet = 0.0 if self._token else unmet + min(now - looked, _STOOD_STILL)
            looked = now
            if unmet > self._patience and word == "running" and pulse.silence < SILENT:
                raise InputError(
                    f"the coordinator of {str(self._folder)!r} runs, but has not answered for "
                    f"{self._patience / 60:g} minutes; it says why if it cannot write into "
                    f"{str(self._home)!r}, as where another user gave `work`"
                )
            if not self._token and pulse.silence > self._patience:
                raise InputError(
                    f"no coordinator runs the study in {str(self._folder)!r} for "
                    f"{self._patience / 60:g} minutes; start it with `run`, or wait longer with "
                    "--patience"
                )
            self._remind(pulse.silence)
            if self._executor is None:
                time.sleep(_LOOK_AGAIN)
            else:
                for event in self._executor.events(_LOOK_AGAIN):
                    self._tell(event)

    def _why_gone(self, word: str, silence: float) -> str:
        """Why the coordinator is not waited for with jobs; empty if it may be merely slow.

        One of this machine is there until its process has ended. Of another one, silence is all
        that tells; it is as long as the coordinator's own patience with agents.
        """
        if word == "closed":
            return "the coordinator has ended"
        if self._coordinator is not None:
            return "the coordinator was killed" if self._coordinator.has_ended(0) else ""
        return f"the coordinator was not heard of for {SILENT:.0f} s" if silence > SILENT else ""

    def _remind(self, silence: float) -> None:
        minutes = int(silence // 60)
        text = f"still waiting: {minutes} of {self._patience / 60:g} minutes"
        self._reminder.tell(text if minutes and not self._token else "")

    def _obey(self, message: Mapping[str, Any]) -> None:
        if message["kind"] == "hello":
            self._meet(message)
        elif message.get("token") != self._token or not (self._executor and self._greeting):
            return  # of a coordinator that is gone
        elif message["kind"] == "job":
            self._executor.submit(build(Job, self._greeting.rerooted(message["job"])))
        elif message["kind"] == "cancel":
            self._executor.cancel(message["key"])

    def _meet(self, message: Mapping[str, Any]) -> None:
        """A coordinator wants us: check that results will be the same, and start workers."""
        self._token = message["token"]
        self._greeting = greeting = Greeting(message["about"], self._folder)
        self._coordinator = greeting.process
        try:
            greeting.check()
            if not self._finds(greeting):
                return
            if self._executor is not None and greeting.terms != self._terms:
                self._executor.close()
                self._executor = None
            if self._executor is None:
                self._terms = greeting.terms
                if missing := greeting.settle(self._own_ledger):
                    self._say(
                        f"{missing}, where the coordinator works, is not here; relative paths "
                        f"begin at {os.getcwd()}"
                    )
                workers, logs = greeting.workers(self._count), self._folder / "logs"
                prefix = f"{self.name}-"
                self._executor = local.local_workers(workers, None, logs, self._say, prefix)
            else:
                self._executor.cancel_all()
            self._executor.wait_until_ready()
            hardware = greeting.hardware
        except InputError as error:
            self._send("refused", error=one_line(str(error), LONGEST_ERROR))
            raise
        self._send("ready", slots=self._executor.slots, hardware=hardware)
        self._say(f"serving with {counted(self._executor.slots, 'worker')}")

    def _finds(self, greeting: Greeting) -> bool:
        """Whether the study is where the coordinator says; not if our files were just deleted.

        Raises InputError as `Greeting.check_place`.
        """
        try:
            greeting.check_place()
        except InputError:
            if (self._home / AGENT_FILE).exists():
                raise
            self._token = ""  # the coordinator's word went with them: we are met again
            return False
        return True

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
        except FileNotFoundError:
            return  # somebody has deleted our folder: what was in it is missed, and we begin anew
        except OSError as error:
            raise InputError(explained(error, self._home)) from error

    def _leave(self) -> None:
        """End the workers first, so that nothing writes any more when others take their jobs."""
        try:
            if self._executor is not None:
                self._executor.close()
        finally:
            with suppress(OSError, InputError):
                self._send("left")
            self._beating.close()
            if not self._token:  # nobody reads it any more
                shutil.rmtree(self._home, ignore_errors=True)
                with suppress(OSError):  # others are there, or it is gone
                    self._home.parent.rmdir()


def _of_the_last(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages of the last coordinator alone, where there is more than one."""
    hellos = [index for index, message in enumerate(messages) if message["kind"] == "hello"]
    return messages[hellos[-1] if hellos else 0 :]
