import pytest

from search.records.journal import repair_journal

ENTRY = b'{"op_code": 4}\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b""), (ENTRY + ENTRY, ENTRY + ENTRY), (ENTRY + b"b", ENTRY), (b"ab", b"")],
)
def test_only_a_torn_line_is_cut_off(tmp_path, before, after):
    path = tmp_path / "journal"
    assert repair_journal(path) == 0
    path.write_bytes(before)
    assert repair_journal(path) == len(before) - len(after)
    assert path.read_bytes() == after
