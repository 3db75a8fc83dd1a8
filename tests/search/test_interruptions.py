"""Studies that are cut off, by real signals, and go on: nothing is lost, doubled or left behind."""

import json
import os
import signal
import time
from contextlib import suppress

import optuna
import pytest


def wait_until_gone(pids, is_gone, seconds=20):
    end = time.monotonic() + seconds
    while not all(map(is_gone, pids)):
        assert time.monotonic() < end, "processes were left behind"
        time.sleep(0.05)


def end(process):
    """Reap a process that has been told to end, and give back its exit code and output."""
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def assert_whole(study, reference):
    """The study is what an undisturbed one is: the same rows, every test reading once."""
    assert study.digest() == reference.digest()
    receipt = json.loads((study.folder / "receipt.json").read_text())
    assert receipt["draws"]["running"] == 0
    assert (
        receipt["draws"]["drawn"]
        == json.loads((reference.folder / "receipt.json").read_text())["draws"]["drawn"]
    )
    reads = [
        json.loads(line)["key"]
        for line in (study.folder / "test_reads.jsonl").read_text().splitlines()
    ]
    assert len(reads) == len(set(reads)) == receipt["test_reads"] == 6
    assert not list(study.folder.rglob(".*.tmp"))


def checkpoints(study):
    """What attempts have saved so far; one that came to its end has taken its own away."""
    return set(study.folder.glob("*/*/attempt-*/last.ckpt"))


def test_kills_of_the_coordinator_and_of_all(tiny, finished, workers_of, is_gone):
    for results, everybody in ((2, False), (5, True), (9, False)):
        process = tiny.start("--workers.count", "2")
        tiny.wait_for(lambda least=results: len(tiny.results()) >= least, process)
        begun = checkpoints(tiny)
        if everybody:
            tiny.wait_for(lambda before=begun: checkpoints(tiny) - before, process)
        # where so many results were there before, it has only just started
        tiny.wait_for(lambda started=process: workers_of(started), process)
        workers = workers_of(process)
        (os.killpg if everybody else os.kill)(process.pid, signal.SIGKILL)
        end(process)
        wait_until_gone(workers, is_gone)
        kept = {key: written(tiny, key) for key in tiny.results()}
        assert len(kept) >= results
    tiny.run()
    assert_whole(tiny, finished)
    assert {key: written(tiny, key) for key in kept} == kept


def written(study, key):
    """When a result was written."""
    return (study.folder / key / "result.json").stat().st_mtime_ns


def test_kill_of_workers_costs_attempts_not_trials(tiny, finished, workers_of, is_gone):
    process = tiny.start("--workers.count", "2")
    tiny.wait_for(lambda: checkpoints(tiny), process)
    for worker in workers_of(process):
        os.kill(worker, signal.SIGKILL)
    code, output = end(process)
    assert code == 0, output
    assert "killed by signal 9; trying again" in output
    assert_whole(tiny, finished)
    failures = list(tiny.folder.glob("*/*/attempt-1/failure.json"))
    assert failures
    for failure in failures:
        assert json.loads((failure.parents[1] / "result.json").read_text())["attempt"] == 2


def test_interruptions_end_in_order(tiny, finished, workers_of, is_gone):
    ctrl_c, sigint = (os.killpg, signal.SIGINT), (os.kill, signal.SIGINT)
    for results, (send, what) in ((2, ctrl_c), (5, sigint), (8, (os.kill, signal.SIGTERM))):
        process = tiny.start()
        tiny.wait_for(lambda least=results: len(tiny.results()) >= least, process)
        workers = workers_of(process)
        send(process.pid, what)
        code, output = end(process)
        assert code == 130, output
        assert "started again, it continues" in output
        assert "Traceback" not in output
        assert all(map(is_gone, workers))
        assert (tiny.folder / "leaderboard.csv").exists()  # of what there is
    tiny.run()
    assert_whole(tiny, finished)


def test_a_signal_to_all_processes_at_once_costs_no_attempt(tiny, finished, workers_of, is_gone):
    """As of `scancel`, while a script passes it on besides, or of a terminal that is closed."""
    for results, number in ((2, signal.SIGTERM), (6, signal.SIGHUP)):
        process = tiny.start("--workers.count", "2", "--workers.attempts", "1")
        begun = checkpoints(tiny)
        tiny.wait_for(
            lambda least=results, before=begun: (
                len(tiny.results()) >= least and checkpoints(tiny) - before
            ),
            process,
        )
        workers = workers_of(process)
        os.killpg(process.pid, number)
        for pid in [*workers, process.pid] * 20:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            time.sleep(0.001)
        code, output = end(process)
        assert code == 130, output
        assert "Traceback" not in output
        assert all(map(is_gone, workers))
        assert (tiny.folder / "leaderboard.csv").exists()
    tiny.run()
    assert_whole(tiny, finished)
    assert not list(tiny.folder.rglob("failure.json"))


def test_a_torn_journal_is_repaired_and_said(tiny, finished):
    journal = tiny.copy_of(finished).folder / "optuna.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "worker_id": "ab')
    output = tiny.run()
    assert "torn line" in output
    assert_whole(tiny, finished)
    for line in journal.read_bytes().splitlines():
        json.loads(line)


def test_a_journal_that_lost_its_last_lines_is_told_again(tiny, finished):
    """The folder is the truth: what Optuna forgot of told trials is told again."""
    journal = tiny.copy_of(finished).folder / "optuna.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-6]))
    tiny.run()
    assert_whole(tiny, finished)
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(journal))
    )
    states = [t.state.name for t in optuna.load_study(study_name="tiny", storage=storage).trials]
    assert "RUNNING" not in states


def test_a_damaged_journal_is_set_aside_and_made_again(tiny, finished):
    journal = tiny.copy_of(finished).folder / "optuna.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:3], b"garbage\n", *lines[3:]]))
    assert "optuna.journal.torn" in tiny.run().replace("\n", "")
    assert_whole(tiny, finished)


def test_a_second_coordinator_is_kept_out(tiny):
    process = tiny.start("--trials", "2")
    # the lock comes first: a study as small as this may end while another process starts
    tiny.wait_for(lambda: (tiny.folder / "lock").exists(), process)
    output = tiny.run("--trials", "2", code=2)
    assert f"already being run by process {process.pid}" in output
    assert process.poll() is None
    process.terminate()
    assert end(process)[0] == 130


def test_an_attempt_that_takes_too_long_is_killed(tiny):
    tiny.write(
        trials=0,
        finalists={"top": 0, "seeds": 1, "random": 0},
        recipe={"epochs": 100000, "batch_size": 64},
    )
    output = tiny.run("--workers.time_limit_minutes", "0.01", "--workers.attempts", "2")
    assert "took longer than 0.01 minutes; trying again" in output
    result = tiny.results()["baselines/00"]
    assert result["state"] == "failed"
    assert result["attempt"] == 2
    assert "took longer" in result["error"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_says_so_and_loses_nothing(tiny, finished):
    import subprocess

    runs = tiny.root / "runs"
    runs.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=420k", "tmpfs", str(runs)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        process = tiny.start()
        code, output = end(process)
        assert code == 2, output
        assert "Traceback" not in output
        assert "space" in output
        kept = tiny.results()
        subprocess.run(["mount", "-o", "remount,size=64m", str(runs)], check=True)
        tiny.run()
        assert_whole(tiny, finished)
        assert all(tiny.results()[key] == result for key, result in kept.items())
    finally:
        subprocess.run(["umount", "-l", str(runs)], check=True)


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def test_files_that_are_cut_or_lost_are_made_again(tiny, finished):
    """All at once: what the same command does not find whole, it makes again, and says so."""
    tiny.copy_of(finished)
    keys = sorted(tiny.results())
    trials = [key for key in keys if key.startswith("trials/")]
    finals = [key for key in keys if key.startswith("finalists/")]
    for key, file in (
        (trials[0], "result.json"),
        (trials[3], "run.json"),
        (finals[0], "result.json"),
        ("", "settings.yaml"),
        ("", "study.json"),
        ("", "finalists.json"),
        ("", "progress.json"),
        ("", "optuna.journal"),
    ):
        cut(tiny.folder / key / file)
    for key, file in (
        (trials[1], "result.json"),
        (trials[4], "run.json"),
        (finals[1], "run.json"),
        ("", "leaderboard.json"),
        ("", "receipt.json"),
    ):
        (tiny.folder / key / file).unlink()
    kept = {key: written(tiny, key) for key in (trials[2], trials[5], finals[2])}
    output = tiny.run()
    for name in (f"{trials[0]}/result.json", f"{trials[3]}/run.json", "study.json"):
        assert f"{name} is damaged" in output.replace("\n", " ")
    assert_whole(tiny, finished)
    assert {key: written(tiny, key) for key in kept} == kept
