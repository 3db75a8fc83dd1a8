"""Storages that go away for a while, without a database."""

import sqlite3

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
