"""A start that ends before its work begins leaves the disk as it was."""

import contextlib
from types import SimpleNamespace

import pytest

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.system.console import Console
from search.launch import session
from search.launch.study import launch_study
from search.records.locking.study_lock import locked
from search.settings.study import StudySettings


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Begin a study whose workers do what a test says."""
    folder = tmp_path / "runs" / "mine"

    def run(ready=lambda: True, start=lambda: None, source="digits", **options):
        idle = SimpleNamespace(slots=1, nodes=[], waiting="", hardware=None)
        idle.wait_until_ready, idle.require = lambda timeout: ready(), lambda precision: None

        @contextlib.contextmanager
        def workers(*_):
            (folder / "logs").mkdir(exist_ok=True)
            start()
            yield idle

        monkeypatch.setattr(session, "start_workers", workers)
        stage = {"width": 8, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]}
        sizes = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2}
        settings = StudySettings(
            name="mine",
            folder=str(tmp_path / "runs"),
            variant=sizes | {"window_size": 2, "stages": [stage]},
            recipe={"epochs": 2},
            data=DataSettings(source, options),
            trials=0,
        )
        launch_study(settings, Console(quiet=True))

    run.folder = folder
    return run


def refuse(error=None):
    raise error or InputError("no such cluster")


def leave_traces(folder):
    """What executors, agents and their logs make while a start waits for them."""
    (folder / "agents").mkdir()
    (folder / "agents" / "coordinator.beat").write_text("closed 7 3")
    (folder / "logs" / "slurm").mkdir()
    (folder / "logs" / "slurm" / "agents.sh").write_text("#!/bin/sh")
    (folder / "logs" / "ray.log").write_text("Ray was here\n")


def files(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


REFUSALS = {
    "a scheduler refuses the submission": {"start": refuse},
    "nobody listens at the address": {"ready": refuse},
    "Ctrl-C while it waits for a machine": {"ready": lambda: refuse(KeyboardInterrupt())},
    "images that are not there": {"source": "folder", "path": "/nowhere"},
}


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("has_traces", [False, True])
def test_it_leaves_no_folder(begin, tmp_path, case, has_traces):
    given = dict(REFUSALS[case])
    if has_traces:
        then = given.get("start", lambda: None)
        given["start"] = lambda: (leave_traces(begin.folder), then())
    with pytest.raises((InputError, KeyboardInterrupt)):
        begin(**given)
    assert list(tmp_path.iterdir()) == []


def test_what_lay_in_the_folder_stays(begin):
    begin.folder.mkdir(parents=True)
    (begin.folder / "begin.yaml").write_text("name: mine")
    with pytest.raises(InputError, match="no such cluster"):
        begin(start=lambda: leave_traces(begin.folder), ready=refuse)
    assert [entry.name for entry in begin.folder.iterdir()] == ["begin.yaml"]


def test_a_study_that_has_begun_loses_nothing(begin, make_study):
    make_study(begin.folder).trial(0, 0.5)
    before = files(begin.folder)
    with pytest.raises(InputError):
        begin(start=lambda: leave_traces(begin.folder), ready=refuse)
    assert before.items() <= files(begin.folder).items()


def test_a_log_that_the_message_names_stays(begin):
    log = begin.folder / "logs" / "ray.log"
    error = InputError(f"Ray cannot start; {log} says more")
    with pytest.raises(InputError):
        begin(start=lambda: leave_traces(begin.folder), ready=lambda: refuse(error))
    assert log.read_text() == "Ray was here\n"
    assert [entry.name for entry in begin.folder.iterdir()] == ["logs"]


def test_an_agent_that_waits_there_may_wait_for_the_next_start(begin):
    def joined():
        leave_traces(begin.folder)
        (begin.folder / "agents" / "node-1").mkdir()
        (begin.folder / "agents" / "node-1" / "agent.beat").write_text("agent 8 1")

    with pytest.raises(InputError):
        begin(start=joined, ready=refuse)
    assert (begin.folder / "lock").exists() and (begin.folder / "agents" / "node-1").exists()


def test_who_is_kept_out_removes_nothing_of_the_one_who_runs(begin, tmp_path):
    with locked(begin.folder):
        leftover = begin.folder / "progress.json"
        leftover.write_text("{}")
        with pytest.raises(InputError, match="already being run"):
            begin()
        assert leftover.exists() and (begin.folder / "lock").exists()
