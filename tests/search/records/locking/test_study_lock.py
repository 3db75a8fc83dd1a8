"""A study's folder is held by one coordinator at a time."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.system import mounts
from hybrid_swin.system.mounts import Mount
from search.records.locking import shared_lock
from search.records.locking.file_system import check_shared
from search.records.locking.owner import Owner
from search.records.locking.study_lock import locked

HOST = socket.gethostname()

HOLD = """
import sys
import time
from pathlib import Path
from search.records.locking.owner import Owner
from search.records.locking.study_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Another process that holds a folder."""
    processes = []

    def start(folder):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[4],
        )
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_one_coordinator_at_a_time(tmp_path, hold):
    folder = tmp_path / "runs" / "mine"
    process = hold(folder)
    message = f"study 'mine' is already being run by process {process.pid} on host {HOST};"
    for _ in range(2):  # to be refused leaves the lock as it is
        with pytest.raises(InputError, match=message), locked(folder):
            pytest.fail("held twice")
    process.communicate()
    with locked(folder):
        assert (folder / "lock").read_text().split()[:2] == [str(os.getpid()), HOST]


def test_a_lock_of_another_host_says_what_becomes_of_it(tmp_path, hold):
    hold(tmp_path)
    (tmp_path / "lock").write_text(Owner(7, "node7", "another", "-").line)
    message = "run by process 7 on host node7; .*; if that host has died, its lock ends when"
    with pytest.raises(InputError, match=message), locked(tmp_path):
        pytest.fail("held twice")


def test_a_lock_ends_with_its_process(tmp_path, hold):
    process = hold(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (tmp_path / "lock").read_text().startswith(f"{process.pid} ")  # stale, and no hindrance
    with locked(tmp_path):
        pass


def test_a_lock_ends_with_its_block(tmp_path):
    with pytest.raises(RuntimeError), locked(tmp_path):
        raise RuntimeError
    with locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"'.*mine' cannot be written: .*give another with"),
        locked(tmp_path / "file" / "mine"),
    ):
        pytest.fail("locked nothing")


@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_child_that_outlives_its_parent_does_not_hold_the_folder(tmp_path):
    """As one of a pool of processes, when its parent is killed; it has copies of all open files."""
    ours, theirs = os.pipe()
    begun, begins = os.pipe()
    with locked(tmp_path):
        child = os.fork()
        if child == 0:
            os.write(begins, b".")
            os.close(theirs)
            os.read(ours, 1)
            os._exit(0)
    os.read(begun, 1)
    try:
        with locked(tmp_path):
            assert os.waitpid(child, os.WNOHANG) == (0, 0)
    finally:
        os.close(theirs)
        os.waitpid(child, 0)
        for end in (ours, begun, begins):
            os.close(end)


def test_a_folder_in_the_place_of_the_lock_is_named_and_can_be_moved(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(InputError, match=r"lock' is a folder .* move it away"), locked(tmp_path):
        pytest.fail("locked nothing")
    (tmp_path / "lock").rename(tmp_path / "away")
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    message = f"cannot lock .*{os.strerror(number)}.*; give another --folder"
    with pytest.raises(InputError, match=message), locked(tmp_path):
        pytest.fail("locked nothing")


# Shared file systems, by mount tables that are only claimed

NFS = "20 1 0:41 / / rw - nfs4 server:/ rw,local_lock={}\n"


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    def mount(line):
        table = tmp_path / "mountinfo"
        table.write_text(line)
        monkeypatch.setattr(mounts, "MOUNTS", table)

    return mount


def test_a_lock_that_all_hosts_see_is_enough(tmp_path, mounted):
    mounted(NFS.format("none"))
    with locked(tmp_path / "mine"):
        assert os.listdir(tmp_path / "mine") == ["lock"]


def test_beside_a_lock_of_this_host_stands_another_one(tmp_path, mounted):
    mounted(NFS.format("all"))
    with locked(tmp_path / "mine"):
        assert sorted(os.listdir(tmp_path / "mine")) == ["lock", "lock.owner"]
    assert os.listdir(tmp_path / "mine") == ["lock"]


def test_a_process_that_was_taken_over_from_ends_and_says_so(tmp_path, mounted, monkeypatch):
    """As one that was stopped for longer than a minute, or whose host slept."""
    mounted(NFS.format("all"))
    monkeypatch.setattr(shared_lock, "EVERY", 0.05)
    with (
        pytest.raises(InputError, match="taken over by process 7 on host node7, since"),
        locked(tmp_path),
    ):
        (tmp_path / "new").write_text("token 1 7 node7 kernel -")
        (tmp_path / "new").rename(tmp_path / "lock.owner")
        time.sleep(20)
        pytest.fail("was not interrupted")
    assert (tmp_path / "lock.owner").read_text().startswith("token 1 7")


def broken(monkeypatch, name):
    """A file system that does not do one of the things that a study needs."""
    if name == "lock":
        monkeypatch.setattr("fcntl.flock", lambda *_: None)
    elif name == "exclusive":
        monkeypatch.setattr(os, "O_EXCL", 0)
    elif name == "rename":
        monkeypatch.setattr(os, "replace", lambda source, target: None)
    elif name == "content":
        monkeypatch.setattr(Path, "read_text", lambda self: "")
    else:

        def refuse(*_):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fsync", refuse)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lock", "a lock that one process holds is not seen by another one"),
        ("exclusive", "a file can be made twice"),
        ("rename", "a file that takes another one's place is not read back"),
        ("content", "a file that was written is not read back"),
        ("refused", "it refuses a call .Input/output error"),
    ],
)
def test_what_a_file_system_does_not_do_is_said(tmp_path, mounted, monkeypatch, name, reason):
    mounted(NFS.format("none"))
    folder = tmp_path / "mine"
    with monkeypatch.context() as patch:
        broken(patch, name)
        message = f"the file system of '.*mine' .nfs4 at /. cannot hold a study: {reason}"
        if name == "content":  # the table is read in the same way
            lock = (tmp_path / "lock").open("a+")
            with lock, pytest.raises(InputError, match=reason):
                check_shared(tmp_path, Mount("/", "nfs4"), lock)
            return
        with pytest.raises(InputError, match=message), locked(folder):
            pytest.fail("locked")
    assert not folder.exists()


def test_a_file_system_that_refuses_locks_says_how_to_mount_it(tmp_path, mounted, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    mounted("20 1 0:41 / / rw - lustre mgs:/fs rw\n")
    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(InputError, match="mount it with -o flock"), locked(tmp_path):
        pytest.fail("locked nothing")
