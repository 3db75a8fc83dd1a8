import csv
import json
import math
from dataclasses import replace

import pytest
import yaml

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import write_json_atomically
from search.leaderboard.board import COLUMNS, JSON_ONLY, MEASURED, Leaderboard
from search.leaderboard.sentences import sentences
from search.records.runs import read_run
from search.records.study_folder import recorded_test_read


def order(board):
    return [row.origin if row.fidelity != "final" else row.candidate_id for row in board.rows]


def csv_rows(board):
    return list(csv.DictReader(board.to_csv().splitlines()))


def test_evidence_comes_before_scores(make_study):
    study = make_study()
    study.trial(0, 0.99)
    study.trial(1, 0.80)
    study.trial(2, 0.95, state="stopped", epochs=5)
    study.trial(3, 0.20, state="stopped", epochs=15)
    study.trial(4, None, state="diverged")
    study.trial(5, None, state="failed")
    study.baseline(0, 0.85)
    study.reference("pixels", 0.999)
    study.finalist("low", [0.70, 0.71])
    study.finalist("high", [0.75, 0.76])
    study.finalist("one-seed", [0.60])
    board = Leaderboard.from_folder(study.folder)
    assert order(board) == [
        "high",
        "low",
        "one-seed",
        "trials/0000",
        "baselines/00",
        "trials/0001",
        "trials/0003",
        "trials/0002",
        "trials/0004",
        "trials/0005",
        "references/pixels",
    ]
    assert [row.rank for row in board.rows] == [1, 2, 3, 4, 5, 6, None, None, None, None, None]
    assert board.best == board.rows[0]
    assert board.rows[0].search_score == 0.99  # of trials/0000, its origin


def test_validation_orders_and_test_never(make_study):
    study = make_study()
    study.finalist("good-on-validation", [0.9, 0.9], skill=-2.0)
    study.finalist("good-on-test", [0.8, 0.8], skill=3.0)
    rows = Leaderboard.from_folder(study.folder).rows
    assert [row.candidate_id for row in rows] == ["good-on-validation", "good-on-test"]
    assert rows[0].test_mean < rows[1].test_mean


def test_less_is_better_where_the_objective_says_so(make_study):
    study = make_study(monitor="val/loss", mode="min")
    study.trial(0, 0.5)
    study.trial(1, 0.3)
    study.finalist("b", [0.9, 0.9], skill=None)
    study.finalist("a", [0.7, 0.7], skill=None)
    assert order(Leaderboard.from_folder(study.folder)) == ["a", "b", "trials/0001", "trials/0000"]


def test_a_row_that_lost_a_seed_comes_after_whole_rows(make_study):
    study = make_study()
    study.finalist("whole", [0.7, 0.7, 0.7])
    study.finalist("survivors", [0.9, 0.9])
    lost = {"candidate_id": "survivors", "stage": "final", "seed_index": 2, "state": "diverged"}
    study.run("finalists/survivors/2", "finalist", None, "w_msa", **lost)
    study.trial(0, 0.8)
    assert order(Leaderboard.from_folder(study.folder)) == ["whole", "survivors", "trials/0000"]


def test_equal_scores_go_to_the_smaller_network_then_to_the_earlier_run(make_study):
    study = make_study()
    study.trial(10_000, 0.9)
    study.trial(9_999, 0.9)
    study.trial(10_001, 0.9, cost={"parameters": 100})
    assert order(Leaderboard.from_folder(study.folder)) == [
        "trials/10001",
        "trials/9999",
        "trials/10000",
    ]


def test_single_runs_have_no_winner(make_study):
    study = make_study()
    study.trial(0, 0.9)
    study.trial(1, 0.9, ended=False)
    board = Leaderboard.from_folder(study.folder)
    assert board.best is None
    assert board.pending == 1
    assert [row.rank for row in board.rows] == [1]


def test_test_reads_are_counted(whole_study):
    board = Leaderboard.from_folder(whole_study(seeds=3).folder)
    assert (board.test_reads, board.reference_reads) == (12, 1)


def test_a_row_says_how_often_its_test_split_was_read_by_all(make_study, tmp_path):
    study, other = make_study("digits"), make_study("other")
    for made in (study, other):
        made.finalist("c", [0.9, 0.9])
        for run in ("finalists/c/0", "finalists/c/1"):
            with recorded_test_read(made.folder, "study", run, "c", {"test_hash": "7e577e5700"}):
                pass
    with recorded_test_read(other.folder, "inspect", "inspect/x", "c", {"test_hash": "7e577e5700"}):
        pass
    with recorded_test_read(
        other.folder, "compare", "finalists/d/0", "d", {"test_hash": "another"}
    ):
        pass
    study.trial(0, 0.9, test_hash="")  # as of a data module of the user's own
    board = Leaderboard.from_folder(study.folder)
    assert [row.test_reads for row in board.rows] == [5, None]
    assert board.readers == {"study digits": 2, "study other": 2, "inspect other": 1}
    digest = board.digest()
    (tmp_path / "test_reads.jsonl").unlink()
    alone = Leaderboard.from_folder(study.folder)  # its own ledger is the truth about it
    assert [row.test_reads for row in alone.rows] == [2, None]
    assert alone.digest() == digest


def ledger_line(key, **more):
    return json.dumps({"study": "digits", "key": key, "command": "study", **more}) + "\n"


HASHES = {"test_hash": "7e577e5700", "data_hash": "d0d0d0d0d0"}


def test_readings_are_counted_and_intents_are_not(make_study):
    """A study that was ended after 2 readings, the second of them torn, another one begun."""
    study = make_study()
    study.finalist("c", [0.9, 0.9])
    study.run("finalists/c/2", "finalist", None, "w_msa", ended=False, stage="final")
    for key in ("finalists/c/0", "finalists/c/1"):
        with recorded_test_read(study.folder, "study", key, "c", HASHES):
            pass
    with (
        pytest.raises(KeyboardInterrupt),
        recorded_test_read(study.folder, "study", "finalists/c/2", "c", HASHES),
    ):
        raise KeyboardInterrupt
    board = Leaderboard.from_folder(study.folder)
    assert (board.test_reads, board.readers, board.open_reads) == (2, {"study digits": 2}, 1)
    text = " ".join(sentences(board))
    assert "Test was read 2 times, once for each run with fresh seeds" in text
    assert "read 2 times in all (2 by study digits)" in text
    assert "It may have been read once more" in text


def test_an_old_ledger_of_intents_is_read_by_the_results(make_study, tmp_path):
    """It announced 24 readings when they were submitted; the study was ended after 2."""
    study = make_study()
    study.finalist("c", [0.9, 0.9])
    lines = []
    for number in range(24):
        key = f"finalists/c/{number}"
        if number > 1:
            study.run(key, "finalist", None, "w_msa", ended=False, stage="final")
        lines.append(ledger_line(key, time=f"2024-05-01T00:00:{number:02d}", **HASHES))
    for ledger in (study.folder / "test_reads.jsonl", tmp_path / "test_reads.jsonl"):
        ledger.write_text("".join(lines))
    board = Leaderboard.from_folder(study.folder)
    assert (board.test_reads, board.readers, board.open_reads) == (2, {"study digits": 2}, 22)
    assert {row.test_reads for row in board.rows} == {2}


def test_results_prove_readings_of_which_the_ledger_is_lost(make_study):
    study = make_study()
    study.finalist("c", [0.9, 0.9, 0.9])
    study.reference("pixels", 0.8, test=0.79)
    board = Leaderboard.from_folder(study.folder)
    assert (board.test_reads, board.reference_reads) == (3, 1)
    assert board.readers == {"study digits": 4}


def test_csv_and_json_say_the_same_to_the_last_digit(whole_study):
    study = whole_study()
    board = Leaderboard.from_folder(study.folder)
    board.write(study.folder)
    data = json.loads((study.folder / "leaderboard.json").read_text())
    lines = list(csv.DictReader((study.folder / "leaderboard.csv").read_text().splitlines()))
    assert data["schema_version"] == 1
    assert data["digest"] == board.digest()
    assert len(lines) == len(data["rows"]) == len(board.rows) > 15
    params = ["params.stages.0.width", "params.recipe.learning_rate"]
    assert list(lines[0]) == [*COLUMNS, "keys", *params]
    assert set(data["rows"][0]) == {*COLUMNS, *JSON_ONLY}
    for line, row, ours in zip(lines, data["rows"], board.rows, strict=True):
        for name in COLUMNS:
            assert row[name] == getattr(ours, name)
            if isinstance(row[name], float):
                assert float(line[name]) == row[name]
            elif row[name] is None:
                assert line[name] == ""
            elif isinstance(row[name], bool):
                assert line[name] == str(row[name]).lower()
            else:
                assert line[name] == str(row[name])


def test_what_is_not_a_number_is_empty(make_study):
    study = make_study()
    study.trial(0, None, state="diverged", peak_memory_mb=math.nan, seconds={"fit": math.nan})
    board = Leaderboard.from_folder(study.folder)
    board.write(study.folder)
    text = (study.folder / "leaderboard.json").read_text() + board.to_csv()
    assert "nan" not in text.lower()
    assert csv_rows(board)[0]["validation_mean"] == ""


@pytest.mark.parametrize("label", ["=1+1", "+w_msa", "-w", "@SUM(A1)", "\t=x", "\r=x"])
def test_a_label_is_no_formula(make_study, label):
    study = make_study()
    study.trial(0, 0.9, label)
    board = Leaderboard.from_folder(study.folder)
    cells = board.to_csv().replace("\n", ",").split(",")
    assert f"'{label}" in cells or f"?{label[1:]}" in cells
    assert label not in cells
    assert board.rows[0].label == label


def test_a_negative_number_stays_a_number(whole_study):
    cells = [row["difference"] for row in csv_rows(Leaderboard.from_folder(whole_study().folder))]
    assert any(cell.startswith("-") for cell in cells)


def change(study, key, **changes):
    _, result = read_run(study.folder, key)
    write_json_atomically(study.folder / key / "result.json", replace(result, **changes).to_dict())


def test_the_digest_sees_results_and_not_the_clock(whole_study):
    study, other = whole_study("a"), whole_study("b")
    digest = Leaderboard.from_folder(study.folder).digest()
    assert Leaderboard.from_folder(other.folder).digest() == digest
    latency = {"median_ms": 99.0, "iqr_ms": 1.0, "batch": 64, "threads": 1, "device": "cpu"}
    change(study, "trials/0000", seconds={"fit": 9.9}, latency=latency, peak_memory_mb=1.0)
    change(study, "trials/0000", code_hash="c1")
    assert Leaderboard.from_folder(study.folder).digest() == digest
    _, result = read_run(study.folder, "trials/0000")
    change(study, "trials/0000", score=math.nextafter(result.score, 1))
    assert Leaderboard.from_folder(study.folder).digest() != digest


NOT_IN_THE_DIGEST = {*MEASURED, "test_reads", "code_hash", "imported_from"}


@pytest.mark.parametrize("name", sorted({*COLUMNS, *JSON_ONLY} - NOT_IN_THE_DIGEST))
def test_every_other_column_is_in_the_digest(whole_study, name):
    board = Leaderboard.from_folder(whole_study(seeds=2).folder)
    rows = (replace(board.rows[0], **{name: "changed"}), *board.rows[1:])
    assert replace(board, rows=rows).digest() != board.digest()


def test_a_folder_without_settings_is_no_study(make_study, tmp_path):
    with pytest.raises(InputError, match=r"settings\.yaml; is .* the folder of a study"):
        Leaderboard.from_folder(tmp_path)
    study = make_study()
    (study.folder / "settings.yaml").write_text("a: [")
    with pytest.raises(InputError, match="not YAML"):
        Leaderboard.from_folder(study.folder)
    (study.folder / "settings.yaml").write_text(yaml.safe_dump(["a"]))
    with pytest.raises(InputError, match="holds a list"):
        Leaderboard.from_folder(study.folder)


def test_a_study_without_runs_has_an_empty_leaderboard(make_study):
    study = make_study()
    board = Leaderboard.from_folder(study.folder)
    board.write(study.folder)
    assert board.rows == ()
    assert board.to_csv().splitlines() == [",".join([*COLUMNS, "keys"])]


def test_the_csv_holds_chosen_values_and_run_folders(make_study):
    study = make_study()
    study.trial(0, 0.9, params={"stages.0.width": 32, "stages.0.blocks.0.mixer": "=1+1"})
    study.trial(1, 0.8, params={"recipe.drop_path": 0.1})
    study.baseline(0, 0.7, params={})
    study.finalist("c", [0.9, 0.9], params={})
    study.reference("pixels", 0.6, params={})
    retrained, chosen, other, given, reference = csv_rows(Leaderboard.from_folder(study.folder))
    assert retrained["keys"] == "finalists/c/0 finalists/c/1"
    told = [name for name in chosen if name.startswith("params.")]
    paths = ["stages.0.width", "stages.0.blocks.0.mixer", "recipe.drop_path"]
    assert told == [f"params.{path}" for path in paths]
    assert [chosen[name] for name in told] == ["32", "'=1+1", ""]
    assert [other[name] for name in told] == ["32", "", "0.1"]  # its network is known
    assert [given[name] for name in told] == ["32", "", ""]
    assert [reference[name] for name in told] == ["", "", ""]
