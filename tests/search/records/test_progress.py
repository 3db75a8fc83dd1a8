"""What the coordinator knows of its runs: read by a schema, and never needed."""

import json
from dataclasses import replace

import pytest

from search.records.progress import NodeRecord, Progress, Running, read_progress

WHOLE = {
    "schema_version": 1,
    "total": 7,
    "about": True,
    "by_folder": {"trials": 5},
    "slots": 2,
    "running": {"trials/0003": {"worker": "worker-0", "since": 5.0, "epoch": 2, "score": None}},
}


def write(folder, content):
    (folder / "progress.json").write_text(json.dumps(content))
    damaged = []
    return read_progress(folder, damaged), [str(error) for error in damaged]


def test_a_whole_file(tmp_path):
    running = {"trials/0003": Running("worker-0", since=5.0, epoch=2)}
    known = Progress(7, True, {"trials": 5}, 2, running=running)
    assert write(tmp_path, WHOLE) == (known, [])
    nodes = [{"name": "alpha", "slots": 2, "busy": 1}]
    found, _ = write(tmp_path, WHOLE | {"nodes": nodes, "waiting": "no GPU"})
    assert found == replace(known, nodes=(NodeRecord("alpha", 2, 1),), waiting="no GPU")
    assert write(tmp_path, WHOLE | {"total": None, "mood": 1})[0].total is None


def test_no_file(tmp_path):
    damaged = []
    assert (read_progress(tmp_path, damaged), damaged) == (Progress(), [])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"total": "seven"}, "total must be a whole number; got 'seven'"),
        ({"total": -1}, "total must be at least 0; got -1"),
        (
            {"running": {"trials/0003": 1}},
            "running.trials/0003 must be a mapping",
        ),
        ({"running": {"trials/0003": {"since": 1e999}}}, "not JSON"),
        ({"by_folder": {"trials": True}}, "by_folder.trials must be a whole number; got True"),
        ({"nodes": [{"name": "alpha"}]}, "nodes"),
        ({"nodes": [{"name": "alpha", "slots": "two"}]}, "slots must be a whole number"),
        ({"schema_version": 2}, "of a later program"),
    ],
)
def test_a_damaged_file_says_nothing_and_is_named(tmp_path, change, reason):
    found, damaged = write(tmp_path, WHOLE | change)
    assert found == Progress()
    assert len(damaged) == 1 and "progress.json" in damaged[0] and reason in damaged[0]
