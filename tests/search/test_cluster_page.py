"""The five commands of the page on clusters, each with real workers: one leaderboard."""

import os
import re
import shlex
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/cluster.md"
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
