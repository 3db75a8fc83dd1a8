"""What the end of a job means for the agent in it; Slurm and the agents are faked."""

import itertools
import time
from pathlib import Path

import pytest

from hybrid_swin.errors import InputError
from search.execution.job import Event, Node, Place
from search.execution.slurm.agent_jobs import agents_as_jobs, room_of
from search.execution.slurm.job_script import logs
from search.settings.experiment import WorkerSettings


class FakeAgents:
    """Agents that a test lets come and go."""

    def __init__(self):
        self.backlog, self.places, self.nodes, self.dismissed = 0, {}, [], []

    @property
    def names(self):
        return set(self.places)

    def join(self, job, busy=1, slots=1, name=""):
        name = name or f"agent-{job}"
        self.places[name] = {"slurm_job": job}
        self.nodes.append(Node(name, slots, busy))

    def leave(self, name):
        self.places.pop(name)
        self.nodes = [node for node in self.nodes if node.name != name]

    def part(self, name, kind, error):
        if name not in self.places:
            return []
        self.leave(name)
        return [Event(kind, "trials/0000", 1, name, {"error": error})]

    def dismiss(self, name, why):
        self.dismissed.append(name)
        self.work(name, slots=0)

    def work(self, name, busy=0, slots=1):
        others = [node for node in self.nodes if node.name != name]
        self.nodes = [*others, *([Node(name, slots, busy)] if slots else [])]


@pytest.fixture
def agents():
    return FakeAgents()


@pytest.fixture
def start(fake_slurm, agents, tmp_path, monkeypatch):
    """Agents in jobs of a study, and what a person is told of them."""
    monkeypatch.setattr("search.execution.slurm.parting._TO_PART", 0.0)
    monkeypatch.setattr("search.execution.slurm.jobs._TO_LEAVE", 0.1)
    made = []

    def start(max_jobs=2, room=1, most=None, patience=60.0, **workers):
        told = []
        place = Place(tmp_path / "runs/tiny", WorkerSettings(**workers), most, told.append, agents)
        limits = max_jobs, room, 0.01, patience
        jobs = agents_as_jobs(place, ["--partition=main"], ["module load x"], *limits)
        made.append(jobs)
        return jobs, told

    yield start
    for jobs in made:
        jobs.close()


def comment(fake_slurm):
    return next(word[10:] for word in fake_slurm.submissions()[0] if word.startswith("--comment="))


def test_a_submission_names_the_study_its_log_and_its_signal(start, fake_slurm, agents, wait_until):
    jobs, told = start()
    agents.backlog = 5
    wait_until(lambda: jobs.tend() or told)
    words = fake_slurm.submissions()[0]
    assert words[0] == "--array=1-2"
    assert {"--parsable", "--no-requeue", "--signal=B:TERM@60", "--partition=main"} < set(words)
    name = next(word for word in words if word.startswith("--job-name="))
    assert name.startswith("--job-name=tiny-")
    lines = Path(words[-1]).read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    assert "module load x" in lines
    assert lines[-1].startswith("exec ")
    assert " work " in lines[-1]


def test_a_damaged_script_is_written_again(start, fake_slurm, agents, wait_until):
    jobs, _ = start(max_jobs=1)
    agents.backlog = 1
    wait_until(lambda: jobs.tend() or fake_slurm.queue())
    script = Path(fake_slurm.submissions()[0][-1])
    whole = script.read_text()
    script.write_text(whole[:20])
    fake_slurm.put("11_1", "CANCELLED", "None", comment(fake_slurm))
    wait_until(lambda: jobs.tend() or "12_1" in fake_slurm.queue())
    assert script.read_text() == whole


@pytest.mark.parametrize(
    ("backlog", "most", "count", "room", "array"),
    [
        (1, None, "auto", 1, "1-1"),  # no more than there is work for
        (9, None, "auto", 1, "1-4"),  # max_jobs
        (9, 3, "auto", 1, "1-3"),  # what the study feeds
        (9, None, 2, 1, "1-2"),  # workers.count
        (9, None, "auto", 4, "1-3"),  # four workers a job
        (9, 6, "auto", 4, "1-2"),
    ],
)
def test_as_many_jobs_as_the_study_feeds(
    start, fake_slurm, agents, wait_until, backlog, most, count, room, array
):
    jobs, _ = start(max_jobs=4, room=room, most=most, count=count)
    agents.backlog = backlog
    wait_until(lambda: jobs.tend() or fake_slurm.submissions())
    assert fake_slurm.submissions()[0][0] == f"--array={array}"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("PREEMPTED", "returned"),
        ("TIMEOUT", "returned"),
        ("CANCELLED", "returned"),
        ("COMPLETED", "returned"),
        ("FAILED", "lost"),
        ("NODE_FAIL", "lost"),
        ("OUT_OF_MEMORY", "lost"),
    ],
)
def test_what_the_end_of_a_job_costs(start, fake_slurm, agents, wait_until, state, kind):
    jobs, told = start(max_jobs=1)
    agents.backlog = 1
    wait_until(lambda: jobs.tend() or told)
    fake_slurm.put("11_1", "RUNNING", "None", comment(fake_slurm))
    agents.join("11_1")
    jobs.tend()
    fake_slurm.put("11_1", state, "None", comment(fake_slurm))
    events = []
    wait_until(lambda: events.extend(jobs.tend()) or events)
    (event,) = events
    assert (event.kind, event.worker) == (kind, "agent-11_1")
    assert "11_1 of Slurm: " in event.data["error"]
    assert any("11_1" in text for text in told) == (state != "COMPLETED")
    wait_until(lambda: jobs.tend() or len(fake_slurm.submissions()) == 2)


def test_an_agent_that_left_in_order_has_said_all(start, fake_slurm, agents, wait_until):
    jobs, told = start(max_jobs=1)
    agents.backlog = 1
    wait_until(lambda: jobs.tend() or told)
    agents.join("11_1")
    jobs.tend()
    agents.leave("agent-11_1")
    fake_slurm.put("11_1", "CANCELLED", "None", comment(fake_slurm))
    wait_until(lambda: jobs.tend() or len(fake_slurm.submissions()) == 2)
    assert jobs.tend() == []


def test_a_job_that_slurm_forgot_says_nothing_of_its_agent(start, fake_slurm, agents, wait_until):
    jobs, told = start(max_jobs=1)
    agents.backlog = 1
    wait_until(lambda: jobs.tend() or told)
    wait_until(lambda: jobs.waiting)  # it was seen in the queue
    agents.join("11_1")
    jobs.tend()
    fake_slurm.forget()
    wait_until(lambda: jobs.tend() or "job 11_1 of Slurm: vanished" in told)
    assert jobs.tend() == []
    assert "agent-11_1" in agents.names


def test_the_end_of_a_job_is_that_of_all_agents_in_it(start, fake_slurm, agents, wait_until):
    """As of one that a user has started there by srun."""
    jobs, told = start(max_jobs=1)
    agents.backlog = 1
    wait_until(lambda: jobs.tend() or told)
    agents.join("11_1")
    agents.join("11_1", name="another")
    jobs.tend()
    fake_slurm.put("11_1", "NODE_FAIL", "None", comment(fake_slurm))
    events = []
    wait_until(lambda: events.extend(jobs.tend()) or len(events) == 2)
    assert {event.worker for event in events} == {"agent-11_1", "another"}


def test_an_agent_without_work_leaves_and_comes_back_with_work(
    start, fake_slurm, agents, wait_until
):
    jobs, told = start(max_jobs=2, patience=0.05)
    agents.backlog = 2
    wait_until(lambda: jobs.tend() or told)
    agents.join("11_1")
    agents.join("11_2", busy=0)
    wait_until(lambda: jobs.tend() or len(agents.nodes) == 2)
    time.sleep(0.1)
    jobs.tend()
    assert agents.dismissed == []  # a job waits: the study needs both
    agents.backlog = 0
    wait_until(lambda: jobs.tend() or agents.dismissed)
    assert agents.dismissed == ["agent-11_2"]  # the other one works
    assert any("agent-11_2 leaves its node: there was no work for" in text for text in told)
    agents.leave("agent-11_2")
    fake_slurm.put("11_2", "COMPLETED", "None", comment(fake_slurm))
    time.sleep(0.1)
    jobs.tend()
    assert len(fake_slurm.submissions()) == 1
    agents.backlog = 1
    wait_until(lambda: jobs.tend() or len(fake_slurm.submissions()) == 2)
    assert agents.dismissed == ["agent-11_2"]


def test_idle_moments_do_not_add_up(start, fake_slurm, agents, wait_until, monkeypatch):
    jobs, told = start(max_jobs=1, patience=100.0)
    agents.backlog = 1
    wait_until(lambda: jobs.tend() or told)
    agents.backlog = 0
    agents.join("11_1", busy=0)
    now = [1000.0]
    monkeypatch.setattr("search.execution.slurm.agent_jobs.time.monotonic", lambda: now[0])
    for _ in range(4):
        agents.work("agent-11_1", busy=0)
        jobs.tend()
        now[0] += 90
        jobs.tend()
        agents.work("agent-11_1", busy=1)
        jobs.tend()
    assert agents.dismissed == []


def test_a_refused_start_leaves_nothing(start, fake_slurm, tmp_path):
    fake_slurm.break_down("allocation failure: Invalid partition name specified\n", "untested")
    with pytest.raises(InputError, match="Invalid partition"):
        start()
    assert not (tmp_path / "runs").exists()


def test_jobs_that_never_work_end_the_study(start, fake_slurm, agents, wait_until, tmp_path):
    jobs, _ = start(max_jobs=1)
    agents.backlog = 1
    log = logs(tmp_path / "runs/tiny")

    def fail():
        for number in itertools.count(11):
            wait_until(lambda job=f"{number}_1": jobs.tend() or job in fake_slurm.queue())
            (log / f"{number}_1.log").write_text("agent.sh: line 3: module: command not found\n")
            fake_slurm.put(f"{number}_1", "FAILED", "None", comment(fake_slurm))

    with pytest.raises(InputError, match="module: command not found") as error:
        fail()
    assert "3 jobs ended before their agent joined" in str(error.value)
    assert len(fake_slurm.submissions()) <= 4


def test_cancelled_jobs_are_no_such_failure(start, fake_slurm, agents, wait_until):
    jobs, _ = start(max_jobs=1)
    agents.backlog = 1
    for number in range(11, 16):
        wait_until(lambda job=f"{number}_1": jobs.tend() or job in fake_slurm.queue())
        fake_slurm.put(f"{number}_1", "CANCELLED", "None", comment(fake_slurm))
    wait_until(lambda: jobs.tend() or "16_1" in fake_slurm.queue())


def test_submissions_that_the_queue_never_shows_end_the_study(
    start, fake_slurm, agents, wait_until, monkeypatch
):
    monkeypatch.setattr("search.execution.slurm.jobs._UNSEEN", 0.0)
    (fake_slurm.folder / "squeue").write_text("#!/bin/sh\n")  # they are in another cluster
    jobs, _ = start(max_jobs=2)
    agents.backlog = 2
    with pytest.raises(InputError, match="3 submissions in a row are not in the queue"):
        wait_until(lambda: jobs.tend() and False)
    assert len(fake_slurm.submissions()) <= 5


def test_why_jobs_wait_is_said_once(start, agents, wait_until):
    jobs, told = start(max_jobs=2)
    agents.backlog = 2
    wait_until(lambda: jobs.tend() or jobs.waiting)
    jobs.tend()
    jobs.tend()
    words = "2 jobs wait in Slurm's queue: others come first"
    assert jobs.waiting == words
    assert told.count(words) == 1


def test_the_end_lets_agents_go(start, fake_slurm, agents, wait_until):
    jobs, told = start(max_jobs=2)
    agents.backlog = 2
    wait_until(lambda: jobs.tend() or told)
    agents.join("11_1")
    jobs.tend()
    jobs.close()
    assert agents.dismissed == ["agent-11_1"]
    assert fake_slurm.queue() == {}


@pytest.mark.parametrize(
    ("cpus", "gres", "workers", "room"),
    [
        (8, "", {}, 8),
        (8, "", {"threads": 4}, 2),
        (2, "", {"threads": 4}, 1),
        (8, "gpu", {}, 1),
        (8, "gpu:4", {}, 4),
        (8, "gres/gpu:a100:2,shard:3", {}, 2),
        (8, "gpu:a100", {}, 1),
        (8, "gpu:4", {"devices": 2}, 2),
        (8, "license:3", {}, 8),
        (8, "gpu:1g.10gb:2", {}, 2),
        (8, "gpu:0", {}, 8),
        (8, "shard:4", {}, 1),
        (8, "shard:4,gpu:2", {}, 2),
        (8, "gpu:a100:1,gpu:v100:2", {}, 3),
        (8, "gpu_mem:80", {}, 8),
    ],
)
def test_the_room_of_a_job(cpus, gres, workers, room):
    assert room_of(cpus, gres, WorkerSettings(**workers)) == room
