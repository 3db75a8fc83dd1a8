"""What is said of actors and drivers that died."""

import pytest

from search.execution.ray_cluster.deaths import cause_of_death, end_of_driver, was_taken


class ActorUnavailableError(Exception):
    """Named as Ray's."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError(
                "The actor died unexpectedly before finishing this task.\n\tclass_name: Slot\nThe "
                "actor is dead because its worker process has died. Worker exit type: "
                "SYSTEM_ERROR Worker exit detail: Worker unexpectedly exits"
            ),
            "the worker on machine n was killed or crashed (Ray: SYSTEM_ERROR)",
        ),
        (
            RuntimeError("The actor died because its node has died. Node Id: 12"),
            "machine n left the Ray cluster",
        ),
        (
            RuntimeError("Task was killed due to the node running low on memory.\nMemory on ..."),
            "Ray ended the worker, since machine n ran out of memory",
        ),
        (
            RuntimeError("type: SYSTEM_ERROR Worker exit detail: Owner's node has crashed."),
            "Ray's process on the study's own machine died",
        ),
        (ActorUnavailableError("rpc"), "the worker on machine n was killed or crashed"),
        (ValueError("first\nsecond"), "the worker on machine n ended: first second"),
    ],
)
def test_the_cause_is_one_line(error, said):
    assert cause_of_death(error, "n") == said


def test_a_machine_that_was_taken_is_no_fault_of_the_job():
    error = RuntimeError("preempted")
    assert not was_taken(error)
    error.preempted = True
    assert was_taken(error)
    assert was_taken(RuntimeError("Worker exit detail: Owner's node has crashed."))


def test_why_a_driver_ended():
    assert end_of_driver(-9, "") == "Ray's driver was killed by signal 9"
    last = "[2026-11-30 12:10:31,154 E 1 2] rpc_client.h:204: Failed to connect to GCS within 60 s"
    assert end_of_driver(1, last) == "its head does not answer"
    assert end_of_driver(1, "") == "its head does not answer"
    assert end_of_driver(1, "MemoryError") == "MemoryError"
    last = "[2026-11-30 12:48:05,212 I 74 74] (raylet) worker_pool.cc:811: Job 01 has started."
    assert end_of_driver(1, last) == "Job 01 has started."
