import pytest

from search.records.journal import repair_journal

ENTRY = b'{"op_code": 4}\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b""), (ENTRY + ENTRY, ENTRY + ENTRY), (ENTRY + b"b", ENTRY), (b"ab", b"")],
)
def test_only_a_torn_line_is_cut_off(tmp_path, before, after):
    path, said = tmp_path / "journal", []
    repair_journal(path, said.append)
    path.write_bytes(before)
    repair_journal(path, said.append)
    assert path.read_bytes() == after
    cut = len(before) - len(after)
    assert [f"last {cut} bytes" in line for line in said] == [True] * bool(cut)
