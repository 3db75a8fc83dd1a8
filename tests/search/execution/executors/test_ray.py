"""The coordinator's side of Ray, with a driver that follows a script; see ray_cluster/ for Ray."""

import importlib.util
import sys
import time

import pytest

from hybrid_swin.errors import InputError
from search.execution.executors import ray
from search.execution.executors.ray import Options, RayExecutor, start
from search.execution.job import Job, Node, Place
from search.settings.executor import executor_options
from search.settings.experiment import WorkerSettings

PATIENCE = 30  # seconds after which a test has waited in vain

# Answers what it is told to: settings["answers"] of a job, or those in a file for the opening.
DRIVER = """
import json, os, sys, time
from multiprocessing.connection import Connection

pipe = Connection(int(sys.argv[1]))
def say(kind, **about):
    pipe.send_bytes(json.dumps({"kind": kind, **about}).encode())

while True:
    try:
        message = json.loads(pipe.recv_bytes())
    except EOFError:
        break
    if message["kind"] == "open":
        say("state", nodes=[{"name": "a", "slots": 2, "busy": 0}], ready=2, waiting="")
    for answer in message.get("job", {}).get("settings", {}).get("answers", []):
        if answer == "die":
            print("[2026-11-30 E 1 2] x.h:2: Failed to connect to GCS", file=sys.stderr, flush=True)
            os._exit(1)
        say(**answer)
    if message["kind"] == "cancel":
        say("say", text=f"cancelled {message['key']}")
    if message["kind"] == "close":
        break
"""


@pytest.fixture
def executor(tmp_path, monkeypatch):
    """Makes executors on a scripted driver; what they say comes into ``executor.said``."""
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    command = "search.execution.ray_cluster.driver_process.python_command"
    monkeypatch.setattr(command, lambda _, *end: [sys.executable, script, *end])
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    made = []

    def make(most=None, **options):
        said = []
        workers = WorkerSettings(count=2, accelerator="cpu")
        made.append(
            RayExecutor(Options(**options), Place(tmp_path, workers, most, said.append, None))
        )
        made[-1].said = said
        made[-1].wait_until_ready()
        return made[-1]

    yield make
    for each in made:
        each.close()


def job(key="trials/0", attempt=1, *answers):
    return Job(key, attempt, "train", "folder", {"answers": list(answers)})


def event(kind, key="trials/0", attempt=1, **data):
    about = {"kind": kind, "key": key, "attempt": attempt, "worker": "a-0", "data": data}
    return {"kind": "event", "event": about}


def wait_for(executor, count):
    events, end = [], time.monotonic() + PATIENCE
    while len(events) < count:
        assert time.monotonic() < end, events
        events += executor.events(0.2)
    return events


def test_late_events_of_earlier_attempts_are_not_handed_on(executor):
    one = executor()
    assert (one.slots, one.free, one.nodes, one.waiting) == (2, 2, [Node("a", 2, 0)], "")
    late = [event("started", attempt=1), event("done", attempt=1), event("done", "trials/9")]
    one.submit(job("trials/0", 2, *late, event("started", attempt=2), event("done", attempt=2)))
    assert one.free == 1
    assert [(e.kind, e.attempt) for e in wait_for(one, 2)] == [("started", 2), ("done", 2)]
    assert one.free == 2
    # and none at all after a job was cancelled
    one.submit(job("trials/1", 1))
    one.cancel("trials/1")
    one.submit(job("trials/2", 1, event("done", "trials/1"), event("done", "trials/2")))
    assert [e.key for e in wait_for(one, 1)] == ["trials/2"]
    assert one.said == ["cancelled trials/1"]


def test_why_nothing_begins_is_said_at_once_and_again(executor):
    one = executor()
    nothing = {"kind": "state", "nodes": [], "ready": 0, "waiting": "no machine has 9 GPU"}
    one.submit(job("trials/0", 1, nothing, nothing | {"nodes": []}))
    while not one.waiting:
        one.events(0.1)
    assert one.said == ["waiting: no machine has 9 GPU"]
    one.events(0)
    assert len(one.said) == 1
    one._reminder._next = 0.0
    one.events(0)
    one.events(0)
    assert one.said == ["waiting: no machine has 9 GPU"] * 2
    assert (one.slots, one.free) == (0, 0)


def test_the_end_of_a_cluster_of_our_own_costs_no_attempt_until_it_ends_too_often(executor):
    one = executor()
    first = one._driver.pid
    one.submit(job("trials/0", 1, event("started")))
    wait_for(one, 1)
    one.submit(job("trials/1", 1, "die"))
    [returned] = wait_for(one, 1)
    assert (returned.kind, returned.key, returned.attempt) == ("returned", "trials/0", 1)
    assert one.said == ["Ray on this machine ended (its head does not answer); it is started again"]
    # the other had not begun and is given to the new one, where it ends the driver again
    with pytest.raises(InputError, match=r"ended 3 times .*executor.name local"):
        wait_for(one, 1)
    assert one._driver.pid != first


def test_the_end_of_a_cluster_of_others_is_one_message(executor, tmp_path):
    one = executor(address="head:6379")
    one.submit(job("trials/0", 1, "die"))
    with pytest.raises(InputError) as caught:
        wait_for(one, 1)
    assert str(caught.value) == (
        "the Ray cluster at 'head:6379' is lost (its head does not answer); all results are saved: "
        f"give the same command again to go on; {tmp_path}/logs/ray.log says more"
    )
    one.close()
    assert not one._driver.scratch.exists()


def test_what_the_driver_refuses_is_one_message(executor):
    one = executor()
    one.submit(
        job("trials/0", 1, {"kind": "refused", "text": "a machine has another torch"}, "die")
    )
    for _ in range(2):
        with pytest.raises(InputError, match="a machine has another torch"):
            wait_for(one, 1)


def test_what_a_worker_asks_for(executor):
    assert executor()._opening["asks"] == {"CPU": 1.0}
    asking = executor(num_cpus=2, num_gpus=0.25, resources={"large": 1})
    assert asking._opening["asks"] == {"CPU": 2.0, "GPU": 0.25, "large": 1.0}
    assert executor()._opening["own"] == {"num_cpus": 2, "num_gpus": 0}
    fed = executor(most=1)
    assert fed._opening["count"] == 1
    assert fed.said[0].startswith("1 of 2 workers: sampler.lookahead feeds half as many")


def test_the_environment_may_name_the_cluster(executor, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert executor()._opening["address"] == "head:6379"
    assert executor(address="auto")._opening["address"] == "auto"
    assert executor(address="local")._opening["address"] is None
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")  # of `ray job submit`
    with pytest.raises(InputError, match=r"RAY_ADDRESS of the environment, .* of a dashboard"):
        executor()


def test_a_folder_that_ray_deletes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    folder = tmp_path / "session/runtime_resources/working_dir_files/_ray_pkg_1/runs/digits"
    with pytest.raises(InputError, match=r"--working-dir.* which Ray deletes; give --folder"):
        start(Options(), Place(folder, WorkerSettings(), None, print, None))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "ray://head:10001"}, "Ray Client are not supported; give auto or HOST:PORT"),
        ({"address": "somewhere"}, r"'somewhere' must be auto or HOST:PORT, such as head:6379"),
        ({"address": "head:99999"}, "'head:99999' must be auto or HOST:PORT"),
        ({"address": "http://head:8265"}, "is the address of a dashboard, which takes jobs by"),
        ({"address": "redis://:word@head:6379"}, "must not hold a user or a password; give auto"),
        ({"num_gpus": 1.5}, r"executor.num_gpus 1.5 must be a whole number, or below 1"),
        ({"num_gpus": -1}, "executor.num_gpus"),
        ({"num_cpus": 0}, "executor.num_cpus"),
        ({"resources": {"GPU": 1}}, "'GPU': 1; for CPUs and GPUs give executor.num_cpus"),
        ({"resources": {"large": 0}}, "positive numbers .*; got 'large': 0"),
        ({"resources": {"object_store_memory": 1}}, "got 'object_store_memory': 1; for CPUs and"),
        ({"resources": {"gpu": 1}}, "got 'gpu': 1; for CPUs and GPUs give executor.num_cpus"),
        ({"resources": {"bundle": 1}}, "got 'bundle': 1"),
        ({"resources": {"": 1}}, "got '': 1"),
        ({"resources": {"large": 1e-5}}, r"\(0.0001 to 1e\+09\); got 'large': 1e-05"),
        ({"resources": {"large": 1e300}}, r"got 'large': 1e\+300"),
        ({"num_cpus": 1e-5}, "executor.num_cpus 1e-05 is less than Ray can reserve; give at"),
        ({"num_gpus": 1e-5}, "executor.num_gpus 1e-05 is less than Ray can reserve; give at"),
        ({"adress": "auto"}, "did you mean 'address'"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(InputError, match=message) as caught:
        executor_options({"name": "ray", **options})
    assert "word@" not in str(caught.value) and len(str(caught.value)) < 300


def test_without_ray_one_message_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'hybrid-swin\[ray\]'"):
        start(Options(), Place(tmp_path, WorkerSettings(), None, print, None))


def test_resources_of_nodes_and_accelerators_are_taken():
    resources = {"node:10.0.0.1": 0.01, "accelerator_type:A100": 0.001, "large_memory": 1}
    assert executor_options({"name": "ray", "resources": resources}).resources == resources


def test_a_cluster_that_does_not_answer_soon_is_said(executor, monkeypatch):
    made = executor(address="auto")
    made._has_answered = False
    made.events(0)
    assert made.said == []
    monkeypatch.setattr(ray, "_SOON", 0.0)
    made.events(0)
    made.events(0)
    assert made.said == ["waiting: Ray at auto has not answered yet; it has 180 s"]


def test_what_does_not_answer_as_ray_is_said(executor, monkeypatch):
    made = executor(address="127.0.0.1:1")
    monkeypatch.setattr(ray, "_TO_ANSWER", 0.0)
    made.events(0)  # it has answered
    made._has_answered = False
    with pytest.raises(InputError, match=r"'127.0.0.1:1' does not answer as Ray for .*6379"):
        made.events(0)
