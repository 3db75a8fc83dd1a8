"""The ledger of test readings: one line a reading, whatever is killed and whoever else writes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hybrid_swin.data.test_reads import (
    VARIABLE,
    RecordedRead,
    check_ledger,
    intents_of,
    ledger_beside,
    ledger_near,
    read_ledger,
    recorded,
    unreadable_lines,
)
from hybrid_swin.errors import InputError

ENTRY = RecordedRead("mine", "finalists/c/0", "study", "c", "7e57", "d0d0")


@pytest.fixture(autouse=True)
def no_named_ledger(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def record(entry, *ledgers):
    """A reading that happens."""
    with recorded(entry, *ledgers):
        pass


@pytest.fixture
def ledgers(tmp_path):
    """The shared one, and a study's own."""
    return tmp_path / "test_reads.jsonl", tmp_path / "mine" / "test_reads.jsonl"


def test_a_reading_is_written_into_both_ledgers_once(ledgers):
    for _ in range(2):  # gone on with
        record(ENTRY, *ledgers)
    shared, own = map(read_ledger, ledgers)
    assert shared == own
    (entry,) = own
    assert replace(entry, time="") == replace(ENTRY, event="read")
    assert entry.time.endswith("+00:00")
    assert read_ledger(*ledgers) == own  # the same reading in two files is one


def test_a_study_that_is_begun_again_under_an_old_name_reads_again(ledgers):
    shared, own = ledgers
    record(ENTRY, shared, own)
    for ledger in (own, intents_of(own)):
        ledger.unlink()
    record(ENTRY, shared, own)
    assert len(read_ledger(shared)) == 2


def test_a_kill_between_the_two_files_is_made_good(ledgers, tmp_path):
    shared, own = ledgers
    record(ENTRY, shared, own)
    shared.unlink()
    record(ENTRY, shared, own)
    assert shared.read_bytes() == own.read_bytes()


def test_lines_from_before_the_test_split_had_a_hash_are_kept_and_completed(ledgers):
    shared, own = ledgers
    own.parent.mkdir()
    old = {"key": ENTRY.key, "candidate_id": "c", "split_hash": "5e5e", "time": "2024-05-01"}
    own.write_text(json.dumps(old) + "\n")
    record(ENTRY, shared, own)
    old_entry = RecordedRead("", ENTRY.key, "", "c", time="2024-05-01")
    assert own.read_text().count("\n") == 1  # whatever came of it, it is written down
    named = replace(ENTRY, time="2024-05-01", event="read")
    assert read_ledger(shared) == read_ledger(own, shared) == [named]
    assert old_entry.happened and named.happened


def test_a_line_that_says_nothing_of_its_event_counts(ledgers):
    shared, _ = ledgers
    shared.write_text(json.dumps({"study": "old", "key": "finalists/c/0", "command": "study"}))
    (entry,) = read_ledger(shared)
    assert entry.happened and entry.event == ""


def test_an_intent_is_no_reading_until_it_has_happened(ledgers):
    shared, own = ledgers
    with recorded(ENTRY, shared, own):
        (before,) = read_ledger(shared, own)
        assert (before.event, before.happened) == ("intent", False)
        assert not shared.exists() and not own.exists()
    (after,) = read_ledger(shared, own)
    assert after == replace(before, event="read")
    assert [len(ledger.read_text().splitlines()) for ledger in ledgers] == [1, 1]


def test_a_reading_that_was_cut_off_stays_an_intent_until_it_is_done_again(ledgers):
    shared, own = ledgers
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), recorded(ENTRY, shared, own):
            raise KeyboardInterrupt
        (entry,) = read_ledger(shared, own)
        assert not entry.happened
    record(ENTRY, shared, own)
    (entry,) = read_ledger(shared, own)
    assert entry.happened


def test_an_intent_of_a_study_begun_again_is_another_one(ledgers):
    shared, own = ledgers
    record(ENTRY, shared, own)
    for ledger in (own, intents_of(own)):
        ledger.unlink()
    with pytest.raises(KeyboardInterrupt), recorded(ENTRY, shared, own):
        raise KeyboardInterrupt
    assert [entry.happened for entry in read_ledger(shared, own)] == [True, False]


def test_without_a_ledger_of_its_own_study_and_key_say_what_is_one_reading(ledgers):
    shared, _ = ledgers
    for key in ("test/1", "test/1", "test/2"):
        record(replace(ENTRY, key=key), shared)
    record(replace(ENTRY, study="other", key="test/1"), shared)
    readers = [(entry.study, entry.key) for entry in read_ledger(shared)]
    assert readers == [("mine", "test/1"), ("mine", "test/2"), ("other", "test/1")]


def test_a_torn_line_swallows_no_other(ledgers):
    shared, _ = ledgers
    for key in "ab":
        record(replace(ENTRY, key=key), shared)
    first, second = shared.read_bytes().splitlines(keepends=True)
    for length in range(len(second)):  # also of the length 0, and without the line's end only
        shared.write_bytes(first + second[:length])
        for key in "bc":
            record(replace(ENTRY, key=key), shared)
        assert [entry.key for entry in read_ledger(shared)] == ["a", "b", "c"]
        assert shared.read_bytes().startswith(first + second[:length])  # nothing is erased


def test_what_is_no_reading_is_left_out(ledgers):
    shared, _ = ledgers
    shared.write_bytes(b'[1]\n"x"\n\xff\xfe\nnull\n{"no": "key"}\n')
    assert read_ledger(shared) == []
    assert read_ledger(shared.parent / "none") == []


WRITE = """
import sys
from pathlib import Path
from hybrid_swin.data.test_reads import RecordedRead, recorded
for number in range(50):
    entry = RecordedRead(sys.argv[2], f"finalists/c/{number}", "study", "c" * 3000)
    with recorded(entry, Path(sys.argv[1])):
        pass
"""


def test_processes_do_not_tear_each_others_lines(ledgers):
    shared, _ = ledgers
    command = [sys.executable, "-c", WRITE, str(shared)]
    root = Path(__file__).parents[3]
    processes = [subprocess.Popen([*command, study], cwd=root) for study in "xyxz"]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    lines = [json.loads(line) for line in shared.read_text().splitlines()]
    assert len(lines) == 150  # study x wrote twice at once, and counts once
    assert {line["candidate_id"] for line in lines} == {"c" * 3000}


def test_where_the_ledger_lies(tmp_path, monkeypatch):
    study = tmp_path / "runs" / "mine"
    study.mkdir(parents=True)
    beside, above = tmp_path / "runs" / "test_reads.jsonl", tmp_path / "test_reads.jsonl"
    assert ledger_beside(study) == ledger_near(study) == beside
    above.touch()
    assert (ledger_beside(study), ledger_near(study)) == (beside, above)
    beside.touch()
    assert ledger_near(study) == beside
    monkeypatch.chdir(study)
    assert ledger_beside(Path(".")) == beside
    monkeypatch.setenv(VARIABLE, str(tmp_path / "all.jsonl"))
    assert ledger_beside(study) == ledger_near(study) == tmp_path / "all.jsonl"


def test_what_cannot_be_written_is_one_message(ledgers):
    shared, _ = ledgers
    shared.mkdir()
    for attempt in (check_ledger, lambda ledger: record(ENTRY, ledger)):
        with pytest.raises(InputError, match=r"cannot be recorded in .* HYBRID_SWIN_LEDGER="):
            attempt(shared)


def test_lines_that_cannot_be_read_are_counted_and_swallow_no_other(tmp_path):
    ledger = tmp_path / "test_reads.jsonl"
    lines = [b"[" * 100_000, b"\xff\xfe", b"garbage", b'{"key": 7}', b"[1]", b'{"key": NaN}']
    with recorded(RecordedRead("mine", "a", "study", "c"), ledger):
        pass
    whole = ledger.read_bytes()
    ledger.write_bytes(b"\n".join(lines) + b"\n\n" + whole)
    assert [entry.key for entry in read_ledger(ledger)] == ["a"]
    assert unreadable_lines(ledger) == len(lines)
    intents_of(ledger).unlink()
    intents_of(ledger).mkdir()
    assert unreadable_lines(ledger) == len(lines)
