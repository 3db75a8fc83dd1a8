"""Jobs as ``squeue`` shows them."""

import pytest

from search.execution.slurm.queue import SlurmJob, jobs_named, read_queue

# As Slurm 22.05 prints it, with a site's message above.
QUEUE = """\
*** maintenance on Monday | see the | web page | of us ***
5_4|PENDING|Resources|abc
3|RUNNING|None|(null)
5_1|COMPLETING|None|abc|def
1|CANCELLED by 0|None|
"""


def test_lines_of_the_queue_are_jobs():
    assert read_queue(QUEUE) == [
        SlurmJob("5_4", "PENDING", "Resources", "abc"),
        SlurmJob("3", "RUNNING", "", "(null)"),
        SlurmJob("5_1", "COMPLETING", "", "abc|def"),
        SlurmJob("1", "CANCELLED", "", ""),
    ]


@pytest.mark.parametrize(
    ("state", "stage", "ended", "words"),
    [
        ("PENDING", "waits", False, "waiting"),
        ("REQUEUE_HOLD", "waits", False, "requeue hold"),
        ("RUNNING", "runs", False, "running"),
        ("SUSPENDED", "runs", False, "suspended"),
        ("COMPLETING", "leaves", False, "completing"),
        ("COMPLETED", "done", True, "completed"),
        ("PREEMPTED", "taken", True, "preempted"),
        ("CANCELLED", "taken", True, "cancelled"),
        ("TIMEOUT", "taken", True, "at its time limit"),
        ("FAILED", "failed", True, "failed"),
        ("NODE_FAIL", "failed", True, "lost with its node"),
        ("OUT_OF_MEMORY", "failed", True, "out of memory"),
        ("A_STATE_OF_LATER", "runs", False, "a state of later"),
    ],
)
def test_states_mean_what_slurm_says(state, stage, ended, words):
    job = SlurmJob("1", state)
    assert (job.stage, job.is_over, job.words) == (stage, ended, words)


def test_an_empty_queue_has_no_jobs(fake_slurm):
    assert jobs_named("mine") == []
