import io

import pytest
from rich.table import Table

from hybrid_swin.system.console import Console
from search.leaderboard.word_wrapping import Words


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 5, [""]),
        ("conv", 2, ["conv"]),
        ("conv(kernel=5)+w_msa", 19, ["conv(kernel=5)+", "w_msa"]),
        ("conv(kernel=5)+w_msa", 14, ["conv(kernel=5)", "+w_msa"]),  # no sign alone
        ("conv(kernel=5)+w_msa", 20, ["conv(kernel=5)+w_msa"]),
        ("w_msa+mdta:sum", 11, ["w_msa+mdta:", "sum"]),
        ("conv | w_msa+mdta", 15, ["conv |", "w_msa+mdta"]),  # at blanks where that will do
        ("mdta conv | w_msa", 12, ["mdta conv |", "w_msa"]),
        ("mdta conv | w_msa", 9, ["mdta", "conv |", "w_msa"]),
        ("a|b", 2, ["a|", "b"]),
    ],
)
def test_lines_break_between_pieces(text, width, lines):
    assert Words(text).lines(width) == lines


def printed(text, width, **column):
    console = Console(file=io.StringIO(), width=width)
    table = Table(box=None, padding=0)
    table.add_column(**column)
    table.add_row(Words(text), style="bold")
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()[1:]]


def test_only_a_piece_that_is_too_long_is_folded():
    assert printed("conv(kernel=5)+w_msa", 10) == ["conv(kerne", "l=5)", "+w_msa"]


def test_text_is_printed_as_it_is():
    assert printed("[red]x[/red][/]\x1b", 40) == ["[red]x[/red][/]?"]
