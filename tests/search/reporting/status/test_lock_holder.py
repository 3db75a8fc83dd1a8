import os
import socket
import subprocess
import sys
import time

import pytest

from hybrid_swin.errors import InputError
from search.records.locking.owner import Owner, this_process
from search.records.locking.study_lock import locked
from search.reporting.status import lock_holder as holder
from search.reporting.status.lock_holder import Holder, find_holder

needs_proc = pytest.mark.skipif(not holder.PROCESSES.exists(), reason="this system has no /proc")

HOST = socket.gethostname()


def test_without_a_lock_nobody_runs_it(tmp_path):
    assert find_holder(tmp_path) == Holder(alive=False)


@needs_proc
def test_the_process_that_holds_it_is_named_and_keeps_it(tmp_path):
    with locked(tmp_path):
        assert find_holder(tmp_path) == Holder(True, os.getpid(), HOST)
        with pytest.raises(InputError, match="already being run"), locked(tmp_path):
            pass
        assert find_holder(tmp_path) == Holder(True, os.getpid(), HOST)
    assert find_holder(tmp_path) == Holder(False, os.getpid(), HOST)  # lives, but let go of it


@needs_proc
def test_looking_never_keeps_a_coordinator_out(tmp_path):
    code = f"""
import sys
from pathlib import Path
from search.reporting.status.lock_holder import find_holder
print(flush=True)
while True:
    find_holder(Path({str(tmp_path)!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        for _ in range(300):
            with locked(tmp_path):
                pass
    finally:
        process.kill()
        process.communicate()


@needs_proc
def test_a_process_that_is_gone(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "lock").write_text(str(ended.pid))
    assert find_holder(tmp_path) == Holder(False, ended.pid)


@pytest.mark.parametrize("content", [b"", b"no number", b"\xff\xfe"])
def test_a_lock_that_says_nothing(tmp_path, content):
    (tmp_path / "lock").write_bytes(content)
    assert find_holder(tmp_path) == Holder(alive=None)


def test_a_system_that_does_not_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(holder, "PROCESSES", tmp_path / "none")
    with locked(tmp_path):
        assert find_holder(tmp_path) == Holder(None, os.getpid(), HOST)


@pytest.mark.parametrize("kernel", ["another", None])
def test_a_process_of_another_machine_or_container_is_known_by_its_beat(tmp_path, kernel):
    ours = this_process()
    numbering = ours.numbering if kernel else "pid:[1]"
    owner = Owner(os.getpid(), "node7", kernel or ours.kernel, numbering)
    (tmp_path / "lock").write_text(owner.line)
    assert find_holder(tmp_path) == Holder(None, os.getpid(), "node7")
    beat = tmp_path / "agents" / "coordinator.beat"
    beat.parent.mkdir()
    beat.touch()
    assert find_holder(tmp_path) == Holder(True, os.getpid(), "node7")
    os.utime(beat, (1, time.time() - 100))
    assert find_holder(tmp_path) == Holder(None, os.getpid(), "node7")
