from dataclasses import replace
from pathlib import Path

import pytest

from hybrid_swin.system.console import Console
from search.leaderboard.board import Leaderboard
from search.leaderboard.end.layout import MOST_LINES
from search.leaderboard.end.page import print_end
from search.leaderboard.joint_board import join


def printed(board, width):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        print_end(board, console)
    return capture.get()


def of(study, width=80):
    return printed(Leaderboard.from_folder(study.folder), width)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("rows", [0, 12])
def test_it_fits_a_screen(whole_study, monkeypatch, width, rows):
    study = whole_study(seeds=3)
    monkeypatch.chdir(study.folder.parent)  # a path as it is typed, however long those of tests are
    for number in range(rows):
        label = f"conv(kernel={number})+w_msa | mdta+w_msa:gate | conv+w_msa:split"
        study.finalist(f"more{number}", [0.9, 0.91, 0.92], f"trials/{number:04d}", label)
    text = printed(Leaderboard.from_folder(Path(study.folder.name)), width)
    lines = text.splitlines()
    drawn = sum(max(1, -(-len(line) // width)) for line in lines)
    assert drawn <= MOST_LINES
    table = lines[: next(i for i, line in enumerate(lines) if line.startswith("all "))]
    assert max(map(len, table)) <= width
    assert "…" not in text
    assert (" more row" in text) == bool(rows)
    assert "w_msa | sw_msa" in text  # what the others are compared with is never left out


def test_the_parts_in_their_order(whole_study):
    study = whole_study()
    (study.folder / "receipt.json").touch()
    text = of(study)
    marks = ["On test, #1 w_msa+mdta", "ranked by validation", "\n1  w_msa+mdta"]
    marks += ["+ ahead of #4", "\n! ", f"leaderboard {study.folder} --all", "files   "]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert text.endswith(f"{study.folder}: receipt.json\n")  # no file that is not there


def test_a_narrow_table_says_what_it_leaves_out(whole_study):
    study = whole_study()
    narrow, wide = of(study), of(study, 120)
    assert "not shown below 96 columns: intervals of validation, against #4, params" in narrow
    assert "validation %" not in narrow and "params" not in narrow.replace("#4, params", "")
    assert "left out" not in wide
    assert "validation %" in wide and "params" in wide and "against #4" in wide


def test_single_runs_where_nothing_is_retrained(make_study):
    study = make_study()
    for number in range(8):
        study.trial(number, 0.9 - 0.01 * number)
    text = of(study)
    assert "single runs, one seed each" in text
    assert text.count("\n 1  ") + text.count("\n1  ") == 1 and "90.0" in text and "85.0" not in text
    assert "leaderboard" in of(make_study("empty"))


def test_several_studies(whole_study):
    one, other = whole_study("one"), whole_study("other")
    text = printed(join([one.folder, other.folder]), 80)
    assert f"leaderboard {one.folder} {other.folder} --all" in text
    assert "study" in text and "files   " not in text


def test_no_row_is_marked_ahead_of_one_that_was_still_improving(whole_study):
    board = Leaderboard.from_folder(whole_study().folder)
    base = next(row for row in board.rows if row.is_baseline and row.fidelity == "final")
    assert f"+ ahead of #{base.rank}" in printed(board, 80)
    rows = [replace(row, undertrained=True) if row is base else row for row in board.rows]
    text = printed(replace(board, rows=rows), 80)
    assert "^ still improving when training ended" in text
    assert "ahead of #" not in text.partition("\n\n")[2]
