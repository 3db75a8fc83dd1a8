import time

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import write_json_atomically
from search.records.runs import FailureRecord, write_failure
from search.records.study_folder import locked
from search.reporting.status import table
from search.reporting.status.lock_holder import PROCESSES
from search.reporting.status.status import Group, NodeUse, Watcher
from search.reporting.status.table import render, what_it_found

ASKED = {"trials": 4, "baselines": [{}], "finalists": {"top": 2, "seeds": 2}, "workers": {}}
needs_proc = pytest.mark.skipif(not PROCESSES.exists(), reason="this system has no /proc")


@pytest.fixture
def study(make_study):
    """Five of twelve runs have ended; one is being trained, one waits."""
    study = make_study(**ASKED)
    study.baseline(0, 0.6, "plain")
    study.trial(0, 0.9, "w_msa")
    study.trial(1, 0.95, "mdta", state="stopped", epochs=5)
    study.trial(2, None, "conv", state="diverged")
    study.reference("logistic regression", 0.99)
    study.trial(3, None, "conv+w_msa", ended=False)
    study.run("finalists/cand/0", "finalist", None, "w_msa", ended=False)
    failure = study.folder / "trials/0003/attempt-1/failure.json"
    write_json_atomically(failure, {"error": "out of memory"})
    progress(study, total=12, slots=2)
    return study


def progress(study, **told):
    about = {"worker": "worker-1", "node": "alpha", "since": time.time() - 60}
    running = {
        "trials/0003": about | {"epoch": 3, "epochs": 20, "score": 0.4},
        "trials/0000": about,  # has ended since
    }
    content = {"schema_version": 1, "running": running, **told}
    write_json_atomically(study.folder / "progress.json", content)


def look(study):
    return Watcher(study.folder).look()


@pytest.fixture
def printed():
    from hybrid_swin.system.console import Console

    def text(status):
        console = Console(width=100)
        with console.capture() as capture:
            console.print(render(status))
        return capture.get()

    return text


@needs_proc
def test_a_study_whose_first_worker_has_not_come(tmp_path, printed):
    """There are no runs yet, and no settings."""
    folder = tmp_path / "begins"
    with locked(folder):
        waiting = {"schema_version": 1, "slots": 0, "waiting": "no machine has joined"}
        write_json_atomically(folder / "progress.json", waiting)
        status = Watcher(folder).look()
        assert (status.activity, status.waiting) == ("running", ())
        assert status.why_waiting == "no machine has joined"
        assert "\nwaiting: no machine has joined" in printed(status)
    assert Watcher(folder).look().why_waiting == ""


def test_a_study_that_was_cut_off(study, printed):
    status = look(study)
    assert (status.activity, status.kind, status.ended, status.total) == (
        "not running",
        "study",
        5,
        12,
    )
    assert status.groups == {
        "trials": Group(3, 4, {"complete": 1, "stopped": 1, "diverged": 1}),
        "baselines": Group(1, 1, {"complete": 1}),
        "finalists": Group(0, 6, {}),
        "references": Group(1, 1, {"complete": 1}),
    }
    (running,) = status.training
    assert (running.key, running.label, running.epoch, running.epochs, running.score) == (
        "trials/0003",
        "conv+w_msa",
        3,
        20,
        0.4,
    )
    assert 59 < running.seconds < 120
    # a stopped run with a higher score and a reference are not the best
    assert (status.best.key, status.best_of) == ("trials/0000", 2)
    assert [f.error for f in status.failures] == ["out of memory"]
    assert status.training_seconds == pytest.approx(5 * 21.8)
    assert len(status.last) == 5
    said = printed(status)
    assert "not running on this machine" in said
    assert "were being trained" in said
    assert "epoch 3/20" in said
    assert "trials/0003, attempt 1: out of memory" in said
    assert "best of 2 single runs so far: val/accuracy 90.0% w_msa (trials/0000)" in said
    assert "flatters" in said


def test_the_time_left_comes_from_the_runs_of_each_kind(make_study):
    study = make_study(**ASKED)
    study.baseline(0, 0.6)
    for number in range(3):
        study.trial(number, 0.9, seconds={"total": 10.0})
    progress(study, total=12, slots=2)
    status = look(study)
    # one trial of 10 s; six finalists of what complete runs took: 3 x 10 s and a baseline of 21.8 s
    assert status.seconds_left == pytest.approx((10 + 6 * (30 + 21.8) / 4) / 2)
    assert "2 at once" in status.basis


NODES = [{"name": "beta", "slots": 1, "busy": 0}, {"name": "alpha", "slots": 2, "busy": 1}]


@needs_proc
def test_machines_with_their_slots_and_what_waits(study, printed):
    progress(study, total=12, slots=3, nodes=NODES, waiting="no node with 2 GPUs")
    with locked(study.folder):
        status = look(study)
    assert status.nodes == (
        NodeUse("alpha", slots=2, busy=1, idle=1, running=("trials/0003",)),
        NodeUse("beta", slots=1, busy=0, idle=1, running=()),
    )
    assert [(run.node, run.worker) for run in status.training] == [("alpha", "worker-1")]
    assert (status.waiting, status.why_waiting) == (("finalists/cand/0",), "no node with 2 GPUs")
    said = printed(status)
    assert "alpha  1 of 2 slots busy, 1 idle\ntrials/0003" in said
    assert "beta  0 of 1 slot busy, 1 idle\n" in said
    assert "1 run waiting: no node with 2 GPUs" in said


@needs_proc
@pytest.mark.parametrize(
    ("busy", "why"), [((1, 1), "workers start on beta, alpha"), ((1, 2), "no free slot")]
)
def test_runs_wait_for_a_slot_only_if_none_is_idle(study, busy, why):
    """As while a machine that has just joined starts its workers."""
    nodes = [{**node, "busy": number} for node, number in zip(NODES, busy, strict=True)]
    nodes[0]["slots"] += busy == (1, 1)
    progress(study, total=12, slots=3, nodes=nodes)
    with locked(study.folder):
        assert look(study).why_waiting == why


@needs_proc
def test_many_runs_and_machines_fit_a_screen(study, printed, monkeypatch):
    monkeypatch.setattr(table, "_RUNS", 0)
    monkeypatch.setattr(table, "_NODES", 1)
    progress(study, total=12, slots=3, nodes=NODES)
    with locked(study.folder):
        said = printed(look(study))
    assert "being trained: 1 run; --format json lists them\nalpha  1 of 2 slots busy" in said
    assert "1 more machine: 0 of 1 slot busy" in said


def test_a_study_that_does_not_run_has_no_machines(study, printed):
    progress(study, total=12, slots=3, nodes=NODES, waiting="no node with 2 GPUs")
    (study.folder / "lock").write_text("1")
    status = look(study)
    assert (status.nodes, status.why_waiting) == ((), "it is not running")
    assert "worker-1 on alpha" in printed(status)
    assert "idle" not in printed(status) and "waiting" not in printed(status)


def test_attempts_that_were_lost_are_counted_by_reason(study, printed):
    records = [
        FailureRecord("the worker was killed by signal 9", node="alpha", worker="worker-0"),
        FailureRecord("the worker was killed by signal 9", node="beta"),
        FailureRecord("took longer than 10 minutes"),
        FailureRecord("it hung: nothing was heard for 5 minutes after epoch 2", hung=True),
        FailureRecord("beta-0a1b was not heard of for 40 s", node="beta-0a1b"),
        FailureRecord("gamma was not heard of for 40 s", node="gamma"),
    ]
    for number, record in enumerate(records, 2):
        (study.folder / f"trials/0003/attempt-{number}").mkdir()
        write_failure(study.folder / f"trials/0003/attempt-{number}", record)
    status = look(study)
    assert status.lost == {
        "killed by signal 9": 2,
        "its machine was not heard of for 40 s": 2,
        "out of memory": 1,  # of a file without a machine
        "took longer than 10 minutes": 1,
        "it hung": 1,
    }
    assert [failure.node for failure in status.failures][:3] == ["", "alpha", "beta"]
    said = " ".join(printed(status).split())
    assert "7 attempts lost: 2 killed by signal 9, 2 its machine was not heard" in said
    assert "1 for other reasons; the last 5:" in said
    assert "trials/0003, attempt 3 on beta: the worker was killed by signal 9" in said


@needs_proc
def test_a_study_that_runs(study, printed):
    with locked(study.folder):
        status = look(study)
        assert status.activity == "running"
        said = printed(status)
    assert f"running by process {status.process}" in said
    assert "being trained" in said
    assert "worker-1" in said


def test_a_finished_study(whole_study, printed):
    study = whole_study()
    ended = look(study).ended
    progress(study, total=ended)
    status = look(study)
    assert (status.activity, status.seconds_left) == ("finished", None)
    assert status.groups["trials"].states == {"complete": 9, "stopped": 2, "failed": 1}
    assert what_it_found(status).endswith(f"\npython search.py leaderboard {study.folder}")


@needs_proc
def test_a_study_that_writes_its_results(whole_study, printed):
    study = whole_study()
    progress(study, total=look(study).ended)
    with locked(study.folder):
        assert "which writes the results" in printed(look(study))


def test_a_space_that_held_fewer_trials(study):
    progress(study, total=12, by_folder={"trials": 3, "audits": 1, "finalists": 6})
    assert look(study).groups["trials"].expected == 3
    assert look(study).groups["audits"].expected == 1


def test_an_estimate_is_said_to_be_one(study, printed):
    study.run("random/0000", "random", 0.5, "conv")
    progress(study, total=27, about=True, by_folder={"trials": 4, "random": 9, "finalists": 10})
    said = printed(look(study))
    assert "6 of about 27 runs ended" in said
    assert "about 21 left" in said
    for row in ("trials      3/4 ", "random      1/about 9 ", "finalists   0/about 10 "):
        assert row in said
    progress(study, total=27, about=False, by_folder={"random": 9})
    assert "about 9 " not in printed(look(study))


def test_a_random_search_has_finalists_too(make_study):
    study = make_study(**ASKED, sampler={"random_search": True})
    assert look(study).groups["finalists"].expected == (1 + 2 * 2) * 2


def test_a_study_of_before_there_was_a_progress_file(make_study):
    study = make_study(**ASKED)
    study.trial(0, 0.5)
    assert (look(study).activity, look(study).total) == ("not running", 12)
    (study.folder / "receipt.json").write_text("{}")
    assert (look(study).activity, look(study).total) == ("finished", 1)
    study.trial(1, 0.5, ended=False)
    assert look(study).activity == "not running"


def test_less_is_better(make_study):
    study = make_study(monitor="val/loss", mode="min")
    study.trial(0, 0.5)
    study.trial(1, 0.25)
    assert look(study).best.key == "trials/0001"


def test_a_comparison_has_no_best(make_study, printed):
    study = make_study(kind="comparison", seeds=3)
    study.run("trials/abc-0", "trial", 0.9, "arm")
    progress(study, total=7, slots=1)
    status = look(study)
    assert (status.kind, status.best, status.ended, status.total) == ("comparison", None, 1, 7)
    assert status.groups == {"trials": Group(1, None, {"complete": 1})}
    assert status.seconds_left == pytest.approx(6 * 21.8)
    assert "runs: 6 of 21.8 s" in printed(status)


@pytest.mark.parametrize(
    "file", ["settings.yaml", "progress.json", "trials/0003/run.json", "trials/0000/run.json"]
)
@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[1]", b"\xff", b'{"running": {"trials/0003": 1}}']
)
def test_torn_and_missing_files_never_fail(study, file, content, printed):
    (study.folder / "lock").touch()
    if content is None:
        (study.folder / file).unlink()
    else:
        (study.folder / file).write_bytes(content)
    status = look(study)
    assert status.ended == 5
    assert "5 " in printed(status)


def test_a_study_that_is_just_beginning(tmp_path, printed):
    with locked(tmp_path):
        status = look_at = Watcher(tmp_path).look()
    assert (look_at.ended, look_at.total, status.best) == (0, None, None)
    assert "0 runs ended" in printed(status)


def test_a_folder_of_no_study(tmp_path):
    with pytest.raises(InputError, match="no study or comparison at"):
        Watcher(tmp_path)
