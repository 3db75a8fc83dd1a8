import dataclasses
import errno
import json
from types import SimpleNamespace

import pytest

from hybrid_swin.system.files import write_json_atomically
from search.execution.job import Node
from search.records.progress import PROGRESS_FILE
from search.reporting.status import progress_writer
from search.reporting.status.progress_file import ProgressFile
from search.reporting.status.progress_writer import ProgressWriter


class Heard:
    """A view that keeps what it is told."""

    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        return lambda *given: self.told.append((name, *given))


@pytest.fixture
def executor():
    return SimpleNamespace(slots=3, nodes=[Node("alpha", 2, 1), Node("beta", 1, 0)], waiting="")


@pytest.fixture
def view(tmp_path, executor):
    heard = Heard()
    return ProgressFile(heard, ProgressWriter(tmp_path, executor), heard.mirrored)


def read(tmp_path):
    return json.loads((tmp_path / PROGRESS_FILE).read_text())


def test_it_tells_what_runs(view, make_study, tmp_path, monkeypatch):
    monkeypatch.setattr(progress_writer, "_LEAST_SECONDS", 0.0)
    study = make_study()
    spec, result = study.trial(0, 0.5)
    view.expect(31)
    told = {"total": 31, "about": False, "by_folder": {}}
    nodes = [{"name": "alpha", "slots": 2, "busy": 1}, {"name": "beta", "slots": 1, "busy": 0}]
    places = {"slots": 3, "nodes": nodes, "waiting": ""}
    assert read(tmp_path) == {"schema_version": 1, **told, **places, "running": {}}
    view.started(spec, "beta-worker-0")
    view.epoch(spec, "beta-worker-0", {"epoch": 2, "epochs": 9, "score": float("nan")})
    (running,) = read(tmp_path)["running"].values()
    assert 0 < running.pop("since") <= running.pop("last_epoch")
    where = {"worker": "beta-worker-0", "node": "beta"}
    assert running == {**where, "epoch": 2, "epochs": 9, "score": None}
    view.finished(spec, result, "beta-worker-0")
    view.note("a word")
    view.expect(30, {"trials": 30}, about=True)
    assert read(tmp_path)["running"] == {}
    assert (read(tmp_path)["by_folder"], read(tmp_path)["about"]) == ({"trials": 30}, True)
    names = [call[0] for call in view._view.told]
    assert names == ["expect", "started", "epoch", "finished", "mirrored", "note", "expect"]
    ended = ("finished", spec, result, "beta-worker-0")
    assert view._view.told[3:5] == [ended, ("mirrored", spec.key)]


def test_what_happens_to_hundreds_of_runs_is_written_once_a_second(
    view, make_study, tmp_path, monkeypatch
):
    """Each writing holds all that runs, so one for each start would take ever longer."""
    begin, now, writes = progress_writer.time.monotonic(), [0.0], []
    monkeypatch.setattr(progress_writer.time, "monotonic", lambda: begin + now[0])
    real = progress_writer.write_json_atomically
    monkeypatch.setattr(
        progress_writer, "write_json_atomically", lambda *given: (writes.append(1), real(*given))
    )
    spec, _ = make_study().trial(0, 0.5)
    runs = [dataclasses.replace(spec, key=f"trials/{index:04d}") for index in range(300)]
    view.expect(300)
    for number, run in enumerate(runs):
        now[0] = number // 100 * 1.5  # a hundred at each of three moments
        view.started(run, f"worker-{number}")
        view.epoch(run, f"worker-{number}", {"epoch": 1, "epochs": 9, "score": 0.5})
        view.waits(runs[0])
        view.tick()
    assert len(writes) == 3
    assert len(read(tmp_path)["running"]) == 200
    for _ in range(2):
        now[0] += 1.5
        view.tick()
        assert len(writes) == 4
    assert len(read(tmp_path)["running"]) == 299


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_folder_that_cannot_be_written_costs_nothing(view, make_study, monkeypatch, number):
    spec, _ = make_study().trial(0, 0.5)

    def refuse(*_):
        raise OSError(number, "refused")

    monkeypatch.setattr("os.fsync", refuse)
    view.expect(3)
    view.started(spec, "worker-0")
    assert len(view._view.told) == 2


def test_a_tick_tells_of_machines_and_of_what_waits(view, executor, tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress_writer.time, "monotonic", lambda: now[0])
    view.expect(3)
    executor.nodes, executor.waiting = executor.nodes[:1], "no node with 2 GPUs"
    view.tick()  # too soon after the last writing
    assert (len(read(tmp_path)["nodes"]), read(tmp_path)["waiting"]) == (2, "")
    now[0] += 2
    view.tick()
    assert [node["name"] for node in read(tmp_path)["nodes"]] == ["alpha"]
    assert read(tmp_path)["waiting"] == "no node with 2 GPUs"
    (tmp_path / PROGRESS_FILE).unlink()
    now[0] += 2
    view.tick()  # nothing has changed
    assert not (tmp_path / PROGRESS_FILE).exists()


def test_it_is_written_after_the_clock_was_set_back(view, make_study, tmp_path, monkeypatch):
    spec, _ = make_study().trial(0, 0.5)
    now, day = [progress_writer.time.monotonic()], 86_400
    monkeypatch.setattr(progress_writer.time, "monotonic", lambda: now[0])
    view.started(spec, "worker-0")
    now[0] += 2
    today = progress_writer.time.time()
    monkeypatch.setattr(progress_writer.time, "time", lambda: today - day)
    view.epoch(spec, "worker-0", {"epoch": 1, "epochs": 3, "score": 0.5})
    assert read(tmp_path)["running"][spec.key]["epoch"] == 1


def test_it_is_there_from_the_start_and_says_why_nothing_begins(executor, tmp_path):
    executor.waiting = "no machine has joined"
    before = {"total": 9, "about": True, "by_folder": {"trials": 9}}
    old = {"schema_version": 1, **before, "running": {"trials/0001": {"worker": "w"}}}
    write_json_atomically(tmp_path / PROGRESS_FILE, old)
    writer = ProgressWriter(tmp_path, executor, "its images are read")
    told = read(tmp_path)
    assert (told["waiting"], told["running"]) == ("its images are read", {})
    assert {name: told[name] for name in before} == before
    writer.look()  # they have been read
    assert read(tmp_path)["waiting"] == "no machine has joined"
    executor.nodes, executor.waiting = [], ""
    writer.look()  # too soon after the last writing
    assert read(tmp_path)["waiting"] == "no machine has joined"
