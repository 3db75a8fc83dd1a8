"""Waiting for workers."""

import pytest

from search.execution import waiting
from search.execution.waiting import Reminder, wait_for


@pytest.fixture
def now(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(waiting.time, "monotonic", lambda: clock[0])
    return clock


def test_what_lasts_is_said_at_once_and_then_less_and_less_often(now):
    said = []
    reminder = Reminder(lambda text: said.append((now[0], text)))
    reminder.tell("")
    for _ in range(500):
        reminder.tell("no node")
        now[0] += 1
    assert [when - 100 for when, _ in said] == [0, 60, 180, 420]
    reminder.tell("no GPU")
    reminder.tell("")
    reminder.tell("no GPU")  # anew
    assert said[4:] == [(600.0, "no GPU")] * 2


def test_it_is_waited_for_so_long_and_no_longer(now):
    looks = []

    def look(seconds):
        looks.append(seconds)
        now[0] += seconds

    assert not wait_for(lambda: False, look, 2.5)
    assert looks == [1.0, 1.0, 0.5]
    assert wait_for(lambda: len(looks) == 5, look, float("inf"))
    assert wait_for(lambda: True, look, 0) and len(looks) == 5
