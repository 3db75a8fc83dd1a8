import pytest

from search.records.journal import repair_journal


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b""), (b"a\nb\n", b"a\nb\n"), (b"a\nb", b"a\n"), (b"ab", b""), (b"a\n\n", b"a\n\n")],
)
def test_only_a_torn_line_is_cut_off(tmp_path, before, after):
    path = tmp_path / "journal"
    assert repair_journal(path) == 0
    path.write_bytes(before)
    assert repair_journal(path) == len(before) - len(after)
    assert path.read_bytes() == after
