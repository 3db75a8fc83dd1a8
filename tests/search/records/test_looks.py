"""Looks at growing evidence: written once for the same evidence, read whatever else is there."""

from dataclasses import replace

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
