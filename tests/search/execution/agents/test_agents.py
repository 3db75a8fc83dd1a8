"""The coordinator's side, with agents that do what the test says."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from hybrid_swin.errors import InputError
from search.execution.agents import agents as module
from search.execution.agents import greeting as greeting_module
from search.execution.agents.agent import Agent
from search.execution.agents.agents import Agents
from search.execution.agents.greeting import Greeting, about_coordinator
from search.execution.agents.joined import Joined
from search.execution.agents.mailbox import AGENTS, Beating, Inbox, Outbox, Pulse
from search.execution.executors.agents import OnlyAgents
from search.execution.job import Event, Job, Node
from search.records.locking.owner import Owner, this_process
from search.settings.experiment import WorkerSettings

ELSEWHERE = Owner(1, "node-1", "another kernel")


def job(number, attempt=1):
    return Job(f"trials/{number:04d}", attempt, "train", "/there/attempt-1", {"a": 1})


class FakeAgent:
    """What an agent leaves in the folder, by hand; ``owner`` is its process."""

    def __init__(self, folder, name="node-1", owner=ELSEWHERE):
        self.home = folder / AGENTS / name
        self.home.mkdir(parents=True)
        self.inbox, self.outbox = Inbox(self.home / "to_agent.jsonl"), None
        self.outbox = Outbox(self.home / "to_coordinator.jsonl")
        self.beats = 0
        self.beat()
        record = {"schema_version": 1, **asdict(owner), "place": {}}
        (self.home / "agent.json").write_text(json.dumps(record))
        self.token = ""

    def beat(self):
        self.beats += 1
        (self.home / "agent.beat").write_text(f"agent {self.beats}")

    def say(self, kind, **content):
        if kind == "ready":
            content = {"hardware": {"device": "cpu", "fast_bf16": True}, **content}
            (self.home / "agent.word").write_text(self.token)
        self.outbox.send({"kind": kind, "token": self.token, **content})

    def tell(self, kind, job, **data):
        event = {"kind": kind, "key": job.key, "attempt": job.attempt, "worker": "w", "data": data}
        self.say("event", event=event)

    def heard(self):
        """Messages since the last time; a hello is answered."""
        messages = self.inbox.receive()
        for message in messages:
            if message["kind"] == "hello":
                self.token = message["token"]
        return [m["job"]["key"] if m["kind"] == "job" else m["kind"] for m in messages]


@pytest.fixture
def notes():
    return []


@pytest.fixture
def agents(tmp_path, notes, monkeypatch):
    monkeypatch.setattr(module, "_SCAN", 0.0)
    made = Agents(tmp_path, WorkerSettings(), notes.append)
    yield made
    made.close()


def joined(agents, folder, slots=2, **options):
    """An agent that is ready."""
    agent = FakeAgent(folder, **options)
    agents.events(0)
    assert agent.heard() == ["hello"]
    agent.say("ready", slots=slots)
    agents.events(0)
    return agent


def test_nothing_is_written_where_nobody_joins(agents, tmp_path):
    assert agents.events(0.05) == []
    agents.submit(job(1))
    agents.close(whole=True)
    assert list(tmp_path.iterdir()) == []


def test_jobs_go_to_agents_as_they_have_workers(agents, tmp_path, notes):
    agent = joined(agents, tmp_path)
    assert (agents.slots, agents.free) == (2, 2)
    for number in range(3):
        agents.submit(job(number))
    assert agent.heard() == ["trials/0000", "trials/0001"]
    assert agents.nodes == [Node("node-1", 2, 2)]
    agent.tell("started", job(0))
    agent.tell("epoch", job(0), epoch=1)
    agent.tell("done", job(0))
    kinds = [(e.kind, e.key, e.data) for e in agents.events(0)]
    assert kinds == [
        ("started", "trials/0000", {}),
        ("epoch", "trials/0000", {"epoch": 1}),
        ("done", "trials/0000", {}),
    ]
    assert agent.heard() == ["trials/0002"]
    agents.cancel("trials/0002")
    assert agent.heard() == ["cancel"]
    agent.tell("done", job(2))  # too late
    agent.tell("done", job(1, attempt=7))  # of another attempt
    assert agents.events(0) == []
    assert notes == ["node-1 starts its workers", "node-1 joins with 2 workers"]


def test_an_agent_that_leaves_returns_its_jobs_after_what_it_had_to_say(agents, tmp_path):
    agent = joined(agents, tmp_path)
    agents.submit(job(0))
    agents.submit(job(1))
    agent.tell("done", job(0))
    agent.say("left")
    assert [(e.kind, e.key) for e in agents.events(0)] == [
        ("done", "trials/0000"),
        ("returned", "trials/0001"),
    ]
    assert not agent.home.exists() and not agents.present


def test_an_agent_that_is_dismissed_gets_no_further_jobs(agents, tmp_path):
    agent = joined(agents, tmp_path)
    agents.submit(job(0))
    agents.dismiss("node-1", "there is no work")
    assert (agents.slots, agents.free) == (0, 0)
    agents.submit(job(1))
    assert agent.heard() == ["trials/0000", "leave"]
    agent.say("left")
    assert [(e.kind, e.key) for e in agents.events(0)] == [("returned", "trials/0000")]
    another = joined(agents, tmp_path, name="node-2")
    assert another.heard() == ["trials/0001"]


def test_silence_costs_attempts_and_late_words_do_not_count(agents, tmp_path, monkeypatch, notes):
    agent = joined(agents, tmp_path)
    agents.submit(job(0))
    monkeypatch.setattr(module, "SILENT", 0.0)
    [lost] = agents.events(0)
    assert (lost.kind, lost.key) == ("lost", "trials/0000")
    assert "node-1 was not heard of" in lost.data["error"]
    monkeypatch.setattr(module, "SILENT", 40.0)
    agents.submit(job(0, attempt=2))
    agent.tell("done", job(0))
    assert agents.events(0) == [] and not agents.present
    # Heard of again, it is greeted anew, and what it says of before is not taken.
    agent.beat()
    monkeypatch.setattr(module, "_SCAN", 100.0)
    agents._scanned = -1000.0
    agents.events(0)
    agent.tell("done", job(0, attempt=2))
    assert agent.heard()[-1] == "hello"
    assert agents.events(0) == []
    agent.say("ready", slots=1)
    agents.events(0)
    assert agent.heard() == ["trials/0000"]


def test_an_agent_of_this_machine_that_was_killed_is_missed_at_once(agents, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    owner = replace(this_process(), process=process.pid)
    agent = joined(agents, tmp_path, owner=owner)
    agents.submit(job(0))
    process.kill()
    process.wait()
    [lost] = agents.events(1)
    assert (lost.kind, lost.data) == ("lost", {"error": "the agent node-1 was killed"})
    assert not agent.home.exists()
    # nor is what such a one leaves behind taken for an agent
    FakeAgent(tmp_path, "node-2", owner)
    agents.events(0)
    assert not agents.present and not (tmp_path / AGENTS / "node-2").exists()


def test_what_one_machine_cannot_do_is_tried_on_another(agents, tmp_path, notes):
    first = joined(agents, tmp_path, 1)
    agents.submit(job(0))
    first.tell("failed", job(0), input_error=True, error="no such folder: /data")
    [event] = agents.events(0)
    assert (event.kind, event.data) == ("returned", {"error": "no such folder: /data"})
    assert first.heard() == ["trials/0000", "leave"]
    assert "node-1 is not used any more: no such folder: /data" in notes
    second = joined(agents, tmp_path, 1, name="node-2")
    agents.submit(job(0, attempt=2))
    second.tell("failed", job(0, attempt=2), input_error=True, error="no such folder: /data")
    [event] = agents.events(0)
    assert (event.kind, event.data["input_error"]) == ("failed", True)


def test_an_agent_that_did_not_hear_of_us_gives_its_jobs_back(agents, tmp_path):
    agent = joined(agents, tmp_path)
    agents.submit(job(0))
    agent.say("forgot")
    assert [e.kind for e in agents.events(0)] == ["returned"]
    before = agent.token
    agents.events(0)
    assert agent.heard() == ["trials/0000", "hello"] and agent.token != before


def test_an_agent_whose_messages_were_lost_begins_anew(agents, tmp_path, notes):
    agent = joined(agents, tmp_path)
    agents.submit(job(0))
    agent.tell("done", job(0))
    (agent.home / "to_coordinator.jsonl").write_bytes(b"")
    assert [(e.kind, e.key) for e in agents.events(0)] == [("returned", "trials/0000")]
    assert notes[-1] == "node-1 joins with 2 workers"  # the rest is said of the job
    agents.events(0)
    assert agent.heard() == ["trials/0000", "hello"]
    agent.say("ready", slots=2)
    agents.submit(job(0, attempt=2))
    agents.events(0)
    assert agent.heard() == ["trials/0000"]


def test_agents_of_a_study_that_is_over_may_go_and_nothing_is_left(agents, tmp_path):
    agent = joined(agents, tmp_path)
    agents.close()
    assert (tmp_path / AGENTS / "coordinator.beat").read_text().startswith("closed ")
    again = Agents(tmp_path, WorkerSettings(), lambda text: None)
    again.events(0)
    assert agent.heard() == ["hello"]
    agent.say("left")
    again.close(whole=True)
    assert not (tmp_path / AGENTS).exists()


class Own:
    """An executor of one worker."""

    slots, waiting = 1, "busy"

    def __init__(self):
        self.jobs, self.closed = [], None
        self.nodes = [Node("here", 1, 0)]

    @property
    def free(self):
        return 1 - len(self.jobs)

    def submit(self, job):
        self.jobs.append(job)

    def events(self, timeout):
        return [Event("done", self.jobs.pop().key, 1)] if self.jobs else []

    def cancel(self, key):
        self.jobs = [job for job in self.jobs if job.key != key]

    def exclude(self, worker, why):
        return False

    def close(self, whole=False):
        self.closed = whole


def test_machines_that_are_excluded_leave_but_not_without_end(agents, tmp_path, notes):
    executor = Joined(OnlyAgents(SimpleNamespace(agents=agents, say=print)), agents)
    for name in ("node-1", "node-11", "node-12"):
        joined(agents, tmp_path, 1, name=name)
    assert executor.exclude("node-11-worker-0", "it has images other than the study's")
    assert [node.name for node in executor.nodes] == ["node-1", "node-12"]
    assert executor.exclude("node-11-worker-1", "it has images other than the study's")
    assert executor.exclude("node-7-worker-0", "it is one that has gone")
    assert executor.exclude("node-12-worker-0", "it has others")
    with pytest.raises(InputError, match="none of 3 machines can be used; of the last one: it has"):
        executor.exclude("node-1-worker-0", "it has others")
    left = [note for note in notes if "is not used" in note]
    assert left[0] == "node-11 is not used any more: it has images other than the study's"
    assert len(left) == 3
    assert not Joined(Own(), agents).exclude("worker-0", "this machine is the only one")


def test_joined_feeds_its_own_workers_first_and_then_agents(agents, tmp_path):
    own = Own()
    executor = Joined(own, agents)
    agent = joined(agents, tmp_path, 1)
    assert (executor.slots, executor.free, len(executor.nodes)) == (2, 2, 2)
    for number in range(4):
        executor.submit(job(number))
    assert [j.key for j in own.jobs] == ["trials/0000"]
    assert agent.heard() == ["trials/0001"]
    assert executor.waiting == "busy"
    executor.cancel("trials/0003")
    assert [(e.kind, e.key) for e in executor.events(1)] == [("done", "trials/0000")]
    assert [j.key for j in own.jobs] == ["trials/0002"]
    executor.close(whole=True)
    assert own.closed is True


# The agent's side


@pytest.fixture
def agent(tmp_path):
    (tmp_path / "lock").touch()
    return Agent(tmp_path, 1, 0.2, lambda text: None)


def test_an_agent_calls_the_study_s_folders_by_its_own_names(tmp_path):
    here = str(tmp_path)
    greeting = Greeting({"folder": "/there/runs/mine"}, tmp_path / "mine")
    given = {
        "folder": "/there/runs/mine/trials/0001",
        "settings": {"plugins": {"/there/runs/mine/plugins/a.py": "hash"}, "cache": "/there/runs"},
        "other": ["/there/runsandmore", "there", 3],
    }
    assert greeting.rerooted(given) == {
        "folder": f"{here}/mine/trials/0001",
        "settings": {"plugins": {f"{here}/mine/plugins/a.py": "hash"}, "cache": here},
        "other": ["/there/runsandmore", "there", 3],
    }


def test_both_spellings_of_the_coordinator_s_folders_are_mapped(tmp_path):
    """As given, and without symbolic links: of the study itself, and of the folder around it."""
    there, here = tmp_path / "there", tmp_path / "here" / "mine"
    (there / "big" / "studies" / "mine-7").mkdir(parents=True)
    (there / "runs").symlink_to("big/studies")
    (there / "runs" / "mine").symlink_to("mine-7")
    about = about_coordinator(there / "runs" / "mine", WorkerSettings())
    greeting = Greeting(about, here)
    for study in ("runs/mine", "big/studies/mine-7"):
        assert greeting.rerooted(f"{there / study}/trials/0001") == f"{here}/trials/0001"
    for root in ("runs", "big/studies"):
        assert greeting.rerooted(f"{there / root}/.images") == f"{here.parent}/.images"
    assert greeting.rerooted(f"{there}/data") == f"{there}/data"


def test_a_score_that_is_not_a_number_is_a_message_like_others(agents, tmp_path):
    agent = joined(agents, tmp_path)
    agents.submit(job(0))
    for score in (float("nan"), float("inf")):
        agent.tell("epoch", job(0), epoch=1, score=score)
    assert [event.data["score"] for event in agents.events(0)] == [None, None]
    assert agents.present


def test_an_agent_into_whose_folder_nothing_can_be_written_is_named_once(
    agents, tmp_path, notes, monkeypatch
):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("search.execution.agents.arrivals.Outbox", refuse)
    FakeAgent(tmp_path)
    agents.events(0)
    agents.events(0)
    [note] = notes
    assert note.startswith("node-1 cannot join: ") and "give `work` as the user" in note


def test_a_place_is_known_by_words_before_it_is_used(agents, agent, tmp_path, notes, monkeypatch):
    """The coordinator's is read where a job's folder would be, and the agent's beside it."""
    made = joined(agents, tmp_path)
    about = about_coordinator(tmp_path, WorkerSettings())
    word = {"word": made.token, "word_at": str(made.home / "coordinator.word")}
    (made.home / "agent.word").unlink()
    Greeting(about | word, tmp_path).check_place()
    assert (made.home / "agent.word").read_text() == made.token
    monkeypatch.setattr(greeting_module, "_PATIENCE", 0.0)
    with pytest.raises(InputError, match=r"^'.*/a' at the coordinator is not '.*/b' here; give"):
        Greeting(about | word | {"folder": "/a", "word_at": "/a/none"}, Path("/b")).check_place()
    # an agent whose answer does not arrive gets no job
    deaf = FakeAgent(tmp_path, "node-2")
    agents.events(0)
    assert deaf.heard() == ["hello"]
    deaf.outbox.send(
        {"kind": "ready", "token": deaf.token, "slots": 1, "hardware": asdict(agents.hardware)}
    )
    agents.events(0)
    assert deaf.heard() == ["leave"] and agents.slots == 2
    assert notes[-1].startswith("node-2 cannot join: what it writes is not seen in ")
    # unless somebody has deleted it: it is met anew
    gone = FakeAgent(tmp_path, "node-3")
    agents.events(0)
    gone.heard()
    gone.say("ready", slots=1)
    (gone.home / "agent.word").unlink()
    (gone.home / "agent.json").unlink()
    agents.events(0)
    assert "node-3" not in agents.names and notes[-1] == "messages of node-3 were lost"


class Busy:
    """Workers with jobs."""

    slots, cancelled = 1, 0

    def cancel_all(self):
        self.cancelled += 1

    def events(self, timeout):
        return []


class ScriptedPulse:
    """Says how long the coordinator is silent, and at last that the study is over."""

    def __init__(self, *silences):
        self._silences, self.silence = list(silences), 0.0

    def listen(self):
        if not self._silences:
            return "over"
        self.silence = self._silences.pop(0)
        return "running"


def test_an_agent_that_misses_messages_gives_its_jobs_back(agent, tmp_path):
    agent._home.mkdir(parents=True)
    agent._outbox = Outbox(agent._home / "to_coordinator.jsonl")
    agent._executor, agent._token = Busy(), "old"
    agent._announce()
    box = tmp_path / "to_agent.jsonl"
    inbox = Inbox(box)
    Outbox(box).send({"kind": "cancel", "token": "other", "key": "a" * 100})
    inbox.receive()
    box.unlink()
    Outbox(box).send({"kind": "leave", "token": "new"})
    agent._serve(inbox, Pulse(tmp_path / "beat"))
    [answer] = Inbox(agent._home / "to_coordinator.jsonl").receive()
    assert answer == {"kind": "forgot", "token": "old"}
    assert agent._executor.cancelled == 1


@pytest.mark.parametrize(
    ("where", "silence", "why"),
    [
        ("here, alive", 100.0, ""),  # stopped, or its disk is full
        ("here, killed", 0.0, "the coordinator was killed"),
        ("elsewhere", 39.0, ""),
        ("elsewhere", 41.0, "the coordinator was not heard of for 40 s"),
    ],
)
def test_an_agent_gives_up_the_jobs_of_a_coordinator_that_is_gone(agent, where, silence, why):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    owner = ELSEWHERE if where == "elsewhere" else replace(this_process(), process=process.pid)
    said, agent._patience = [], 1000.0
    agent._say = said.append
    agent._home.mkdir(parents=True)
    agent._outbox = Outbox(agent._home / "to_coordinator.jsonl")
    agent._announce()
    agent._executor, agent._token = Busy(), "t"
    about = about_coordinator(agent._folder, WorkerSettings()) | {"owner": asdict(owner)}
    agent._coordinator = Greeting(about, agent._folder).process
    if where == "here, killed":
        process.kill()
        process.wait()
    agent._serve(Inbox(agent._home / "to_agent.jsonl"), ScriptedPulse(*[silence] * 20))
    process.kill()
    process.wait()
    gone = f"{why}: jobs are given up; waiting to be asked again"
    assert said[1:-1] == ([gone] if why else []) and agent._executor.cancelled == bool(why)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code_hash": "0123456789"}, "another version of hybrid-swin than the coordinator"),
        ({"versions": {"torch": "1.0"}}, "is .* here and .* at the coordinator"),
    ],
)
def test_an_agent_with_other_code_refuses_to_serve(agent, tmp_path, changes, message):
    agent._home.mkdir(parents=True)
    agent._outbox = Outbox(agent._home / "to_coordinator.jsonl")
    about = about_coordinator(tmp_path, WorkerSettings()) | changes
    with pytest.raises(InputError, match=message):
        agent._meet({"token": "t", "about": about})
    [answer] = Inbox(agent._home / "to_coordinator.jsonl").receive()
    assert (answer["kind"], answer["token"]) == ("refused", "t")


def test_other_settings_of_the_next_start_bring_other_workers(agent, tmp_path, monkeypatch):
    made = []

    def workers(settings, *_):
        made.append(SimpleNamespace(threads=settings.threads, slots=1, closed=False))
        made[-1].close = lambda: setattr(made[-1], "closed", True)
        made[-1].cancel_all = made[-1].wait_until_ready = lambda: None
        return made[-1]

    monkeypatch.setattr("search.execution.executors.local.local_workers", workers)
    monkeypatch.setattr(Greeting, "hardware", {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRID_SWIN_TEST_READS", raising=False)
    agent._home.mkdir(parents=True)
    agent._outbox = Outbox(agent._home / "to_coordinator.jsonl")
    for number, threads in enumerate((1, 1, 2)):
        about = about_coordinator(tmp_path, WorkerSettings(threads=threads))
        agent._meet({"token": str(number), "about": about | {"owner": asdict(this_process())}})
    assert [one.threads for one in made] == [1, 2]
    assert made[0].closed is not made[1].closed


def test_a_study_that_is_moved_is_not_over(agent, tmp_path):
    agent._folder = tmp_path / "mine"
    agent._home = agent._folder / AGENTS / agent.name
    agent._home.mkdir(parents=True)
    agent._outbox = Outbox(agent._home / "to_coordinator.jsonl")
    (agent._folder / "lock").touch()
    agent._announce()
    agent._folder.rename(tmp_path / "moved")
    with pytest.raises(InputError, match="no study is run in"):
        agent._serve(Inbox(agent._home / "to_agent.jsonl"), ScriptedPulse(0.0, 0.0))
    assert not agent._folder.exists()


def test_an_agent_that_is_not_answered_says_so(agent, monkeypatch):
    """Its coordinator runs, but cannot write into its folder."""
    agent._home.mkdir(parents=True)
    agent._outbox = Outbox(agent._home / "to_coordinator.jsonl")
    agent._announce()
    with pytest.raises(InputError, match=r"runs, but has not answered for .* another user gave"):
        agent._serve(Inbox(agent._home / "to_agent.jsonl"), ScriptedPulse(*[0.0] * 1000))


def test_an_agent_waits_only_so_long_and_leaves_nothing(agent, tmp_path):
    with pytest.raises(InputError, match=r"no coordinator runs the study .* --patience"):
        agent.run()
    assert not (tmp_path / AGENTS).exists()
    assert agent.name.startswith(socket.gethostname().partition(".")[0][:5])


def test_a_folder_without_a_study_is_waited_for_only_so_long(tmp_path):
    said = []
    with pytest.raises(InputError, match="no study is run in"):
        Agent(tmp_path / "none", None, 0.5, said.append).run()
    assert not os.path.exists(tmp_path / "none")
    assert ["waiting for `run`" in text for text in said] == [True]


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("nowhere/runs/mine", "no study is run in"),
        ("pictures", "no study is run in"),
        ("runs/min", "did you mean .*runs/mine"),
        ("runs", "it holds the folders of mine"),
    ],
)
def test_a_folder_that_is_a_mistake_is_not_waited_for(tmp_path, folder, message):
    (tmp_path / "pictures" / "cats").mkdir(parents=True)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "study.json").write_text("{}")
    with pytest.raises(InputError, match=message):
        Agent(tmp_path / folder, None, 3600.0, pytest.fail).run()


def test_an_agent_that_comes_before_its_study_joins_it(tmp_path, monkeypatch):
    folder, served = tmp_path / "runs" / "new", []
    agent = Agent(folder, None, 60.0, lambda text: begin())
    monkeypatch.setattr(agent, "_serve", lambda inbox, pulse: served.append(True))
    monkeypatch.setattr("search.execution.agents.agent.server", lambda: None)

    def begin():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lock").touch()

    agent.run()
    assert served


def test_an_agent_of_another_host_refuses_a_study_in_sqlite(agent, tmp_path):
    from hybrid_swin.errors import InputError
    from search.records.locking.owner import Owner
    from search.records.settings import write_settings
    from search.settings.study import StudySettings

    agent._home.mkdir(parents=True)
    agent._outbox = Outbox(agent._home / "to_coordinator.jsonl")
    (tmp_path / "lock").write_text(Owner(7, "node7", "another", "-").line)
    write_settings(tmp_path, StudySettings(storage="sqlite:///mine.db"))
    about = about_coordinator(tmp_path, WorkerSettings())
    with pytest.raises(InputError, match=r"SQLite, .* and this host, beside node7, brings in"):
        agent._meet({"token": "t", "about": about})
    [answer] = Inbox(agent._home / "to_coordinator.jsonl").receive()
    assert answer["kind"] == "refused" and "SQLite" in answer["error"]


@pytest.mark.parametrize(
    "content",
    [
        '{"host": "h", "kernel": "k", "numbering": "n", "process": 1, "place": [1]}',
        '{"host": "h", "kernel": "k", "numbering": "n", "process": "x", "place": {}}',
        '{"process": null}',
        "[" * 100_000,
        "",
    ],
)
def test_what_is_no_agents_is_left_alone_and_said_once(agents, tmp_path, notes, content):
    home = tmp_path / AGENTS / "foreign"
    home.mkdir(parents=True)
    (home / "agent.beat").write_text("agent 1 1")
    (home / "agent.json").write_text(content)
    agents.events(0)
    agents.events(0)
    [note] = notes
    assert "foreign/agent.json" in note and note.endswith("it is not taken for an agent")
    assert not agents.present


def test_an_agent_that_leaves_while_it_is_looked_at_is_not_strange(agents, tmp_path, notes):
    agents._arrivals._meet(tmp_path / AGENTS / "node-1" / "agent.json")
    assert not agents.present and notes == []


def test_an_agent_whose_machine_lacks_the_precision_is_refused(agents, tmp_path, notes):
    executor = Joined(OnlyAgents(SimpleNamespace(say=print)), agents)
    assert executor.hardware is None
    first = joined(agents, tmp_path)
    assert executor.hardware.precision(10**9) == "bf16-mixed"  # as that machine is fast at it
    assert Joined(Own(), agents).hardware is None  # this machine trains, too
    executor.require("bf16-mixed")
    old = FakeAgent(tmp_path, "node-2")
    agents.events(0)
    assert old.heard() == ["hello"]
    old.say("ready", slots=4, hardware={"device": "cuda", "fast_bf16": False})
    agents.events(0)
    assert agents.slots == 2 and old.heard() == ["leave"] and first.heard() == []
    assert notes[-1].startswith("node-2 cannot join: precision 'bf16-mixed' needs a GPU of")
    executor.require("16-mixed")  # one that has come before the study's was known
    assert agents.slots == 0 and first.heard() == ["leave"]
    assert notes[-1].startswith("node-1 cannot join: precision '16-mixed' needs a GPU; ")


@pytest.mark.parametrize("reason", ["its precision", "its images"])
def test_an_agent_that_is_refused_ends_as_what_its_user_must_mend(agent, agents, tmp_path, reason):
    """So `work` ends with exit code 2."""
    first = joined(agents, tmp_path)
    inbox = Inbox(first.home / "to_agent.jsonl", from_end=True)  # it has been greeted
    if reason == "its precision":
        agents.require("16-mixed")
    else:
        agents.exclude(first.home.name, "other images")
    agent._home.mkdir(parents=True)
    agent._outbox = Outbox(agent._home / "to_coordinator.jsonl")
    agent._announce()
    with pytest.raises(InputError, match=r"precision '16-mixed' needs|other images"):
        agent._serve(inbox, Pulse(tmp_path / "beat"))


def test_an_agent_that_has_not_heard_us_is_greeted_anew(agents, tmp_path, notes):
    """Its folder was deleted before it looked: neither side may wait for the other."""
    agent = FakeAgent(tmp_path)
    agents.events(0)
    for file in agent.home.iterdir():
        file.unlink()
    agent.home.rmdir()
    agents.events(0)
    again = FakeAgent(tmp_path)
    os.utime(again.home / "agent.json", (1, 1))
    agents.events(0)
    assert again.heard() == ["hello"]
    again.say("ready", slots=1)
    agents.events(0)
    os.utime(again.home / "agent.json", (2, 2))
    agents.events(0)
    assert agents.slots == 1 and again.heard() == []  # it is at work
    assert notes == ["node-1 starts its workers"] * 2 + ["node-1 joins with 1 worker"]


@pytest.mark.parametrize(
    "message",
    [
        {"number": "a"},
        {"kind": "ready", "slots": "x", "number": 2},
        {"kind": "ready", "slots": 2, "hardware": {"device": 1}, "number": 2},
        {"kind": "event", "event": {"kind": "done"}, "number": 2},
        {"kind": "event", "event": 3, "number": 2},
    ],
)
def test_a_foreign_message_begins_anew_with_the_agent(agents, tmp_path, message):
    agent = joined(agents, tmp_path)
    agents.submit(job(0))
    agent.heard()
    with (agent.home / "to_coordinator.jsonl").open("a") as file:
        file.write(json.dumps({**message, "token": agent.token}) + "\n")
    assert [event.kind for event in agents.events(0)] == ["returned"]
    agents.events(0)
    assert agent.heard() == ["hello"]


def test_jobs_that_go_on_come_first(agents):
    own = Own()
    executor = Joined(own, agents)
    for one in (job(0), job(1), job(2, attempt=2), job(3), job(4, attempt=3)):
        executor.submit(one)
    order = []
    while own.jobs:
        order += [event.key for event in executor.events(0)]
    assert order == [f"trials/{number:04d}" for number in (0, 2, 4, 1, 3)]


def test_an_agent_of_a_study_that_has_ended_says_so(agent, tmp_path, capsys):
    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps({"runs": {"asked": 3, "ended": 3}}))
    agent._say = print
    agent.run()
    assert "has come to its end: nothing is left to be done" in capsys.readouterr().out
    os.utime(receipt, (1, 1))  # started again since
    with pytest.raises(InputError, match="no coordinator runs the study"):
        agent.run()


def test_an_agent_whose_files_were_deleted_announces_itself_again(agent, tmp_path, monkeypatch):
    looks = []

    def receive(inbox):
        if not looks:
            for file in agent._home.iterdir():
                file.unlink()
        looks.append((agent._home / "agent.json").exists())
        return []

    monkeypatch.setattr(Inbox, "receive", receive)
    with pytest.raises(InputError, match="no coordinator runs the study"):
        agent.run()
    assert looks[0] is False and looks[-1] is True


def test_an_agent_whose_folder_was_deleted_gives_its_jobs_back(agent, tmp_path):
    """The coordinator hears of it in the new folder, whatever it had read of the old one."""
    agent._home.mkdir(parents=True)
    to_agent, to_coordinator = (agent._home / f"to_{who}.jsonl" for who in ("agent", "coordinator"))
    agent._outbox, agent._beating = Outbox(to_coordinator), Beating(agent._home / "beat", "agent")
    agent._executor, agent._token = Busy(), "old"
    Outbox(to_agent).send({"kind": "cancel", "token": "old", "key": "a"})
    inbox = Inbox(to_agent)
    inbox.receive()
    shutil.rmtree(tmp_path / AGENTS)
    agent._tell(Event("epoch", "trials/0000", 1))  # lost with the rest
    agent._serve(inbox, ScriptedPulse(0.0, 0.0))
    agent._beating.close()
    assert (agent._home / "agent.json").exists()
    [answer] = Inbox(to_coordinator).receive()
    assert answer == {"kind": "forgot", "token": "old"} and agent._executor.cancelled == 1


def test_an_agent_that_slept_while_the_study_came_to_its_end_goes(agent, tmp_path, monkeypatch):
    """The folder of agents is gone, and the receipt is written a little later."""
    monkeypatch.setattr("search.execution.agents.agent._LOOK_AT_END", 0.0)
    agent._home.mkdir(parents=True)
    agent._beating = Beating(agent._home / "beat", "agent")
    agent._outbox, said = Outbox(agent._home / "to_coordinator.jsonl"), []
    agent._say = said.append
    shutil.rmtree(tmp_path / AGENTS)

    class Sleeper(ScriptedPulse):
        def listen(self):
            if len(self._silences) == 2:
                receipt = {"runs": {"asked": 3, "ended": 3}}
                (tmp_path / "receipt.json").write_text(json.dumps(receipt))
            return super().listen()

    pulse = Sleeper(0.0, 0.0, 0.0, 0.0)
    agent._serve(Inbox(agent._home / "to_agent.jsonl"), pulse)
    agent._leave()
    assert said[-1] == "the study is over; 0 jobs were done here" and len(pulse._silences) == 1
    assert not (tmp_path / AGENTS).exists()


def test_an_agent_of_a_study_that_is_deleted_ends(agent, tmp_path):
    agent._home.mkdir(parents=True)
    shutil.rmtree(tmp_path)
    with pytest.raises(InputError, match="no study is run in"):
        agent._serve(Inbox(agent._home / "to_agent.jsonl"), ScriptedPulse(0.0))
    assert not tmp_path.exists()
