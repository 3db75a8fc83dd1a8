"""Messages and beats in files."""

import json
import time

import pytest

from search.execution.agents import mailbox
from search.execution.agents.mailbox import Beating, Inbox, Outbox, Pulse


def message(key):
    return {"kind": "cancel", "key": key, "token": "t"}


def line(key, number):
    return json.dumps({**message(key), "number": number}).encode() + b"\n"


def test_messages_come_once_and_in_order(tmp_path):
    outbox, inbox = Outbox(tmp_path / "box"), Inbox(tmp_path / "box")
    assert inbox.receive() == []
    outbox.send(message("a"))
    outbox.send(message("b"))
    assert inbox.receive() == [message("a"), message("b")]
    assert inbox.receive() == []
    late = Inbox(tmp_path / "box", from_end=True)
    outbox.send(message("c"))
    assert inbox.receive() == late.receive() == [message("c")]


def test_half_a_message_waits_for_its_end_and_a_broken_line_is_left_out(tmp_path):
    path = tmp_path / "box"
    inbox = Inbox(path)
    path.write_bytes(line("a", 1) + b'{"ki')
    assert inbox.receive() == [message("a")]
    path.write_bytes(line("a", 1) + line("b", 2) + b"nonsense\n[1]\n" + line("c", 3))
    assert inbox.receive() == [message("b"), message("c")]


def cut(path):
    path.write_bytes(path.read_bytes()[:10])


def cut_and_written_on(path):
    path.write_bytes(path.read_bytes()[:10] + b'"}\n' + b" " * 100 + b"\n")


LOSSES = {
    "cut": cut,
    "cut and written on": cut_and_written_on,
    "emptied": lambda path: path.write_bytes(b""),
    "deleted": lambda path: path.unlink(),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_messages_that_were_lost_are_missed(tmp_path, loss):
    outbox, inbox = Outbox(tmp_path / "box"), Inbox(tmp_path / "box")
    for kind in "ab":
        outbox.send(message(kind))
    assert len(inbox.receive()) == 2 and not inbox.has_lost
    outbox.send(message("c"))
    LOSSES[loss](tmp_path / "box")
    inbox.receive()
    outbox.send(message("d"))
    outbox.send(message("e"))
    assert inbox.receive()[-1:] == [message("e")]
    assert inbox.has_lost


def test_a_message_that_never_came_is_missed_and_a_new_writer_is_not_a_loss(tmp_path):
    path = tmp_path / "box"
    inbox, late = Inbox(path), None
    for kind in "abc":
        if kind == "b":
            late = Inbox(path, from_end=True)
        Outbox(path).send(message(kind))  # started again
        inbox.receive()
    assert late.receive() == [message("b"), message("c")]
    assert not inbox.has_lost and not late.has_lost
    outbox = Outbox(path)
    outbox.send(message("d"))
    begin = path.stat().st_size
    outbox.send(message("e"))
    outbox.send(message("f"))
    content = path.read_bytes()
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    path.write_bytes(content[:begin] + content[last:])
    assert [m["key"] for m in inbox.receive()] == ["d", "f"]
    assert inbox.has_lost


def test_a_message_that_finds_the_disk_full_leaves_no_half_line(tmp_path, monkeypatch):
    outbox, inbox = Outbox(tmp_path / "box"), Inbox(tmp_path / "box")
    outbox.send(message("a"))

    class Full:
        def __init__(self, file):
            self._file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._file.close()

        def __getattr__(self, name):
            return getattr(self._file, name)

        def write(self, line):
            return self._file.write(line[:5])

    opened = type(tmp_path).open
    monkeypatch.setattr(type(tmp_path), "open", lambda *a, **k: Full(opened(*a, **k)))
    with pytest.raises(OSError, match="cannot be written"):
        outbox.send(message("b"))
    monkeypatch.undo()
    outbox.send(message("c"))
    assert inbox.receive() == [message("a"), message("c")]


def test_a_beat_is_heard_while_it_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(mailbox, "EVERY", 0.01)
    pulse = Pulse(tmp_path / "beat")
    assert pulse.listen() == ""
    beating = Beating(tmp_path / "beat", "running")
    assert pulse.listen() == "running"
    end = time.monotonic() + 10
    while pulse.listen() and pulse.silence > 0.005 and time.monotonic() < end:
        time.sleep(0.001)
    assert pulse.silence <= 0.01 < 10
    beating.close("over")
    assert pulse.listen() == "over"
    time.sleep(0.1)
    assert pulse.listen() == "over" and pulse.silence >= 0.1
    other = Beating(tmp_path / "beat", "running")
    other.close()
    assert not (tmp_path / "beat").exists()


def test_a_listener_that_stood_still_does_not_blame_the_other(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    path = tmp_path / "beat"
    path.write_text("running 1 1")
    pulse = Pulse(path)
    pulse.listen()
    now[0] += 45  # stopped, as the other was, too
    pulse.listen()
    assert pulse.silence == 10
    for _ in range(6):
        now[0] += 5
        pulse.listen()
    assert pulse.silence == 40
    path.write_text("running 1 2")
    pulse.listen()
    assert pulse.silence == 0
