import csv

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import read_json
from search.comparison.report.files import write_report
from search.leaderboard.board import COLUMNS, Leaderboard
from search.leaderboard.end.answer import answer
from search.reporting.wandb.summary import summary_of


def test_a_study_is_its_leaderboard(studies, tmp_path):
    folder = studies.whole_study(tmp_path / "digits", 2).folder
    board, found = Leaderboard.from_folder(folder), summary_of(folder)
    assert (found.name, found.columns) == ("leaderboard", COLUMNS)
    assert len(found.rows) == len(board.rows)
    assert found.entries["digest"] == board.digest()
    assert found.sentences[0] == answer(board)
    assert "objective" not in found.entries  # a share, which people read in percent
    assert found.entries["objective (%)"] == pytest.approx(100 * board.best.validation_mean)
    (tmp_path / "out").mkdir()
    found.write(tmp_path / "out")
    assert (tmp_path / "out" / "leaderboard.csv").read_text() == board.to_csv()


def test_a_comparison_is_its_table_with_numbers_as_numbers(fake, tmp_path):
    made = fake.Made(tmp_path / "made").fill()
    write_report(made.read(), made.plan, made.folder)
    found = summary_of(made.folder)
    assert (found.name, found.objective) == (
        "comparison",
        {"monitor": "val/accuracy", "mode": "max"},
    )
    told = read_json(made.folder / "comparison.json")
    assert found.sentences == told["conclusions"]
    assert found.entries == {"digest": told["digest"], "arms": 3, "baseline": "base"}
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    # a row for each difference: the baseline has none, +mdta also one to its control
    half = "+mdta(attention=false)"
    assert [(row["arm"], row["against"]) for row in rows] == [
        ("base", ""),
        ("+mdta", "base"),
        ("+mdta", half),
        (half, "base"),
    ]
    means = {result["arm"]: result["test_mean"] for result in told["results"]}
    for row in rows:
        assert row["test_mean"] == pytest.approx(means[row["arm"]])
    (tmp_path / "out").mkdir()
    found.write(tmp_path / "out")
    with (tmp_path / "out" / "comparison.csv").open(newline="") as file:
        assert tuple(next(csv.reader(file))) == found.columns


def test_a_folder_of_neither_is_refused(tmp_path):
    with pytest.raises(InputError):
        summary_of(tmp_path)
