"""A second machine that sees the study's folder: it joins, leaves and dies, and nothing changes."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from search.records.study_file import read_fixed

pytestmark = pytest.mark.cluster
DOOR = Path(__file__).parents[2] / "search.py"
PATIENCE = 120  # seconds after which a test has waited in vain
SLOW = {  # enough epochs for an agent to take part
    "epochs": 40,
    "batch_size": 256,
    "learning_rate": 0.01,
    "shift": 1,
    "drop_path": 0.1,
}


def wait_until(condition, process):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)


def digest(study):
    return json.loads((study.folder / "leaderboard.json").read_text())["digest"]


@pytest.fixture
def elsewhere(tiny):
    """The study's folder as another machine sees it."""
    (tiny.root / "mounted").symlink_to(tiny.root / "runs")
    return str(tiny.root / "mounted" / "tiny")


def test_a_machine_that_joins_dies_and_leaves_changes_nothing(tiny, doors, elsewhere):
    tiny.write(recipe=SLOW, trials=4)
    calm = tiny.run()
    expected = digest(tiny)
    (tiny.root / "runs" / "tiny").rename(tiny.root / "calm")
    study = tiny.start()
    wait_until(lambda: (tiny.folder / "progress.json").exists(), study)
    killed = doors.open("work", elsewhere, "--count", "1")
    agents = tiny.folder / "agents"
    wait_until(lambda: list(agents.glob("*/to_agent.jsonl")), study)

    def busy():
        told = (file.read_bytes() for file in agents.glob("*/to_coordinator.jsonl"))
        return any(b'"started"' in messages for messages in told)

    wait_until(busy, study)
    killed.kill()
    killed.communicate(PATIENCE)
    wait_until(lambda: not list(agents.glob("*/to_agent.jsonl")), study)
    second = doors.open("work", elsewhere, "--count", "1")
    wait_until(busy, study)
    os.kill(second.pid, signal.SIGTERM)
    left, _ = second.communicate(PATIENCE)
    assert second.returncode == 0, left
    assert "left; the study goes on without this machine" in left
    last = doors.open("work", elsewhere, "--count", "1")
    output, _ = study.communicate()
    assert study.returncode == 0, output
    served, _ = last.communicate(PATIENCE)
    assert last.returncode == 0 and "the study is over" in served
    assert "joins with 1 worker" in output and "has left" in output
    assert "was killed" in output
    assert digest(tiny) == expected, (calm, output)
    assert not agents.exists()
    reasons = [json.loads(f.read_text())["error"] for f in tiny.folder.rglob("failure.json")]
    assert len(reasons) <= 1 and all("was killed" in reason for reason in reasons)


def test_two_machines_train_what_the_coordinator_s_own_does_not(tiny, doors, elsewhere):
    """One of them is killed, and so is the coordinator; both machines wait for its next start."""
    tiny.run()
    expected = digest(tiny)
    (tiny.root / "runs" / "tiny").rename(tiny.root / "calm")
    folder = str(tiny.folder)
    first = tiny.start("--executor.name", "agents")
    said = lambda: json.loads(doors.open("status", folder, "--format", "json").communicate()[0])  # noqa: E731
    wait_until(lambda: (tiny.folder / "progress.json").exists(), first)
    wait_until(lambda: "no machine has joined" in said()["why_waiting"], first)
    agents = [doors.open("work", place, "--count", "1") for place in (str(tiny.folder), elsewhere)]
    wait_until(lambda: len(list(tiny.folder.glob("trials/*/result.json"))) >= 2, first)
    first.kill()
    first.communicate(PATIENCE)
    killed = time.monotonic()
    boxes = lambda: [file.read_text() for file in tiny.folder.glob("agents/*/to_coordinator.jsonl")]  # noqa: E731
    wait_until(lambda: all('"forgot"' in box for box in boxes()), agents[0])
    assert time.monotonic() - killed < 20  # it was on their machine
    second = tiny.start("--executor.name", "agents")
    wait_until(lambda: len(list(tiny.folder.glob("trials/*/result.json"))) >= 4, second)
    agents[0].kill()
    agents[0].communicate(PATIENCE)
    output, _ = second.communicate()
    assert second.returncode == 0, output
    served, _ = agents[1].communicate(PATIENCE)
    assert agents[1].returncode == 0 and "the study is over" in served
    assert digest(tiny) == expected
    assert not (tiny.folder / "agents").exists()


def test_a_machine_with_other_images_trains_nothing(tiny, doors):
    """Each machine has the images in its own home."""
    homes = {name: tiny.root / name for name in ("ours", "theirs")}
    digits = load_digits()
    for number, home in enumerate(homes.values()):
        home.mkdir()
        images = digits.images.astype("uint8")
        images[0, 0, 0] += number
        np.savez(home / "images.npz", train_images=images, train_labels=digits.target)
    data = {"source": "npz", "options": {"path": "~/images.npz"}, "train_images": 256}
    tiny.write(data=data, trials=2)
    study = doors.open(*tiny.command("--executor.name", "agents"), HOME=str(homes["ours"]))
    wait_until(lambda: (tiny.folder / "progress.json").exists(), study)
    other = doors.open("work", str(tiny.folder), "--count", "2", HOME=str(homes["theirs"]))
    refused, _ = other.communicate(PATIENCE)
    assert other.returncode == 2, refused
    assert "it has images other than the study's (data_hash " in refused
    same = doors.open("work", str(tiny.folder), "--count", "1", HOME=str(homes["ours"]))
    output, _ = study.communicate(PATIENCE)
    assert study.returncode == 0, output
    assert same.communicate(PATIENCE) and same.returncode == 0
    assert output.count("is not used any more: it has images other than the study's") == 1
    ours = read_fixed(tiny.folder).data["data_hash"]
    assert {result["data_hash"] for result in tiny.results().values()} == {ours}
    assert not list(tiny.folder.rglob("failure.json"))


def test_a_machine_that_sees_a_relative_folder_elsewhere(tiny):
    """Nothing of the coordinator's folder is there but the study's, by another name."""
    separate = ["unshare", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*separate, "true"]).returncode:
        pytest.skip("needs unshare (util-linux), and a kernel that lets users make namespaces")
    tiny.write(trials=2)
    there, elsewhere = tiny.root / "hidden" / "there", tiny.root / "elsewhere"
    there.mkdir(parents=True)
    elsewhere.mkdir()
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    door = f"{shlex.quote(sys.executable)} {shlex.quote(str(DOOR))}"
    command = f"exec {door} run --config ../../study.yaml --folder runs --executor.name agents"
    study = subprocess.Popen(["sh", "-c", command], cwd=there, **how)
    wait_until(lambda: (there / "runs" / "tiny" / "progress.json").exists(), study)
    command = (
        f"mount --bind hidden/there/runs elsewhere && mount -t tmpfs none hidden && cd / && "
        f"exec {door} work {shlex.quote(str(elsewhere))}/tiny --count 1"
    )
    agent = subprocess.Popen([*separate, "sh", "-c", command], cwd=tiny.root, **how)
    output, _ = study.communicate(timeout=PATIENCE)
    served, _ = agent.communicate(timeout=PATIENCE)
    assert study.returncode == 0 and agent.returncode == 0, output + served
    assert f"{there}, where the coordinator works, is not here; relative paths begin at /" in served
    results = [json.loads(f.read_text()) for f in there.glob("runs/tiny/*/*/result.json")]
    assert {result["state"] for result in results} == {"complete"} and len(results) > 3
    assert not list(there.rglob("failure.json"))
    assert json.loads((there / "runs/tiny/leaderboard.json").read_text())["test_reads"]
