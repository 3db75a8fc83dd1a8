"""Rows as other libraries and people take them."""

from collections.abc import Sequence

import pytest

from search.leaderboard.row_table import RowTable

ROWS = [
    {"arm": "w_msa+<b>", "score": 0.98765, "seeds": 3, "cost": None, "keys": ("a", "b")},
    {"arm": "plain\x1b[31m", "score": None, "seeds": 12_345, "cost": 7, "keys": ()},
]


@pytest.fixture
def table():
    return RowTable(ROWS[0].keys(), ROWS, ("arm", "score", "seeds"))


def test_it_is_a_sequence_of_dicts_with_columns(table):
    assert isinstance(table, Sequence)
    assert list(table) == ROWS
    assert table[-1]["seeds"] == 12_345
    assert table[:1].columns == table.columns == ("arm", "score", "seeds", "cost", "keys")
    assert len(table[:1]) == 1


def test_a_data_frame_takes_it(table):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table)
    assert tuple(frame.columns) == table.columns
    assert frame["score"].mean() == 0.98765


def test_a_terminal_shows_the_shown_columns_in_line(table):
    assert repr(table).splitlines() == [
        "arm         score   seeds",
        "w_msa+<b>   0.9877  3",
        "plain?[31m          12,345",
        "[2 rows x 5 columns]",
    ]
    many = RowTable(("n",), [{"n": n} for n in range(70)], ("n",))
    assert repr(many).endswith("\n59\n[10 more rows; 70 rows x 1 columns]")
    assert repr(table[:0]).splitlines() == ["arm  score  seeds", "[0 rows x 5 columns]"]


def test_a_notebook_gets_html_in_which_text_is_text(table):
    page = table._repr_html_()
    assert "<td>w_msa+&lt;b&gt;</td><td>0.9877</td><td>3</td>" in page
    assert "<b>" not in page
    assert "\x1b" not in page


def test_the_csv_has_every_column_and_digit(table):
    head, first, _ = table.to_csv().splitlines()
    assert head == "arm,score,seeds,cost,keys"
    assert first == "w_msa+<b>,0.98765,3,,a b"
