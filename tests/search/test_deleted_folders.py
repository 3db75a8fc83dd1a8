"""Folders of a running study are deleted: it goes on, and ends as if nothing had happened."""

import json
import os
import shutil
import time

import pytest

pytestmark = pytest.mark.cluster
PATIENCE = 240  # seconds after which the test has waited in vain
SLOW = {  # enough epochs to be struck
    "epochs": 30,
    "batch_size": 256,
    "learning_rate": 0.01,
    "shift": 1,
    "drop_path": 0.1,
}


def checkpoints(folder):
    """Of attempts that have not ended, by the times at which they were written."""
    found = {}
    for root, _, files in os.walk(folder):
        if "last.ckpt" in files and not os.path.exists(os.path.join(root, "..", "result.json")):
            found[root] = os.stat(os.path.join(root, "last.ckpt")).st_mtime_ns
    return found


def wait_for_training(study, process, agent):
    """Wait until a checkpoint is written; returns its attempt's folder."""
    end, seen = time.monotonic() + PATIENCE, None
    while True:
        assert process.poll() is None, process.communicate()[0]
        assert agent.poll() is None, agent.communicate()[0]
        assert time.monotonic() < end, "nothing is trained any more"
        try:
            now = checkpoints(study.folder)
        except FileNotFoundError:
            continue  # replaced at this moment
        changed = [root for root in now if seen and seen.get(root, now[root]) != now[root]]
        if changed:
            return changed[0]
        seen = now
        time.sleep(0.02)


def delete(path):
    """As rm -rf, while others write there."""
    while os.path.exists(path):
        shutil.rmtree(path, ignore_errors=True)


def test_folders_that_are_deleted_during_trainings_change_nothing(tiny, doors):
    tiny.write(recipe=SLOW, trials=4)
    tiny.run()
    expected = tiny.digest()
    tiny.folder.rename(tiny.root / "calm")
    study = tiny.start("--executor.name", "agents")
    tiny.wait_for(lambda: (tiny.folder / "lock").exists(), study)
    agent = doors.open("work", str(tiny.folder), "--count", "1")
    agents = tiny.folder / "agents"

    wait_for_training(tiny, study, agent)
    (name,) = (home.name for home in agents.glob("*/"))
    for file in (agents / name).iterdir():
        file.unlink(missing_ok=True)
    wait_for_training(tiny, study, agent)
    delete(agents / name)
    wait_for_training(tiny, study, agent)
    delete(agents)
    delete(wait_for_training(tiny, study, agent))
    delete(os.path.dirname(wait_for_training(tiny, study, agent)))

    output, _ = study.communicate(PATIENCE)
    served, _ = agent.communicate(PATIENCE)
    assert study.returncode == 0 and "Traceback" not in output, output
    assert agent.returncode == 0 and "the study is over" in served, served
    assert tiny.digest() == expected, output
    assert not agents.exists()
    said = "".join(output.split())  # lines are wrapped
    assert said.count("itgoesonelsewhere") == 3, output
    deleted = "its folder was deleted while it was under way"
    assert said.count(f"{deleted}; trying again".replace(" ", "")) == 2, output
    errors = [json.loads(f.read_text())["error"] for f in tiny.folder.rglob("failure.json")]
    assert set(errors) <= {deleted}
