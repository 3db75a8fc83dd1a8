"""Workers on this machine: real processes, some of which do the study's work and some a script."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hybrid_swin.errors import InputError
from search.execution.executors import local
from search.execution.executors.local import LocalExecutor
from search.execution.job import Job

PATIENCE = 120  # seconds after which a test has waited in vain


def job(folder, key="trials/0000", attempt=1, **settings):
    (folder / key).mkdir(parents=True, exist_ok=True)
    return Job(key, attempt, "train", str(folder / key), settings)


def wait_for(executor, *kinds, count=1):
    """All events up to the ``count``-th of these kinds."""
    events, end = [], time.monotonic() + PATIENCE
    while sum(event.kind in kinds for event in events) < count:
        assert time.monotonic() < end, f"no {kinds} among {events}"
        events += executor.events(0.2)
    return events


def children():
    """Process ids of our children, unreaped ones included."""
    pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    # pytest's own, such as a coverage server, are not workers
    return {
        int(pid)
        for pid in pids
        if not Path(f"/proc/{pid}/cmdline").read_bytes()
        or b"search.execution.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    }


def pid_of(executor, name):
    return next(w.process.pid for w in executor._workers if w.name == name)


# Workers that train


TRAINING = {
    "plugins": {},
    "data": {"source": "digits"},
    "precision": "32-true",
    "objective": {"monitor": "val/accuracy", "mode": "max"},
    "accelerator": "cpu",
    "devices": 1,
    "checkpoint_seconds": 10.0,
    "code_hash": "c0",
}


def training(folder, key, epochs, **settings):
    stage = {"width": 8, "depth": 1, "num_heads": 2, "blocks": ["conv"]}
    spec = {
        "schema_version": 1,
        "study": "s",
        "key": key,
        "kind": "trial",
        "stage": "search",
        "label": "conv",
        "variant": {
            "image_size": 8,
            "in_channels": 1,
            "num_classes": 10,
            "patch_size": 4,
            "window_size": 2,
            "stages": [stage],
        },
        "recipe": {"epochs": epochs, "batch_size": 512},
        "variant_id": "v",
        "candidate_id": "c",
        "seed": 0,
    }
    return job(folder, key, **TRAINING, cache=str(folder / "cache"), spec=spec, **settings)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two workers that train, started in a folder full of traps."""
    folder = tmp_path_factory.mktemp("two")
    for name in ("search", "json", "torch", "hybrid_swin"):
        (folder / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    here = Path.cwd()
    os.chdir(folder)
    try:
        executor = LocalExecutor(2, 1, folder / "logs")
    finally:
        os.chdir(here)
    while not all(worker.ready for worker in executor._workers):
        executor.events(0.2)
    yield executor
    executor.close()


def test_workers_train_one_job_after_the_other(two, tmp_path):
    assert two.slots == 2
    pids = {w.process.pid for w in two._workers}
    jobs = [training(tmp_path, f"trials/{i:04d}", epochs=2) for i in range(4)]
    for each in jobs:
        two.submit(each)
    events = wait_for(two, "done", count=4)
    for each in jobs:
        mine = [event for event in events if event.key == each.key]
        assert [event.kind for event in mine] == ["started", "epoch", "epoch", "done"]
        assert len({event.worker for event in mine}) == 1
        assert [event.data.get("epoch") for event in mine] == [None, 1, 2, None]
        assert {event.data["epochs"] for event in mine[1:3]} == {2}
        assert (Path(each.folder) / "result.json").exists()
    started = [event.key for event in events if event.kind == "started"]
    assert sorted(started) == [each.key for each in jobs]
    assert {w.process.pid for w in two._workers} == pids
    assert len({event.worker for event in events}) == 2


def test_a_job_that_raises_is_the_last_of_its_worker(two, tmp_path):
    """A broken process would be free at once, and fail whatever waits."""
    pids = {w.name: w.process.pid for w in two._workers}
    two.submit(job(tmp_path))  # settings without anything in them
    two.submit(training(tmp_path, "trials/0001", epochs=0))
    events = wait_for(two, "failed", count=2)
    broken, refused = sorted((e for e in events if e.kind == "failed"), key=lambda e: e.key)
    assert broken.data == {"error": "KeyError: 'plugins'"}
    assert "KeyError" in (tmp_path / "trials/0000/traceback.txt").read_text()
    assert refused.data["input_error"] is True
    assert "epochs" in refused.data["error"]
    now = {w.name: w.process.pid for w in two._workers}
    assert now[broken.worker] != pids[broken.worker]
    assert not Path(f"/proc/{pids[broken.worker]}").exists()
    if refused.worker != broken.worker:  # what the user wrote broke nothing
        assert now[refused.worker] == pids[refused.worker]
    two.submit(training(tmp_path, "trials/0002", epochs=1))
    two.submit(training(tmp_path, "trials/0003", epochs=1))
    wait_for(two, "done", count=2)


def test_a_kill_costs_one_job_and_another_worker_takes_its_place(two, tmp_path):
    two.submit(training(tmp_path, "trials/0000", epochs=100_000))
    [started] = [e for e in wait_for(two, "epoch") if e.kind == "started"]
    pid = pid_of(two, started.worker)
    os.kill(pid, signal.SIGINT)  # is for the coordinator
    wait_for(two, "epoch", count=2)
    os.kill(pid, signal.SIGKILL)
    [lost] = [e for e in wait_for(two, "lost") if e.kind == "lost"]
    assert (lost.key, lost.attempt, lost.worker) == ("trials/0000", 1, started.worker)
    assert lost.data == {"error": "the worker was killed by signal 9"}
    assert pid_of(two, started.worker) != pid
    assert not Path(f"/proc/{pid}").exists()
    # The other one works on meanwhile.
    two.submit(training(tmp_path, "trials/0001", epochs=1))
    wait_for(two, "done")


def test_closing_leaves_nobody(two, tmp_path):
    """The last one of this file's trainings: two jobs run while their workers are ended."""
    for key in ("trials/0000", "trials/0001"):
        two.submit(training(tmp_path, key, epochs=100_000))
    wait_for(two, "epoch")
    pids = [w.process.pid for w in two._workers]
    two.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    two.close()


# Workers that follow a script: the same protocol, without what takes seconds to import

SCRIPT = """
import json, os, signal, sys, time
from multiprocessing.connection import Connection

pipe = Connection(int(sys.argv[1]))
def say(kind, job=None, **data):
    about = {} if job is None else {"key": job["key"], "attempt": job["attempt"], "data": data}
    pipe.send_bytes(json.dumps({"kind": kind, **about}).encode())

stillborn = os.environ.get("STILLBORN")
if stillborn == "before it is ready":
    sys.exit("could not import")
say("ready")
while True:
    try:
        job = json.loads(pipe.recv_bytes())
    except EOFError:
        break
    if stillborn:
        sys.exit("could not import")
    say("started", job)
    do = job["settings"].get("do")
    if do == "exit":
        sys.exit(3)
    if do == "wait":
        time.sleep(1000)
    if do == "break":
        sys.stdout.write("x" * 300_000 + "\\n")
        raise RuntimeError("no such operator")
    if do == "tell":
        say("epoch", job, **{n: os.environ.get(n) for n in job["settings"]["names"]})
    say("done", job)
    if do == "die after":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def scripted(tmp_path, monkeypatch):
    """Make executors whose workers follow the script."""
    script = tmp_path / "search.execution.worker.py"
    script.write_text(SCRIPT)
    monkeypatch.setattr(local, "fork_worker", lambda *_: None)
    monkeypatch.setattr(local, "python_command", lambda _, *end: [sys.executable, script, *end])
    made = []

    def make(count=1, threads=1, gpus=()):
        made.append(LocalExecutor(count, threads, tmp_path / "logs", gpus))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def test_many_jobs_are_each_done_once_in_their_order(scripted, tmp_path):
    executor = scripted(3)
    keys = [f"trials/{i:04d}" for i in range(300)]
    for key in keys:
        executor.submit(job(tmp_path, key))
    events = wait_for(executor, "done", count=300)
    assert sorted(e.key for e in events if e.kind == "done") == keys
    assert len(events) == 600
    for name in ("worker-0", "worker-1", "worker-2"):
        mine = [e.key for e in events if e.kind == "started" and e.worker == name]
        assert mine == sorted(mine)
    assert executor.events(0) == []


def test_a_worker_that_dies_after_its_job_loses_nothing(scripted, tmp_path):
    executor = scripted(1)
    for index in range(5):
        executor.submit(job(tmp_path, f"trials/{index:04d}", do="die after"))
    events = wait_for(executor, "done", "lost", count=5)
    assert {e.kind for e in events} == {"started", "done"}


def test_cancelling_is_silent(scripted, tmp_path):
    executor = scripted(2)
    keys = [f"trials/{i:04d}" for i in range(4)]
    for key in keys:
        executor.submit(job(tmp_path, key, do="wait"))
    events = wait_for(executor, "started", count=2)
    pids = {e.key: pid_of(executor, e.worker) for e in events}
    assert set(pids) == set(keys[:2])
    executor.cancel(keys[0])
    executor.cancel(keys[3])  # waits
    executor.cancel("trials/9999")  # not known
    assert not Path(f"/proc/{pids[keys[0]]}").exists()
    assert Path(f"/proc/{pids[keys[1]]}").exists()
    [started] = wait_for(executor, "started")
    assert started.key == keys[2]
    executor.cancel(keys[2])
    executor.submit(job(tmp_path))
    assert [(e.kind, e.key) for e in wait_for(executor, "done")] == [
        ("started", keys[0]),
        ("done", keys[0]),
    ]


def test_a_worker_that_ends_by_itself_says_with_what(scripted, tmp_path):
    executor = scripted(1)
    executor.submit(job(tmp_path, attempt=4, do="exit"))
    lost = wait_for(executor, "lost")[-1]
    assert (lost.attempt, lost.data) == (4, {"error": "the worker ended with exit code 3"})


def test_a_death_shows_the_last_line_of_its_error_and_where_the_rest_is(scripted, tmp_path):
    executor = scripted(1)
    executor.submit(job(tmp_path, do="break"))
    lost = wait_for(executor, "lost")[-1]
    assert lost.data == {
        "error": "the worker ended with exit code 1",
        "last_line": "RuntimeError: no such operator",
        "log": str(tmp_path / "logs" / "worker-0.log"),
    }
    assert (tmp_path / "logs" / "worker-0.log").stat().st_size > 300_000


def test_waiting_for_workers_ends_with_the_first_or_with_what_is_wrong(
    scripted, tmp_path, monkeypatch
):
    scripted(2).wait_until_ready()
    monkeypatch.setenv("STILLBORN", "before it is ready")
    with pytest.raises(InputError, match="could not import"):
        scripted(2).wait_until_ready()


def test_a_job_is_not_given_to_a_dead_worker(scripted, tmp_path):
    executor = scripted(1)
    executor.submit(job(tmp_path))
    wait_for(executor, "done")
    worker = executor._workers[0]
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    executor.submit(job(tmp_path, "trials/0001"))
    events = wait_for(executor, "done", "lost")
    assert [(e.kind, e.key) for e in events] == [
        ("started", "trials/0001"),
        ("done", "trials/0001"),
    ]


@pytest.mark.parametrize("when", ["before it is ready", "with its job"])
def test_workers_that_cannot_begin_are_given_up(scripted, tmp_path, monkeypatch, when):
    monkeypatch.setenv("STILLBORN", when)
    executor = scripted(2)
    executor.submit(job(tmp_path))
    with pytest.raises(
        InputError,
        match=r"end before they begin a job: .*could not import.*; .*logs/worker-\d\.log says more",
    ):
        wait_for(executor, "done")
    assert "could not import" in (tmp_path / "logs/worker-0.log").read_text()
    executor.close()
    assert not children()


def test_deaths_leave_no_zombies_and_no_open_files(scripted, tmp_path):
    executor = scripted(2)
    executor.submit(job(tmp_path))
    wait_for(executor, "done")
    files, living = len(os.listdir("/proc/self/fd")), len(children())
    for index in range(10):
        executor.submit(job(tmp_path, f"trials/{index:04d}", do="exit"))
        wait_for(executor, "lost")
    for index in range(5):
        executor.submit(job(tmp_path, f"trials/{index:04d}", do="wait"))
        wait_for(executor, "started")
        executor.cancel(f"trials/{index:04d}")
    assert (len(os.listdir("/proc/self/fd")), len(children())) == (files, living)
    executor.close()
    assert len(os.listdir("/proc/self/fd")) == files - 4  # a pipe and an output each
    assert not children()


def test_workers_share_gpus_and_keep_to_their_threads(scripted, tmp_path):
    executor = scripted(3, threads=2, gpus=["3", "GPU-8f6d"])
    names = ["CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]
    told = {}
    for index in range(60):
        executor.submit(job(tmp_path, f"trials/{index:04d}", do="tell", names=names))
    for event in wait_for(executor, "done", count=60):
        if event.kind == "epoch":
            told[event.worker] = event.data
    gpus = {"worker-0": "3", "worker-1": "GPU-8f6d", "worker-2": "3"}
    for worker, data in told.items():
        assert data == {
            "CUDA_VISIBLE_DEVICES": gpus[worker],
            "OMP_NUM_THREADS": "2",
            "MKL_NUM_THREADS": "2",
        }


def test_a_start_that_fails_in_the_middle_leaves_nobody(scripted, monkeypatch):
    real, count = subprocess.Popen, 0

    def third_fails(*arguments, **options):
        nonlocal count
        count += 1
        if count == 3:
            raise OSError("no more processes")
        return real(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", third_fails)
    with pytest.raises(OSError, match="no more"):
        scripted(3)
    assert not children()
