"""What Slurm's commands say, in its own words."""

import os

import pytest

from hybrid_swin.errors import InputError
from search.execution.slurm import commands
from search.execution.slurm.commands import RefusedError, UnreachableError, call, reason_of

# As Slurm 22.05 prints them.
PARTITION = """\
sbatch: error: invalid partition specified: nope
sbatch: error: Batch job submission failed: Invalid partition name specified
"""
DOWN = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"


def test_a_refusal_is_one_line_in_slurms_words(fake_slurm):
    fake_slurm.break_down(PARTITION)
    with pytest.raises(RefusedError) as refusal:
        call("sbatch", "--array=1-2", "agent.sh")
    assert str(refusal.value) == (
        "sbatch: invalid partition specified: nope; Invalid partition name specified; "
        "correct executor.partition; `sinfo -s` lists all"
    )


@pytest.mark.parametrize(
    "words",
    [
        DOWN,
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n",
        "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received\n",
        "squeue: error: If munged is up, restart with --num-threads=10\n",
    ],
)
def test_a_controller_that_does_not_answer_is_no_refusal(fake_slurm, words):
    fake_slurm.break_down(words)
    with pytest.raises(UnreachableError):
        call("squeue")


def test_what_hangs_does_not_answer(fake_slurm):
    (fake_slurm.folder / "squeue").write_text("#!/bin/sh\nexec sleep 20\n")
    with pytest.raises(UnreachableError, match=r"not answered for 0\.1 s"):
        call("squeue", seconds=0.1)


def test_without_slurm_the_message_says_where_to_begin(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no sbatch on this machine; begin on a login node"):
        call("sbatch")


def test_each_thing_is_said_once():
    assert reason_of(DOWN * 2) == "Unable to contact slurm controller (connect failure)"
    assert reason_of("sbatch: unrecognized option '--x'\n") == "unrecognized option '--x'"
    assert reason_of("") == ""


def test_commands_know_nothing_of_the_job_around_us(monkeypatch):
    for name in ("SLURM_CONF", "SLURM_JOB_ID", "SLURM_NTASKS", "SLURM_MEM_PER_CPU", "SQUEUE_SORT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setenv("SBATCH_ACCOUNT", "mine")
    outside, inside = commands.outside(), commands.inside()
    kept = {name for name in outside if name.startswith(("SLURM", "SQ", "CUDA", "SBATCH"))}
    assert kept == {"SLURM_CONF", "SBATCH_ACCOUNT"}
    kept = {name for name in inside if name.startswith(("SLURM", "SQ", "CUDA"))}
    assert kept == {"SLURM_CONF", "SLURM_JOB_ID", "CUDA_VISIBLE_DEVICES"}
    assert outside["PATH"] == inside["PATH"] == os.environ["PATH"]
