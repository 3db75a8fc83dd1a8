"""Studies on a real Slurm of two nodes on this machine; without it the tests say why they skip."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from hybrid_swin.errors import InputError
from search.execution.executors.slurm import Options
from search.settings.executor import executor_options

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs/cluster.md"
STUDY = ROOT / "configs/slurm/study.sh"


@pytest.fixture
def queue(slurm, monkeypatch):
    """Commands lead to the test's Slurm, and jobs to the Python of the tests."""
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    folder = os.path.dirname(sys.executable)
    monkeypatch.setenv("PATH", os.pathsep.join([folder, os.environ["PATH"]]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return slurm


def states(slurm):
    """State by the job's number."""
    lines = slurm.command("squeue", "-h", "-r", "--states=all", "--format=%i %T").splitlines()
    return dict(line.split() for line in lines)


def wait_until(condition, what, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited for {what()} in vain"
        time.sleep(0.1)


def words_of_page(begin):
    """The command in the page's part on Slurm that begins so."""
    page = PAGE.read_text(encoding="utf-8").partition("\n## Slurm\n")[2]
    lines = page.partition("\n## ")[0].splitlines()
    (line,) = (line for line in lines if line.startswith(f"$ {begin} "))
    return shlex.split(line)[1:]


def agents_of(study):
    """The agents that are there, as they say of themselves."""
    files = sorted(study.folder.glob("agents/*/agent.json"))
    return [json.loads(file.read_text()) for file in files]


def failures(study):
    return [json.loads(file.read_text()) for file in study.folder.rglob("failure.json")]


@pytest.mark.cluster
def test_a_study_in_an_allocation_is_saved_requeued_and_continued(queue, tiny, finished):
    """The script to copy, with its signal before the limit at half of the runs."""
    sbatch, script, *command = words_of_page("sbatch")
    assert (script, command) == (STUDY.name, ["run", "--config", "digits.yaml"])
    log = tiny.root / "log"
    job = queue.command(
        *(sbatch, "--parsable", "--cpus-per-task=1", f"--output={log}", f"--chdir={ROOT}"),
        *(str(STUDY), *tiny.command("--workers.count", "2")),
    )
    say = lambda: log.read_text() if log.exists() else states(queue)  # noqa: E731
    wait_until(lambda: len(tiny.results()) >= 2, say)
    os.kill(agents_of(tiny)[0]["process"], signal.SIGKILL)  # and with it its step
    wait_until(lambda: len(tiny.results()) >= 4, say)
    begin = time.monotonic()
    queue.command("scancel", "--batch", "--signal=USR1", job)
    wait_until(lambda: states(queue)[job] == "PENDING", say, 30)
    assert time.monotonic() - begin < 30
    assert (tiny.folder / "leaderboard.csv").exists()
    assert "started again, it continues" in log.read_text()
    kept = tiny.results()
    assert 4 <= len(kept) < len(finished.results())
    # Else in two minutes. In the second of its requeue a node would refuse to start it.
    queue.command("scontrol", "update", f"job={job}", "StartTime=now+3")
    wait_until(lambda: states(queue)[job] == "COMPLETED", say)
    assert tiny.digest() == finished.digest()
    assert {key: tiny.results()[key] for key in kept} == kept
    assert len(failures(tiny)) <= 1
    assert all("was killed" in failure["error"] for failure in failures(tiny))
    assert "joins with 1 worker" in log.read_text()
    assert "Traceback" not in log.read_text()
    agents = {path.name for path in (tiny.folder / "logs/slurm").iterdir()}
    assert {"n1.log", "n2.log"} <= agents


@pytest.mark.cluster
def test_a_cancelled_job_saves_and_stays_cancelled(queue, tiny, finished):
    log = tiny.root / "log"
    script = tiny.root / "script.sh"
    # A job of one process instead of the agents, so that it begins at once.
    script.write_text(STUDY.read_text().replace("--executor.name slurm", ""))
    job = queue.command(
        *("sbatch", "--parsable", "--cpus-per-task=1", "--nodes=1", f"--output={log}"),
        *(f"--chdir={ROOT}", str(script), *tiny.command()),
    )
    say = lambda: log.read_text() if log.exists() else states(queue)  # noqa: E731
    wait_until(lambda: len(tiny.results()) >= 2, say)
    queue.command("scancel", job)
    wait_until(lambda: states(queue)[job] == "CANCELLED", say, 30)
    assert "started again, it continues" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert failures(tiny) == []
    tiny.run()
    assert tiny.digest() == finished.digest()


@pytest.mark.cluster
def test_a_login_node_submits_replaces_and_cancels_jobs(queue, tiny, finished):
    """The command is killed, then a job preempted, and the agent in the other one killed."""
    *command, name, slurm, jobs, two = words_of_page("python search.py run")
    assert command == ["python", "search.py", "run", "--config", "digits.yaml"]
    more = (name, slurm, jobs, two, "--workers.count", "2")
    tiny.write(executor={"name": "slurm", "poll_seconds": 0.3, "setup": ["export MARK=here"]})
    before = set(states(queue))

    def running():
        return {job for job, s in states(queue).items() if s == "RUNNING" and job not in before}

    process = tiny.start(*more)
    try:
        tiny.wait_for(lambda: len(tiny.results()) >= 2 and len(agents_of(tiny)) == 2, process)
        process.kill()
        process.communicate()
        mine = running()
        assert len(mine) == 2
        process = tiny.start(*more)
        tiny.wait_for(lambda: len(tiny.results()) >= 3, process)
        assert running() == mine  # the jobs were taken over
        by_job = {one["place"]["slurm_job"]: one for one in agents_of(tiny)}
        node = by_job[min(mine)]["place"]["slurm_node"]
        all_of_it = ("--cpus-per-task=2", f"--nodelist={node}", "--output=/dev/null")
        queue.command("sbatch", "--partition=urgent", *all_of_it, "--wrap=true")
        tiny.wait_for(lambda: "PREEMPTED" in states(queue).values(), process)
        for job in running() & mine:
            os.kill(by_job[job]["process"], signal.SIGKILL)
        output, _ = process.communicate(timeout=120)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert tiny.digest() == finished.digest()
    assert len(failures(tiny)) <= 1  # the preempted job's agent has left in order
    assert all("was killed" in failure["error"] for failure in failures(tiny))
    assert running() == set()
    assert len(set(states(queue)) - before) >= 3  # of which two at once
    assert not (tiny.folder / "agents").exists()


@pytest.mark.cluster
def test_a_refused_submission_is_said_before_work(queue, tiny):
    output = tiny.run("--executor.name", "slurm", "--executor.partition", "nope", code=2)
    assert "error: sbatch: invalid partition specified: nope; Invalid partition name" in output
    assert not (tiny.root / "runs").exists()


def test_a_machine_without_slurm(tiny, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    output = tiny.run("--executor.name", "slurm", code=2)
    assert "there is no sbatch on this machine" in output


def test_options_are_words_of_sbatch():
    given = {"partition": "gpu", "gres": "gpu:2", "time": "4:00:00", "cpus": 8, "memory": "16G"}
    options = executor_options({"name": "slurm", **given, "arguments": ["--exclude=n7"]})
    assert options.words == [
        *("--partition=gpu", "--gres=gpu:2", "--time=4:00:00", "--cpus-per-task=8", "--mem=16G"),
        "--exclude=n7",
    ]
    assert Options().words == ["--cpus-per-task=1"]


def test_the_settings_of_the_page_are_options():
    listings = re.findall(r"```yaml\n(executor:.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    executors = [yaml.safe_load(listing)["executor"] for listing in listings]
    (executor,) = (one for one in executors if one["name"] == "slurm")
    assert "--time=4:00:00" in executor_options(executor).words


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_jobs": 0}, "executor.max_jobs must be at least 1; got 0"),
        ({"partitions": "x"}, "did you mean 'partition'"),
        ({"agents": "step"}, "did you mean 'steps'"),
        ({"arguments": ["exclude=n7"]}, "'exclude=n7' is not an option of sbatch"),
        ({"arguments": ["--array=1-9"]}, "'--array=1-9' is set by the executor itself"),
        ({"arguments": ["--arr=1-9"]}, "'--arr=1-9' is set by the executor itself"),
        ({"arguments": ["-a1-9"]}, "'-a1-9' is set by the executor itself"),
        ({"arguments": ["--"]}, "'--' is not an option of sbatch"),
        ({"arguments": ["-"]}, "'-' is not an option of sbatch"),
        ({"arguments": ["--exclude=n7\n"]}, "executor.arguments has a character that nobody sees"),
        ({"partition": "a\nb"}, "executor.partition has a character that nobody sees"),
        ({"setup": ["module load x\nrm y"]}, "executor.setup has a character that nobody sees"),
        ({"account": "a\x1b[31m"}, "executor.account has a character that nobody sees"),
        ({"qos": "--wrap=x"}, "executor.qos must be one word that does not begin with a dash"),
        ({"constraint": "a b"}, "executor.constraint must be one word"),
        ({"time": " 5"}, "executor.time ' 5' must be minutes, or as '4:00:00'"),
        ({"arguments": ["--clusters=gpu"]}, "set SLURM_CLUSTERS in the environment instead"),
        ({"arguments": ["--clu=gpu"]}, "'--clu=gpu' would send jobs where squeue and scancel"),
        ({"arguments": ["-Mgpu"]}, "'-Mgpu' would send jobs where squeue and scancel do not"),
        (
            {"arguments": ["--mem=3"]},
            "'--mem=3' is an option of the executor: give it as executor.m",
        ),
        ({"arguments": ["-t4:00"]}, "give it as executor.time"),
        ({"arguments": ["--cpus-per=3"]}, "give it as executor.cpus"),
        ({"setup": ["export WANDB_API_KEY=hunter2"]}, "executor.setup holds a password or a token"),
        ({"setup": ["PGPASSWORD='hunter2'"]}, "jobs have the environment of this command: export"),
        ({"arguments": ["--export=ALL,HF_TOKEN=hunter2"]}, "executor.arguments holds a password"),
        ({"memory": "32"}, "executor.memory '32' is 32 MB to Slurm; write 32G or 32M"),
        ({"memory": "1.5G"}, "executor.memory '1.5G' must be a whole number with a unit"),
        ({"memory": "lots"}, "executor.memory 'lots' must be a whole number with a unit"),
        ({"time": "4:00"}, "write '4:00:00' for hours and minutes, or 4 for minutes"),
        ({"time": "4h"}, "executor.time '4h' must be minutes, or as '4:00:00'"),
        ({"time": -5}, "executor.time '-5' must be minutes"),
        ({"time": 0}, "executor.time '0' is no limit to Slurm; give at least 3 minutes"),
        ({"time": "0-0:00"}, "executor.time '0-0:00' is no limit to Slurm"),
        ({"time": "0:02:59"}, "executor.time '0:02:59' is too short to work in; give at least 3"),
        ({"cpus": 0}, "executor.cpus must be at least 1; got 0"),
        ({"idle_minutes": 0}, "executor.idle_minutes must be above 0; got 0"),
    ],
)
def test_options_that_cannot_be_used(given, message):
    with pytest.raises(InputError) as error:
        executor_options({"name": "slurm", **given})
    assert message in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("time", value)
            for value in (3, "90", "0:03:00", "1-0", "1-12:00:00", "0-1", "INFINITE")
        ),
        ("setup", ["export HF_TOKEN=$(cat ~/token)", "export TOKENIZERS_PARALLELISM=false"]),
        ("setup", ["export RAY_AUTH_TOKEN_PATH=/home/u/token", 'export PGPASSWORD="$OTHER"']),
        *(("memory", value) for value in ("0", "512M", "1t", "16GB")),
        ("arguments", ["--cluster-constraint=x", "--mem-per-gpu=9G", "-wn7", "--exclusive"]),
    ],
)
def test_words_that_slurm_takes_as_they_are_meant(name, value):
    read = getattr(executor_options({"name": "slurm", name: value}), name)
    assert read == (tuple(value) if isinstance(value, list) else value)


def test_what_is_for_jobs_alone_is_said_of_steps():
    given = {"agents": "steps", "gres": "gpu:2", "setup": ["module load cuda"]}
    assert executor_options({"name": "slurm", **given}).of_jobs == ["gres", "setup"]
    assert Options().of_jobs == []


def test_options_that_can_be_used():
    given = {"constraint": "[rack1*2&rack2*4]", "setup": ["set -- 'a  b'"], "memory": "16G"}
    options = executor_options({"name": "slurm", **given, "arguments": ["--exclusive", "-wn7"]})
    assert options.words[-2:] == ["--exclusive", "-wn7"]


@pytest.mark.parametrize(
    ("left", "code", "output"),
    [
        ("1:30", 2, "error: the time limit is too short to save a study in"),
        ("4:59", 2, "error: the time limit is too short to save a study in"),
        ("5:00", 7, "search.py run --executor.name slurm"),
        ("15:00", 7, "search.py run --executor.name slurm"),
        ("4:00:00", 7, "search.py run --executor.name slurm"),
        ("UNLIMITED", 7, "search.py run --executor.name slurm"),
    ],
)
def test_a_job_that_would_be_requeued_without_end_does_not_begin(tmp_path, left, code, output):
    for name, text in (("squeue", f"echo {left}"), ("python", 'echo "$@"; exit 7')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["bash", STUDY, "run"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_ID": "7"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout[:35] + done.stderr[:53]) == (code, output)
