"""Workers on a Ray cluster of several nodes on this machine; most of them follow a script."""

import importlib.util
import os
import signal
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from hybrid_swin.errors import InputError
from search.execution.executors.ray import Options, start
from search.execution.job import Job, Place
from search.execution.ray_cluster import opening, session
from search.settings.experiment import WorkerSettings

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None or sys.platform != "linux",
        reason="needs Ray (pip install 'hybrid-swin[ray]') on Linux",
    ),
]
PATIENCE = 60  # seconds after which a test has waited in vain

# A worker that imports nothing slow: it follows a script.
SCRIPT = """
import json, os, sys
from multiprocessing.connection import Connection

pipe = Connection(int(sys.argv[1]))
def say(kind, job=None, **data):
    about = {} if job is None else {"key": job["key"], "attempt": job["attempt"], "data": data}
    pipe.send_bytes(json.dumps({"kind": kind, **about}).encode())

say("ready")
while True:
    try:
        job = json.loads(pipe.recv_bytes())
    except EOFError:
        break
    say("started", job)
    say("epoch", job, pid=os.getpid(), actor=os.getppid(), cwd=os.getcwd(), path=sys.argv[0])
    while job["settings"].get("wait") and not os.path.exists(job["folder"] + "/go on"):
        if pipe.poll(0.05):  # its end
            sys.exit()
    say("done", job)
"""
# What Ray's worker processes run first.
SITE = """
import sys
if any("default_worker" in argument for argument in sys.orig_argv):
    from search.execution.executors import local
    local.fork_worker = lambda *_: None
    local.python_command = lambda _, *end: [sys.executable, {script!r}, *end]
"""


@pytest.fixture(scope="module")
def new_cluster(ray_clusters):
    """Makes clusters of one node, on which workers follow the script; a test may add others."""
    made = []

    def make(**head):
        made.append(ray_clusters.RayCluster())
        folder = made[-1].folder
        script = folder / "script.py"
        script.write_text(SCRIPT)
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(SITE.format(script=str(script)))
        made[-1].start(PYTHONPATH=folder / "site")
        made[-1].add(num_cpus=1, **head)
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def cluster(new_cluster):
    """Two nodes of one CPU."""
    made = new_cluster()
    made.add(num_cpus=1)
    return made


@pytest.fixture
def executors(tmp_path, monkeypatch):
    """Makes executors on a cluster, whose messages come into ``said``."""
    made = []
    said = []

    def make(cluster, *, count="auto", most=None, wait=True, **options):
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        workers = WorkerSettings(count=count, accelerator="cpu")
        place = Place(tmp_path / "study", workers, most, said.append, None)
        options = {"address": cluster.address} | options
        made.append(start(Options(**options), place))
        if wait:
            made[-1].wait_until_ready()
        return made[-1]

    make.said = said
    yield make
    for executor in made:
        executor.close()


def job(folder, key="trials/0000", attempt=1, **settings):
    (folder / key).mkdir(parents=True, exist_ok=True)
    return Job(key, attempt, "train", str(folder / key), settings)


def wait_for(executor, *kinds, count=1):
    """All events up to the ``count``-th of these kinds."""
    events, end = [], time.monotonic() + PATIENCE
    while sum(event.kind in kinds for event in events) < count:
        assert time.monotonic() < end, f"no {kinds} among {events}; waits: {executor.waiting}"
        events += executor.events(0.2)
    return events


def wait_until(executor, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, (executor.nodes, executor.waiting)
        assert executor.events(0.2) == []


def ends(pid):
    end = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    return not Path(f"/proc/{pid}").exists()


def test_all_nodes_work_and_what_dies_is_told_and_replaced(cluster, executors, tmp_path):
    executor = executors(cluster)
    wait_until(executor, lambda: executor.free == 2)
    assert executor.slots == 2
    assert sorted((n.slots, n.busy) for n in executor.nodes) == [(1, 0), (1, 0)]
    names = {node.name for node in executor.nodes}
    assert len(names) == 2
    for index in range(2):
        executor.submit(job(tmp_path, f"trials/{index}", wait=True))
    assert executor.free == 0
    epochs = [e for e in wait_for(executor, "epoch", count=2) if e.kind == "epoch"]
    assert {e.worker for e in epochs} == {f"{name}-0" for name in names}
    assert {e.data["cwd"] for e in epochs} == {os.getcwd()}
    wait_until(executor, lambda: [n.busy for n in executor.nodes] == [1, 1])

    # a training: its signal is known
    os.kill(epochs[0].data["pid"], signal.SIGKILL)
    [lost] = wait_for(executor, "lost")
    assert (lost.key, lost.data["error"]) == (
        epochs[0].key,
        "the worker was killed by signal 9",
    )
    # an actor: its training ends as well
    os.kill(epochs[1].data["actor"], signal.SIGKILL)
    [lost] = wait_for(executor, "lost")
    assert lost.key == epochs[1].key
    assert lost.data["error"].startswith(f"the worker on machine {lost.worker[:-2]} was killed")
    assert ends(epochs[1].data["pid"])

    for index in range(2):
        executor.submit(job(tmp_path, f"trials/{index}", attempt=2))
    done = [e for e in wait_for(executor, "done", count=2) if e.kind == "done"]
    assert {(e.key, e.attempt) for e in done} == {("trials/0", 2), ("trials/1", 2)}

    # a job that is cancelled: no event, its training ends, and the worker is replaced
    executor.submit(job(tmp_path, "trials/2", wait=True))
    [_, epoch] = wait_for(executor, "epoch")
    executor.cancel("trials/2")
    assert ends(epoch.data["pid"])
    wait_until(executor, lambda: executor.free == 2)

    driver = executor._driver.pid
    executor.close()
    executor.close()
    assert ends(driver)
    assert not executor._driver.scratch.exists()
    assert not list((tmp_path / "study" / "logs").glob(".ray*"))


def test_a_node_that_is_excluded_returns_its_jobs_and_gets_no_others(cluster, executors, tmp_path):
    executor = executors(cluster)
    wait_until(executor, lambda: executor.free == 2)
    for index in range(2):
        executor.submit(job(tmp_path, f"trials/{index}", wait=True))
    epochs = {e.worker: e for e in wait_for(executor, "epoch", count=2) if e.kind == "epoch"}
    worker = min(epochs)
    assert executor.exclude(worker, "it has images other than the study's")
    [returned] = wait_for(executor, "returned")
    assert returned.key == epochs[worker].key
    why = f"machine {worker[:-2]}: it has images other than the study's"
    assert returned.data == {"error": why} and f"{why}; it is not used" in executors.said
    assert ends(epochs[worker].data["pid"])
    wait_until(executor, lambda: executor.slots == 1)
    executor.submit(job(tmp_path, returned.key, attempt=2))
    (tmp_path / epochs[max(epochs)].key / "go on").touch()
    done = [e for e in wait_for(executor, "done", count=2) if e.kind == "done"]
    assert {e.worker for e in done} == {max(epochs)}


def test_nodes_join_and_leave(cluster, executors, tmp_path):
    executor = executors(cluster, count=2, num_cpus=1, resources={"large": 1}, wait=False)
    wait_until(executor, lambda: executor.waiting)
    *_, text = executors.said  # after the line that Ray starts
    assert text.startswith("waiting: no machine of the Ray cluster can take a worker, which asks")
    assert "asks for 1 CPU, 1 large; the largest" in text
    assert "has 1 CPU, 0 large; ask for less by executor.num_cpus" in text
    executor.submit(job(tmp_path, wait=True))
    assert executor.free == 0
    assert executor.slots == 0

    third = cluster.add(num_cpus=3, resources={"large": 2})
    events = wait_for(executor, "epoch")
    assert executor.waiting == ""
    wait_until(executor, lambda: executor.slots == 2)  # as many as settings say
    [node] = executor.nodes
    os.kill(third["raylet"], signal.SIGKILL)
    [lost] = wait_for(executor, "lost")
    assert (lost.key, lost.attempt) == ("trials/0000", 1)
    assert node.name in lost.data["error"]
    assert ends(events[-1].data["pid"])
    wait_until(executor, lambda: executor.waiting)
    assert executor.slots == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"address": "127.0.0.1:1"}, "nobody listens there .*ray start --head"),
        ({"token": "x" * 64}, "does not take our token; copy ~/.ray/auth_token .*RAY_AUTH_TOKEN"),
        ({"token": None}, "asks for a token, and there is none here; copy ~/.ray/auth_token"),
        ({"token_file": "nowhere"}, "RAY_AUTH_TOKEN_PATH .*nowhere' is not a file"),
        ({"ray_version": "2.9.0"}, "runs other versions: .*2.9.0"),
        ({"python_version": "3.9.1"}, "runs other versions: .*3.9.1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_cluster_that_cannot_be_used_is_one_message(cluster, executors, tmp_path, given, message):
    address = given.get("address", cluster.address)
    token = tmp_path / "token"
    token.write_text(given.get("token", cluster.token.read_text()) or "-" * 64)
    file = tmp_path / given.get("token_file", token)
    said = {name: value for name, value in given.items() if name.endswith("version")}
    before = cluster.order("versions", **said)
    try:
        environment = cluster.environment | {"RAY_AUTH_TOKEN_PATH": str(file)}
        if given.get("token", "") is None:
            environment = {"HOME": str(tmp_path)}  # where Ray looks for a token
        other = SimpleNamespace(address=address, environment=environment)
        with pytest.raises(InputError, match=message) as caught:
            executors(other)
    finally:
        cluster.order("versions", **before)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)
    assert token.read_text() not in str(caught.value)


def test_a_cluster_of_which_no_machine_is_fit_is_one_message(cluster, executors, monkeypatch):
    ours = opening.versions() | {"torch": "1.13.0"}
    monkeypatch.setattr(opening, "versions", lambda: ours)
    with pytest.raises(
        InputError, match=r"machine \S+ has other versions: torch .* \(here 1.13.0\)"
    ):
        executors(cluster)


def test_the_death_of_the_head_ends_the_driver_and_loses_nothing(
    new_cluster, executors, tmp_path, monkeypatch
):
    own = new_cluster()
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "3")  # of 60
    executor = executors(own)
    executor.submit(job(tmp_path, wait=True))
    [_, epoch] = wait_for(executor, "epoch")
    os.kill(own.head["gcs"], signal.SIGKILL)
    with pytest.raises(InputError, match=r"is lost \(its head does not answer\); all"):
        wait_for(executor, "done")
    executor.close()
    assert ends(executor._driver.pid)
    own.close()
    assert ends(epoch.data["pid"])


def test_the_death_of_the_drivers_own_raylet_ends_the_driver(new_cluster, executors, tmp_path):
    """Ray lets such a driver live, with a second node as well, but starts no actor for it."""
    own = new_cluster()
    own.add(num_cpus=1)
    executor = executors(own)
    wait_until(executor, lambda: executor.free == 2)
    driver = executor._driver.pid
    os.kill(driver, signal.SIGTERM)  # for the coordinator; `ray job stop` sends it to all
    executor.submit(job(tmp_path))
    wait_for(executor, "done")
    executor.submit(job(tmp_path, attempt=2, wait=True))
    wait_for(executor, "epoch")
    os.kill(own.head["raylet"], signal.SIGKILL)
    events = []
    with pytest.raises(InputError, match=r"is lost \(its process on this machine died\); all"):
        while True:
            events += wait_for(executor, "lost", "returned")
    assert not [event for event in events if event.kind == "lost"]  # no fault of the job's
    assert ends(driver)


def test_the_death_of_the_raylet_of_our_own_cluster_starts_another(
    cluster, executors, tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(cluster.folder / "site"))  # scripted workers
    own = SimpleNamespace(address="local", environment={})
    executor = executors(own, count=1)
    executor.submit(job(tmp_path, wait=True))
    wait_for(executor, "epoch")
    driver = executor._driver.pid
    [raylet] = [
        pid
        for pid in session._members(driver)
        if b"/raylet/raylet" in read(Path(f"/proc/{pid}/cmdline"))
    ]
    os.kill(raylet, signal.SIGKILL)
    wait_for(executor, "lost")
    executor.submit(job(tmp_path, attempt=2))
    assert [e.kind for e in wait_for(executor, "done")] == ["started", "epoch", "done"]
    assert executor._driver.pid != driver
    assert session._members(driver) == []
    assert "Ray on this machine ended (its process on this machine died); it is started again" in (
        executors.said
    )


def test_the_same_digest_after_a_kill_and_nothing_is_left(tiny, finished):
    """A cluster of its own, with workers that train: the coordinator is killed, and goes on."""
    tiny.write(executor={"name": "ray"}, workers={"count": 2, "checkpoint_seconds": 0.001})
    process = tiny.start()
    tiny.wait_for(lambda: len(tiny.results()) >= 2, process)
    [driver] = [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if b"ray_cluster.driver" in read(folder / "cmdline")
        and f"\nPPid:\t{process.pid}\n".encode() in read(folder / "status")
    ]
    scratch = Path(os.readlink(f"/proc/{driver}/cwd"))
    token = scratch / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
    secret = token.read_bytes()
    of_session = session._members(driver)
    assert len(of_session) > 5
    assert not [pid for pid in of_session if secret in read(Path(f"/proc/{pid}/cmdline"))]
    assert {address.partition(".")[0] for address in listening(of_session)} == {"127"}
    process.kill()
    process.communicate()
    end = time.monotonic() + PATIENCE
    while session._members(driver) or scratch.exists():
        assert time.monotonic() < end, session._members(driver)
        time.sleep(0.05)

    output = tiny.run()
    assert tiny.digest() == finished.digest()
    lines = [line for line in output.splitlines() if "Ray" in line]
    assert lines == ["Ray on this machine: starting workers ..."]  # the terminal is ours
    assert not list((tiny.folder / "logs").glob(".ray*"))


def read(file):
    with suppress(OSError):
        return file.read_bytes()
    return b""


def listening(pids):
    """Addresses on which processes listen."""
    inodes = set()
    for pid in pids:
        with suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    inodes.add(os.readlink(descriptor).removeprefix("socket:[").removesuffix("]"))
    found = []
    for file in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{file}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                words = bytes.fromhex(fields[1].partition(":")[0])[-4:]
                found.append(".".join(str(byte) for byte in reversed(words)))
    return found
