"""What the end of a step means for its agent; srun and the agents are faked."""

import os
import signal
from pathlib import Path

import pytest

from hybrid_swin.errors import InputError
from search.execution.job import Event, Node, Place
from search.execution.slurm.agent_steps import agents_as_steps
from search.execution.slurm.job_script import place
from search.settings.experiment import WorkerSettings

SRUN = """\
for word; do case $word in --nodelist=*) node=${word#--nodelist=} ;; esac; done
echo $$ >> "$0.$node"
[ ! -e "$0.$node.down" ] || exit 1
echo "srun: Job step creation temporarily disabled, retrying"
exec sleep 60
"""


class FakeAgents:
    """One agent, on n1; and the user's own in the same job."""

    def __init__(self):
        self.slots, self.gone, self.dismissed = 0, [], []
        self.nodes = [Node("agent", 1, 1)]
        self.places = {"another": {"slurm_job": "7", "slurm_node": "n1"}}

    def join(self, step):
        self.places["agent"] = {"slurm_job": "7", "slurm_node": "n1", "slurm_step": step}

    @property
    def names(self):
        return set(self.places)

    def events(self, timeout):
        self.slots = 1
        return []

    def part(self, name, kind, error):
        self.places.pop(name)
        return [Event(kind, "trials/0000", 1, name, {"error": error})]

    def dismiss(self, name, why):
        self.dismissed.append(name)


@pytest.fixture
def start(fake_slurm, tmp_path, monkeypatch):
    """Agents as steps of an allocation of two nodes."""
    monkeypatch.setattr("search.execution.slurm.parting._TO_PART", 0.0)
    monkeypatch.setattr("search.execution.slurm.steps._TO_LEAVE", 0.1)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n[1-2]")
    for name, text in (("srun", SRUN), ("scontrol", 'echo "n1\nn2"\n')):
        (fake_slurm.folder / name).write_text(f"#!/bin/sh\n{text}")
        (fake_slurm.folder / name).chmod(0o755)
    made = []

    def start(**workers):
        told, agents = [], FakeAgents()
        study = Place(tmp_path / "tiny", WorkerSettings(**workers), None, told.append, agents)
        made.append(agents_as_steps(study))
        agents.join(made[-1]._steps.names["n1"])
        return made[-1], agents, told

    yield start
    for steps in made:
        steps.close()


def test_a_step_that_dies_loses_its_agent_and_comes_again(start, fake_slurm, wait_until):
    steps, _, told = start(count=4)
    assert steps.expected == 4
    pids = fake_slurm.folder / "srun.n1"
    wait_until(pids.exists)
    assert steps.tend() == []
    os.kill(int(pids.read_text().split()[0]), signal.SIGKILL)
    events = []
    wait_until(lambda: events.extend(steps.tend()) or events)
    assert [(event.kind, event.worker) for event in events] == [("lost", "agent")]
    assert told == ["the agent on n1 has ended; it is started again"]
    wait_until(lambda: len(pids.read_text().split()) == 2)


def test_a_node_on_which_no_agent_starts_is_left_out(start, fake_slurm, wait_until):
    (fake_slurm.folder / "srun.n2.down").touch()
    steps, _, told = start(count=4)
    wait_until(lambda: steps.tend() or len(told) == 3)
    assert told[1] == "the agent on n2 has ended; it is started again"
    assert told[2].startswith("the agent on n2 has ended; none starts there any more: ")
    assert steps.expected == 2
    assert steps.tend() == []
    os.kill(int((fake_slurm.folder / "srun.n1").read_text().split()[0]), signal.SIGKILL)
    (fake_slurm.folder / "srun.n1.down").touch()
    with pytest.raises(InputError, match="no agent starts on n1"):
        wait_until(lambda: steps.tend() is None)


def test_steps_are_named_for_their_agents(start, fake_slurm, wait_until):
    steps, _, _ = start()
    pids = fake_slurm.folder / "srun.n1"
    wait_until(lambda: pids.exists() and pids.read_text())
    environment = Path(f"/proc/{pids.read_text().strip()}/environ").read_bytes().split(b"\0")
    known = dict(entry.decode().partition("=")[::2] for entry in environment if entry)
    there = place({**known, "SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1"})
    assert there["slurm_step"] == steps._steps.names["n1"]


def test_why_no_agent_works_is_said_in_slurms_words(start, wait_until):
    steps, _, _ = start()
    assert steps.expected == 2
    words = "the agents on n1, n2 have not started yet: "
    wait_until(
        lambda: steps.waiting == f"{words}srun: Job step creation temporarily disabled, retrying"
    )
    steps.wait_until_ready()
    assert steps.waiting == ""


def test_the_end_lets_agents_go(start):
    steps, agents, _ = start()
    steps.close()
    assert agents.dismissed == ["agent"]
