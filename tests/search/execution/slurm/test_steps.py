"""Steps of an allocation; srun is faked."""

import pytest

from hybrid_swin.errors import InputError
from search.execution.slurm.steps import Steps, nodes_of_allocation


@pytest.fixture
def srun(fake_slurm, monkeypatch):
    """A command that a test writes."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr("search.execution.slurm.steps._TO_LEAVE", 0.1)

    def write(text):
        file = fake_slurm.folder / "srun"
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    return write


def test_one_step_on_each_node_which_shares_what_the_job_has(srun, tmp_path, wait_until):
    srun('echo "$@"; exec sleep 60')
    steps = Steps(["n1", "n2"], ["agent", "it"], tmp_path / "logs")
    try:
        wait_until(lambda: all((tmp_path / f"logs/{n}.log").read_text() for n in ("n1", "n2")))
        assert steps.restarted() == []
    finally:
        steps.close()
    words = (tmp_path / "logs/n2.log").read_text().split()
    assert {"--jobid=7", "--nodelist=n2", "--ntasks=1", "--overlap"} < set(words)
    assert words[-2:] == ["agent", "it"]


def test_steps_that_end_at_once_end_the_study(srun, tmp_path, wait_until):
    srun("echo srun: error: no such step; exit 1")
    steps = Steps(["n1"], ["agent"], tmp_path)
    with pytest.raises(InputError, match="no agent starts on n1: srun: error: no such step"):
        wait_until(lambda: steps.restarted() is None)
    assert (tmp_path / "n1.log").read_text().count("no such step") == 3


def test_a_step_that_has_worked_is_started_again(srun, tmp_path, wait_until):
    srun("exit 1")
    steps = Steps(["n1"], ["agent"], tmp_path)
    for _ in range(5):
        steps.joined("n1")
        wait_until(lambda: steps.restarted() == ["n1"])
    steps.close()


def test_steps_want_an_allocation(monkeypatch):
    for name in ("SLURM_JOB_NODELIST", "SLURM_NODELIST"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=r"not a job of Slurm .*--executor\.agents jobs"):
        nodes_of_allocation()
