"""The five commands of the page on clusters, each with real workers: one leaderboard."""

import itertools
import os
import random
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/cluster.md"
RAY = os.path.join(os.path.dirname(sys.executable), "ray")
PATIENCE = 180  # seconds after which a test has waited in vain


def commands():
    """Those of the page's first table."""
    table = PAGE.read_text(encoding="utf-8").partition("## ")[0]
    return [shlex.split(line) for line in re.findall(r"^\|.*\| `(.+)` \|$", table, re.MULTILINE)]


def of_door(words, tiny):
    """A command's words for the door, with a study of ours for the page's."""
    assert words[:5] == ["python", "search.py", "run", "--config", "digits.yaml"]
    return tiny.command(*words[5:])


def test_the_page_has_five_commands():
    assert len(commands()) == 5


def test_a_second_machine(tiny, doors, finished):
    own, second, *_ = commands()
    study = doors.open(*of_door(own, tiny), "--executor.name", "agents")  # so that it is needed
    *command, folder = second
    assert (command, folder) == (["python", "search.py", "work"], "runs/digits")
    tiny.wait_for(lambda: (tiny.folder / "lock").exists(), study)
    agent = doors.open("work", str(tiny.folder), "--count", "2")
    output, _ = study.communicate()
    served, _ = agent.communicate(PATIENCE)
    assert study.returncode == agent.returncode == 0, output + served
    assert tiny.digest() == finished.digest()


def test_a_ray_cluster(tiny, doors, finished):
    pytest.importorskip("ray")
    study = doors.open(*of_door(commands()[2], tiny), "--workers.count", "2")
    output, _ = study.communicate()
    assert study.returncode == 0, output
    assert tiny.digest() == finished.digest()


@pytest.fixture
def ray_head(ray_clusters):
    """A head that a user has started with a dashboard: its address, and variables for commands."""
    reason = "`ray job submit` needs a dashboard: pip install 'ray[default]'"
    pytest.importorskip("ray.dashboard.optional_deps", reason=reason, exc_type=ImportError)
    cluster = ray_clusters.RayCluster()  # no node of it: those do not tell jobs their address
    names = ("port", "dashboard-port", "dashboard-agent-listen-port")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    command = [
        RAY,
        "start",
        "--head",
        "--block",
        "--dashboard-host",
        "127.0.0.1",
        "--num-cpus",
        "2",
    ]
    command += ["--temp-dir", cluster.folder, "--object-store-memory", str(80 * 2**20)]
    command += [f"--{name}={port}" for name, port in ports.items()]
    environment = os.environ | cluster.environment
    environment |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    with (cluster.folder / "log").open("w") as log:
        head = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE
        dashboard = f"http://127.0.0.1:{ports['dashboard-port']}"
        jobs = [RAY, "job", "list", "--address", dashboard]  # it listens before it answers
        while not all(map(listens, ports.values())) or subprocess.call(jobs, env=environment):
            assert head.poll() is None, (cluster.folder / "log").read_text()
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.2)
        yield dashboard, environment
    finally:
        head.terminate()
        head.wait(PATIENCE)
        cluster.close()


def free_ports(count):
    """Below those that the system, and so Ray's other processes, take by themselves."""
    free = (port for port in random.sample(range(20_000, 32_000), 1_000) if not listens(port))
    return list(itertools.islice(free, count))


def listens(port):
    """Whether a process listens on a port, at whatever address."""
    lines = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    return any(re.search(rf":{port:04X} \S+ 0A ", line) for line in lines.splitlines())


def test_a_job_of_ray_ends_in_order_and_the_same_command_goes_on(ray_head, tiny, finished):
    dashboard, environment = ray_head
    [line] = re.findall(r"^\$ (ray job submit .*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    words = shlex.split(line)
    assert words[4:8] == ["http://127.0.0.1:8265", "--", "python", "/shared/hybrid-swin/search.py"]
    assert words[8:13] == [*"run --config /shared/digits.yaml --folder /shared/runs".split()]
    door, study = str(ROOT / "search.py"), tiny.command(*words[13:])

    def ray(*command):
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen([RAY, *command], env=environment, cwd=tiny.root, **given)

    def submit(name):
        job = ("--submission-id", name, "--", sys.executable, door, *study)
        return ray("job", "submit", "--address", dashboard, *job)

    first = submit("first")
    tiny.wait_for(lambda: len(tiny.results()) >= 2, first, PATIENCE)
    stopped, _ = ray("job", "stop", "--address", dashboard, "first").communicate(timeout=PATIENCE)
    assert "was stopped" in stopped
    output, _ = first.communicate(timeout=PATIENCE)
    assert "interrupted; started again, it continues where it ended" in output, output
    output, _ = submit("second").communicate(timeout=PATIENCE)
    assert "'second' succeeded" in output, output
    assert "going on: " in output and tiny.digest() == finished.digest()


def test_slurm_in_one_job_and_in_many(tiny, doors, slurm, finished, monkeypatch):
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    python = os.path.dirname(sys.executable)
    monkeypatch.setenv("PATH", os.pathsep.join([python, os.environ["PATH"]]))
    sbatch, script, *words = commands()[3]
    assert (sbatch, script, words) == ("sbatch", "study.sh", ["run", "--config", "digits.yaml"])
    log = tiny.root / "log"
    given = ("--parsable", "--cpus-per-task=1", f"--output={log}", f"--chdir={ROOT}")
    path = ROOT / "configs/slurm" / script
    job = slurm.command(sbatch, *given, str(path), *tiny.command("--workers.count", "2"))
    end = time.monotonic() + PATIENCE
    while slurm.command("squeue", "-h", f"--job={job}", "--states=all", "-o", "%T") != "COMPLETED":
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.5)
    assert tiny.digest() == finished.digest(), log.read_text()
    tiny.folder.rename(tiny.root / "in-one-job")
    study = doors.open(*of_door(commands()[4], tiny), "--executor.poll_seconds", "0.3")
    output, _ = study.communicate()
    assert study.returncode == 0, output
    assert tiny.digest() == finished.digest()
    time.sleep(1)
    assert slurm.command("squeue", "-h").strip() == ""
