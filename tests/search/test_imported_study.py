"""A study of real trainings that takes over another one's runs: the same however it was run."""

import json
import os
import shutil
import signal

IMPORTS = ("--trials", "8", "--import-trials-top", "4", "--import-trials")


def test_workers_and_kills_change_nothing_and_a_restart_needs_no_source(tiny, finished):
    source = tiny.root / "source"
    shutil.copytree(finished.folder, source)
    output = tiny.run(*IMPORTS, str(source), "--workers.count", "1")
    assert "4 runs taken over, not counted as search cost" in output
    digest, results = tiny.digest(), tiny.results()
    taken = {key: one for key, one in results.items() if one.get("taken_over")}
    assert list(sorted(taken)) == [f"trials/000{i}" for i in range(4)]
    there = finished.results()
    for one in taken.values():
        own = there["/".join(one["taken_over"]["from"].split("/")[-2:])]
        assert (one["score"], one["history"]) == (own["score"], own["history"])
    shutil.rmtree(tiny.folder)
    process = tiny.start(*IMPORTS, str(source), "--workers.count", "2")
    tiny.wait_for(lambda: len(tiny.results()) >= 6, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    shutil.rmtree(source)
    for lost in ("trials/0002/result.json", "trials/0001/validation.npz"):
        (tiny.folder / lost).unlink(missing_ok=True)
    tiny.run("--trials", "8", "--workers.count", "2")
    assert tiny.digest() == digest
    assert {key for key, one in tiny.results().items() if one.get("taken_over")} == taken.keys()
    receipt = json.loads((tiny.folder / "receipt.json").read_text())
    assert receipt["imported"]["candidates"] == 4
