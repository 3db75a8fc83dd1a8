"""The lock beside the system's, with hosts that are only claimed: each has a kernel of its own."""

import errno
import os
import threading
import time

import pytest

from hybrid_swin.errors import InputError
from search.records.locking import owner, shared_lock
from search.records.locking.owner import Owner
from search.records.locking.shared_lock import OWNER_FILE, SharedLock


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name, seconds in {"EVERY": 0.05, "STALE": 0.6, "_SETTLING": 0.15, "_LOOK": 0.01}.items():
        monkeypatch.setattr(shared_lock, name, seconds)


@pytest.fixture
def on_host(monkeypatch, tmp_path):
    """Take the lock as if on another machine."""
    taken = []

    def take(kernel, say=lambda text: None):
        monkeypatch.setattr(owner, "_kernel", lambda: kernel)
        monkeypatch.setattr("socket.gethostname", lambda: kernel.partition("+")[0])
        taken.append(SharedLock(tmp_path, say))
        return taken[-1]

    yield take
    for lock in taken:
        lock.close()


def left_behind(folder, kernel="node7"):
    """The file of a process that was killed."""
    (folder / OWNER_FILE).write_text(f"token 12 {Owner(77, 'node7', kernel, '-').line}\n")


def test_a_second_host_is_refused_at_the_next_beat(tmp_path, on_host):
    first = on_host("node1")
    message = f"already being run by process {os.getpid()} on host node1 .it gave a sign of life"
    for _ in range(2):
        begin = time.monotonic()
        with pytest.raises(InputError, match=message):
            on_host("node2")
        assert time.monotonic() - begin < 0.5
    first.close = first.close()  # let go of it
    first.close = lambda: None
    assert os.listdir(tmp_path) == []
    on_host("node2")
    assert first.taken_by is None


def test_a_process_that_has_gone_is_taken_over_from_after_a_minute(tmp_path, on_host):
    left_behind(tmp_path)
    said, begin = [], time.monotonic()
    on_host("node1", said.append)
    assert time.monotonic() - begin > 0.6
    assert "was run by process 77 on host node7, which was not seen to end" in said[0]
    assert "taken over" in said[1] and len(said) == 2
    assert os.listdir(tmp_path) == [OWNER_FILE]


def test_of_the_same_kernel_the_end_is_known(tmp_path, on_host, monkeypatch):
    left_behind(tmp_path, "node1")
    monkeypatch.setattr(SharedLock, "_watch", lambda *_: pytest.fail("waited"))
    on_host("node1")


def test_a_clock_that_is_set_back_changes_nothing(tmp_path, on_host, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    left_behind(tmp_path)
    on_host("node1")
    os.utime(tmp_path / OWNER_FILE, (1, 1))
    with pytest.raises(InputError, match="sign of life"):
        on_host("node2")


def test_of_many_hosts_at_once_one_gets_it(tmp_path, on_host, monkeypatch):
    """All of them find the file of a process that has gone."""
    left_behind(tmp_path)
    got, refused = [], []

    def start():
        try:
            got.append(SharedLock(tmp_path, lambda text: None))
        except InputError as error:
            refused.append(str(error))

    monkeypatch.setattr(owner, "_kernel", lambda: "node1")
    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 7), refused
    assert (tmp_path / OWNER_FILE).read_text().startswith(got[0]._token)
    got[0].close()
    assert os.listdir(tmp_path) == []


def test_a_file_that_somebody_else_took_over_is_put_back(tmp_path, on_host):
    lock = on_host("node1")
    with pytest.raises(InputError, match="already being run by process"):
        lock._take_away(b"token 12 77 node7 node7 -")  # which we saw before
    assert (tmp_path / OWNER_FILE).read_text().startswith(lock._token)
    assert os.listdir(tmp_path) == [OWNER_FILE]


@pytest.mark.parametrize("content", ["", "no owner", "x 1 y"])
def test_a_file_that_says_nothing_is_watched_all_the_same(tmp_path, on_host, content):
    (tmp_path / OWNER_FILE).write_text(content)
    begin = time.monotonic()
    on_host("node1")
    assert time.monotonic() - begin > 0.6


def test_a_file_system_without_links(tmp_path, on_host, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    on_host("node1")
    with pytest.raises(InputError, match="on host node1"):
        on_host("node2")
    assert os.listdir(tmp_path) == [OWNER_FILE]
