"""A journal that others change while a study runs."""

import os

import pytest
from optuna.storages.journal import JournalFileBackend

from hybrid_swin.errors import InputError
from search.study.sampling.journal_backend import OwnJournal

ENTRIES = [{"op_code": 1, "number": number} for number in range(3)]


@pytest.fixture
def journal(tmp_path):
    made = OwnJournal(tmp_path / "optuna.journal")
    made.append_logs(ENTRIES[:2])
    assert list(made.read_logs(0)) == ENTRIES[:2]
    return made


def replace(path):
    content = path.read_bytes()
    path.rename(path.with_suffix(".old"))
    path.write_bytes(content)


CHANGES = {
    "cut": lambda path: os.truncate(path, 30),
    "emptied": lambda path: os.truncate(path, 0),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b'{"op_code": 2}\n'),
    "deleted": lambda path: path.unlink(),
    "replaced": replace,
    "overwritten": lambda path: path.write_bytes(path.read_bytes().replace(b"{", b"x")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_others_change_is_said(journal, tmp_path, change):
    path = tmp_path / "optuna.journal"
    CHANGES[change](path)
    with pytest.raises(InputError, match=r"optuna.journal was changed while .* same command"):
        list(journal.read_logs(0))
    if change != "overwritten":
        before = path.read_bytes() if path.exists() else None
        with pytest.raises(InputError, match="was changed"):
            journal.append_logs(ENTRIES[2:])
        assert (path.read_bytes() if path.exists() else None) == before


def test_what_only_the_study_writes_is_read(journal, tmp_path):
    journal.append_logs(ENTRIES[2:])
    assert list(journal.read_logs(2)) == ENTRIES[2:]
    assert list(OwnJournal(tmp_path / "optuna.journal").read_logs(0)) == ENTRIES


def test_entries_of_a_block_are_read_at_once_and_written_at_its_end(journal, tmp_path):
    path = tmp_path / "optuna.journal"
    before = path.read_bytes()
    with journal.together():
        journal.append_logs(ENTRIES[2:])
        assert list(journal.read_logs(2)) == ENTRIES[2:]
        assert list(journal.read_logs(0)) == ENTRIES
        assert path.read_bytes() == before
    assert list(journal.read_logs(3)) == []
    assert list(OwnJournal(path).read_logs(0)) == ENTRIES
    with pytest.raises(KeyError), journal.together():
        journal.append_logs(ENTRIES[:1])
        raise KeyError
    assert list(OwnJournal(path).read_logs(3)) == list(journal.read_logs(3)) == ENTRIES[:1]


def test_what_was_read_is_not_read_again(journal, monkeypatch):
    """Optuna asks for what is new before each of its steps."""
    reads = []
    real = JournalFileBackend.read_logs

    def read(self, log_number_from):
        reads.append(log_number_from)
        return real(self, log_number_from)

    monkeypatch.setattr(JournalFileBackend, "read_logs", read)
    for _ in range(3):
        assert list(journal.read_logs(2)) == []
    journal.append_logs(ENTRIES[2:])
    for entries in (ENTRIES[2:], [], []):
        assert list(journal.read_logs(3 - len(entries))) == entries
    assert reads == [2]
