"""Looks at growing evidence: written once for the same evidence, read whatever else is there."""

from dataclasses import replace

from search.leaderboard.board import Leaderboard
from search.records.looks import LOOKS, Look, read_looks, record_look, with_current

FIRST = Look(seeds=3, planned=3, command="run")


def test_the_same_evidence_is_one_look(tmp_path):
    assert read_looks(tmp_path) == []
    for command in ("run", "leaderboard"):
        assert record_look(tmp_path, replace(FIRST, command=command))
    (known,) = read_looks(tmp_path)
    assert replace(known, time="") == FIRST
    assert known.time.endswith("+00:00")


def test_more_seeds_are_another_look(tmp_path):
    for seeds in (3, 5, 3, 8):
        record_look(tmp_path, Look(seeds, seeds))
    assert [look.seeds for look in read_looks(tmp_path)] == [3, 5, 8]


def test_torn_and_foreign_lines_are_left_out(tmp_path):
    record_look(tmp_path, FIRST)
    with (tmp_path / LOOKS).open("ab") as file:
        file.write(b'[1]\n\xff\n{"seeds": "3", "planned": 2}\n{"seeds": 5, "pl')
    record_look(tmp_path, Look(5, 5))
    assert [look.seeds for look in read_looks(tmp_path)] == [3, 5]


def test_what_cannot_be_written_down_is_told_and_ends_nothing(tmp_path):
    (tmp_path / LOOKS).mkdir()
    assert not record_look(tmp_path, FIRST)
    assert read_looks(tmp_path) == []


def test_the_current_look_is_counted_once_whether_or_not_it_is_written(tmp_path):
    now = Look(5, 5)
    record_look(tmp_path, FIRST)
    assert [look.seeds for look in with_current(read_looks(tmp_path), now)] == [3, 5]
    record_look(tmp_path, now)
    assert [look.seeds for look in with_current(read_looks(tmp_path), now)] == [3, 5]
    assert [look.seeds for look in with_current(read_looks(tmp_path), FIRST)] == [3]


def test_what_may_have_been_a_look_is_said(tmp_path, whole_study):
    """A look that is forgotten would let the next tests be held to too high a level."""
    study = whole_study()
    record_look(study.folder, FIRST)
    whole = (study.folder / LOOKS).read_bytes()
    assert not any(LOOKS in note for note in Leaderboard.from_folder(study.folder).notes)
    for damage in (b"[" * 100_000, b"\xff", b'{"seeds": 1e999, "planned": 3}', b'{"seeds": -1}'):
        (study.folder / LOOKS).write_bytes(damage + b"\n" + whole)
        board = Leaderboard.from_folder(study.folder)
        assert [look.seeds for look in board.looks][:1] == [3]
        assert any(f"{LOOKS} cannot be read in 1 line" in note for note in board.notes)
