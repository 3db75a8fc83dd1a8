"""Workers from a preloaded server: cheap after the first, alone with their settings, no orphans."""

import json
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Pipe
from pathlib import Path

import pytest

from search.execution import forked_workers as forked
from search.execution.executors import local
from search.execution.executors.local import LocalExecutor
from search.execution.forked_workers import Server
from search.execution.other_process import OtherProcess

PATIENCE = 120  # seconds after which a test has waited in vain
LIGHT = ("json",)  # what a server imports where no worker trains


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def is_gone(pid):
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"  # for init to reap
    except OSError:
        return True


@pytest.fixture
def server(monkeypatch):
    """Make this process's server, for the length of a test."""
    made = []

    def make(*modules):
        made.append(Server(modules))
        monkeypatch.setattr(forked, "_started", made[-1])
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def fork(server):
    """Fork a worker that has nothing to do, and whose output nobody reads."""
    ends = []

    def make(one, **environment):
        ours, theirs = Pipe()
        ends.append(ours)
        with theirs, open(os.devnull, "wb") as output:
            return one.fork(theirs.fileno(), output.fileno(), environment)

    yield make
    for end in ends:
        end.close()


@pytest.fixture
def no_server(monkeypatch):
    """This process has no server yet: one that other tests began may be of another environment."""
    monkeypatch.setattr(forked, "_started", None)
    yield
    if forked._started is not None:
        forked._started.close()


def test_the_second_worker_costs_no_imports(no_server, tmp_path):
    """And the server, which has forked one that trains, still is what may be forked."""
    shared = forked.server()
    assert shared.wait_until_ready() is None
    imports = cpu_seconds(shared.pid)
    executor = LocalExecutor(1, 1, tmp_path)
    try:
        executor.wait_until_ready()
        worker = executor._workers[0].process.pid
        assert cpu_seconds(worker) < min(1.0, imports / 5)
        assert threads(shared.pid) == 1
        assert not any(
            "nvidia" in str(p.resolve()) for p in Path(f"/proc/{shared.pid}/fd").iterdir()
        )
    finally:
        executor.close()
    assert not Path(f"/proc/{worker}").exists()
    assert forked.server() is shared


NOTES = """
import json, os, sys, numpy, random, torch
from search.execution import worker
def note(pipe):
    about = [os.getcwd(), torch.get_num_threads(), os.environ["CUDA_VISIBLE_DEVICES"]]
    print(json.dumps([*about, os.environ.get("LEFT"), os.environ.get("NEW"), sys.path[-1]]))
    print(sys.stdin.read(), os.read(pipe, 9), file=sys.stderr)
    print(random.random(), numpy.random.random(), file=sys.stderr)
    raise SystemExit(3)
worker.main = note
"""


def test_a_worker_is_as_one_that_was_started_by_itself(server, tmp_path, monkeypatch):
    (tmp_path / "notes.py").write_text(NOTES)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setenv("LEFT", "at the server's start")
    monkeypatch.chdir("/")
    server("notes")
    monkeypatch.delenv("LEFT")
    monkeypatch.setenv("NEW", "since")
    monkeypatch.setattr(sys, "path", [*sys.path, "/behind/everything"])
    monkeypatch.chdir(tmp_path)
    environment = dict.fromkeys(forked.THREAD_VARIABLES, "2") | {"CUDA_VISIBLE_DEVICES": "7"}
    drawn = set()
    for _ in range(2):
        ours, theirs = Pipe()
        with ours, theirs, (tmp_path / "output").open("wb") as output:
            ours.send_bytes(b"hello")
            worker = forked.fork_worker(theirs.fileno(), output.fileno(), environment)
            assert worker.wait(PATIENCE) == 3
        lines = (tmp_path / "output").read_text().splitlines()
        seen = next(line for line in lines if line.startswith("["))
        assert json.loads(seen) == [str(tmp_path), 2, "7", None, "since", "/behind/everything"]
        assert any("hello" in line for line in lines)
        drawn |= {number for line in lines if line.startswith("0.") for number in line.split()}
    assert len(drawn) == 4


def test_a_server_with_a_thread_forks_nobody_and_workers_start_by_themselves(
    server, tmp_path, monkeypatch
):
    (tmp_path / "leaves_a_thread.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    script = tmp_path / "worker.py"
    script.write_text(
        "import sys\nfrom multiprocessing.connection import Connection\n"
        "pipe = Connection(int(sys.argv[1]))\n"
        'pipe.send_bytes(b\'{"kind": "ready"}\')\npipe.recv_bytes()\n'
    )
    monkeypatch.setattr(local, "python_command", lambda _, *end: [sys.executable, script, *end])
    refusing = server("leaves_a_thread")
    executor = LocalExecutor(4, 1, tmp_path / "logs")
    try:
        wait_until(lambda: executor.events(0.1) or all(w.ready for w in executor._workers))
        kinds = {type(worker.process) for worker in executor._workers}
    finally:
        executor.close()
    assert kinds == {subprocess.Popen}
    assert refusing.wait_until_ready() == "it has 2 threads"


def test_what_imports_depend_on_must_not_have_changed(server, tmp_path, monkeypatch):
    one = server(*LIGHT)
    assert one.can_serve()
    with monkeypatch.context() as changed:
        first, *others = sys.path
        changed.setattr(sys, "path", [first, str(tmp_path), *others])
        assert not one.can_serve()
    with monkeypatch.context() as changed:
        changed.setenv("PYTHONWARNINGS", "error")
        assert not one.can_serve()
    assert one.can_serve()
    os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: not one.can_serve())


def test_where_there_is_no_server_workers_start_by_themselves(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(forked, "_started", None)
    assert forked.fork_worker(0, 1, {}) is None
    assert forked._started is None


def test_a_worker_can_be_killed_before_and_after_it_has_begun(server, fork):
    one = server(*LIGHT)
    early = fork(one)
    early.kill()
    assert early.wait(PATIENCE) == -signal.SIGKILL
    late = fork(one)
    pid = late.pid
    assert Path(f"/proc/{pid}").exists()
    with pytest.raises(subprocess.TimeoutExpired):
        late.wait(0.01)
    late.kill()
    assert late.wait(PATIENCE) == -signal.SIGKILL
    assert not Path(f"/proc/{pid}").exists()
    ended = fork(one)
    os.kill(ended.pid, signal.SIGUSR1)
    assert ended.wait(PATIENCE) == -signal.SIGUSR1


def test_a_server_from_which_no_worker_comes_is_ended(server):
    one = server(*LIGHT)
    assert forked.server() is one
    forked.close_server()
    assert is_gone(one.pid)
    assert forked._started is None
    forked.close_server()  # there is none


@pytest.mark.parametrize("descriptors", [True, False])
def test_without_its_server_a_worker_is_killed_all_the_same(server, fork, monkeypatch, descriptors):
    """Such a worker may hang, so that the end of its pipe does not end it."""
    if not descriptors:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    monkeypatch.setattr(forked, "_TIME_TO_TELL", 0.1)
    one = server(*LIGHT)
    workers = [fork(one), fork(one)]
    for worker in workers:
        os.kill(worker.pid, signal.SIGSTOP)
    os.kill(one.pid, signal.SIGSTOP)
    workers[0].kill()
    assert workers[0].wait() is None
    assert is_gone(workers[0].pid)
    os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(one.pid))
    with pytest.raises(subprocess.TimeoutExpired):
        workers[1].wait(0.1)
    assert not is_gone(workers[1].pid)
    workers[1].kill()
    assert workers[1].wait() is None
    assert is_gone(workers[1].pid)


@pytest.mark.parametrize("descriptors", [True, False])
def test_a_process_that_has_ended_is_not_taken_for_its_successor(monkeypatch, descriptors):
    if not descriptors:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as former:
        other = OtherProcess(former.pid)
        assert not other.has_ended(0.01)
    assert other.has_ended(0)
    monkeypatch.setattr(other, "_pid", os.getpid())  # which the number now belongs to
    assert other.has_ended(0)
    other.kill()


# A script as users write them: without a guard, so that whatever imports it runs it again.
SCRIPT = """
import ctypes, os, sys, time
from multiprocessing.connection import Pipe
from search.execution.forked_workers import Server
open("begun", "a").write("x")
print("once", flush=True)
server = Server(sys.argv[1:])
print(server.pid, flush=True)
ours, theirs = Pipe()
worker = server.fork(theirs.fileno(), 2, {})
theirs.close()
print(worker.pid, flush=True)
if os.environ.get("CHILD") == "Python's":
    print(os.fork() or time.sleep(1000), flush=True)
elif "CHILD" in os.environ:
    print(ctypes.CDLL(None).fork() or time.sleep(1000), flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize(
    ("imports", "child"),
    [("json", None), ("json", "Python's"), ("json", "of C"), ("time_to_be_killed", None)],
)
def test_nobody_outlives_a_coordinator_that_is_killed(tmp_path, imports, child):
    """Neither while they serve nor, at once, while the server still imports.

    A child that the coordinator forked, as a pool of processes does, changes nothing.
    """
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "time_to_be_killed.py").write_text("import time\ntime.sleep(1000)\n")
    places = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])
    process = subprocess.Popen(
        [sys.executable, "-P", str(script), imports],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": places, **({"CHILD": child} if child else {})},
        text=True,
    )
    children = []
    try:
        assert process.stdout.readline() == "once\n"
        pids = [int(process.stdout.readline())]
        if imports == "json":
            pids.append(int(process.stdout.readline()))
        if child:
            children.append(int(process.stdout.readline()))
        assert not any(map(is_gone, pids))
        process.kill()
        process.wait()
        wait_until(lambda: all(map(is_gone, pids)))
        assert not any(map(is_gone, children))
    finally:
        process.kill()
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        left, _ = process.communicate()
    assert left == ""
    assert (tmp_path / "begun").read_text() == "x"
