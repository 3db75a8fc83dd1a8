import os
import re
from pathlib import Path

import pytest

from search.execution.bounded_log import BoundedLog, Pump


def lines(count, start=0):
    return [f"line {start + index:06d}\n".encode() for index in range(count)]


def test_a_short_log_is_whole(tmp_path):
    log = BoundedLog(tmp_path / "a.log", head=100, tail=100)
    for line in lines(20):
        log.write(line)
    assert (tmp_path / "a.log").read_bytes() == b"".join(lines(20))


@pytest.mark.parametrize("restarts", [0, 3])
@pytest.mark.parametrize("at_once", [1, 7, 500])
def test_head_and_tail_are_kept_and_what_is_cut_is_counted(tmp_path, at_once, restarts):
    path, whole = tmp_path / "a.log", lines(2000)
    log = BoundedLog(path, head=1200, tail=600)
    for index in range(0, 2000, at_once):
        if restarts and index % 500 == 0:
            log = BoundedLog(path, head=1200, tail=600)  # as of the next start of a study
        log.write(b"".join(whole[index : index + at_once]))
    found, everything = path.read_bytes(), b"".join(whole)
    assert len(found) < 1200 + 2 * 600 + 100
    [notice] = re.findall(rb"\n\[\d+ bytes were cut here\]\n", found)
    head, tail = found.split(notice)
    assert head == everything[:1200]
    assert everything.endswith(tail) and 600 <= len(tail) <= 1200
    assert int(re.search(rb"\d+", notice)[0]) == len(everything) - len(head) - len(tail)


def test_a_full_disk_ends_nothing():
    log = BoundedLog(Path("/dev/full"))
    log.write(b"x" * 10_000)


def test_a_log_that_cannot_be_written_does_not_stop_what_prints(tmp_path):
    pump = Pump(BoundedLog(tmp_path / "missing" / "a.log"))
    for _ in range(20):
        os.write(pump.writer, b"x" * 2**16)  # more than a pipe holds
    os.write(pump.writer, b"\nValueError: the end\n")
    os.close(pump.writer)
    pump.close()
    assert pump.last_line() == "ValueError: the end"


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (b"", ""),
        (b"epoch 1\n\nepoch 2\n \n", "epoch 2"),
        (b"Traceback:\n  File\ntorch.Error: \x1b[31mbad\nleaked 3\n", "torch.Error: ?[31mbad"),
        (b"x" * 500, "x" * 160 + "..."),
    ],
)
def test_the_last_line_is_that_of_an_error(tmp_path, printed, expected):
    pump = Pump(BoundedLog(tmp_path / "a.log"))
    os.write(pump.writer, printed)
    os.close(pump.writer)
    pump.close()
    assert pump.last_line() == expected
