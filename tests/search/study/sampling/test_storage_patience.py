"""Storages that go away for a while, without a database."""

import re
import sqlite3
import threading

import optuna
import pytest
from sqlalchemy.exc import OperationalError

from hybrid_swin.errors import InputError
from search.study.sampling.storage_patience import Patience


def away(reason="connection refused"):
    """What Optuna raises where SQLAlchemy cannot reach a database."""
    error = optuna.exceptions.StorageInternalError("during the commit")
    error.__cause__ = OperationalError("SELECT 1", {}, sqlite3.OperationalError(reason))
    return error


def test_a_call_is_repeated_until_it_is_answered():
    answers, said = [away(), away(), 7], []

    def call():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert Patience("db", 60.0, said.append).keep(call) == 7
    assert ["does not answer" in said[0], "answers again" in said[1], len(said)] == [True, True, 2]
    assert "connection refused" in said[0]


def test_what_may_have_taken_effect_is_not_done_twice():
    done = []

    def write():
        done.append("written")
        raise away()

    assert Patience("db", 60.0, lambda text: None).keep(write, lambda: done[0]) == "written"
    assert done == ["written"]


@pytest.mark.parametrize("ended", [False, True])
def test_patience_ends_in_one_sentence(ended):
    patience = Patience("db", 0.0 if not ended else 60.0, lambda text: None)
    if ended:
        patience.end()

    def call():
        raise away("x" * 5000)

    with pytest.raises(InputError, match="same command again") as raised:
        patience.keep(call)
    assert len(str(raised.value)) < 400


def test_other_errors_are_not_waited_for():
    def call():
        raise KeyError("trial")

    with pytest.raises(KeyError):
        Patience("db", 60.0, lambda text: None).keep(call)


def test_a_long_wait_is_spoken_of_again(monkeypatch):
    """Once at the start, and then each time that twice as much has passed."""
    now, said = [0.0], []
    monkeypatch.setattr("search.study.sampling.storage_patience.time.monotonic", lambda: now[0])
    patience = Patience("db", 1000.0, said.append)
    monkeypatch.setattr(patience._over, "wait", lambda seconds: now.__setitem__(0, now[0] + 5))

    def call():
        if now[0] < 100:
            raise away()
        return "written"

    assert patience.keep(call) == "written"
    waits = [re.findall(r"answered for (\d+) seconds", line) for line in said]
    assert waits == [[], ["15"], ["30"], ["60"], []]
    assert "answers again" in said[-1]
    assert patience.keep(lambda: 7) == 7
    assert len(said) == 5


def test_a_call_that_hangs_is_spoken_of_and_cut_in_the_end(monkeypatch):
    """As one to a server that is stopped: it neither answers nor refuses."""
    for name, seconds in {"_SILENCE": 0.1, "_LOOK": 0.02}.items():
        monkeypatch.setattr(f"search.study.sampling.storage_patience.{name}", seconds)
    cut, said = threading.Event(), []

    def call():
        assert cut.wait(20), "hung"
        raise away("connection was cut")

    patience = Patience("db", 0.5, said.append, cut.set)
    with pytest.raises(InputError, match=r"has not answered for .* \(connection was cut\)"):
        patience.keep(call)
    assert len(said) == 1 and "does not answer (no answer so far)" in said[0]


def test_nobody_waits_for_a_call_that_hangs_once_the_study_ends(monkeypatch):
    for name, seconds in {"_GRACE": 0.1, "_LOOK": 0.02}.items():
        monkeypatch.setattr(f"search.study.sampling.storage_patience.{name}", seconds)
    cut, begun = threading.Event(), threading.Event()
    patience = Patience("db", 60.0, lambda text: None, cut.set)

    def call():
        begun.set()
        assert cut.wait(20), "hung"
        raise away()

    threading.Thread(target=lambda: begun.wait(20) and patience.end()).start()
    with pytest.raises(InputError, match="has not answered"):
        patience.keep(call)
