"""Several studies in one table: who may stand there, what is paired, what is said."""

import csv
import json

import pytest
import yaml

from hybrid_swin.errors import InputError
from search.cli.main import main
from search.leaderboard.board import COLUMNS, Leaderboard
from search.leaderboard.joint_board import join
from search.leaderboard.sentences import sentences
from search.records.study_folder import recorded_test_read


@pytest.fixture
def fill(make_study):
    """A study with a trial, two retrained rows and a reference; seeds from ``seed`` on."""

    def make(name, seed=1000, score=0.9, monitor="val/accuracy", images=300, **changes):
        study = make_study(name, monitor=monitor, images=images)
        study.trial(0, 0.95)
        for candidate, skill in ((f"{name}-good", 1.0), ("shared", 0.8)):
            for index in range(3):
                key = f"finalists/{candidate}/{index}"
                given = {"candidate_id": candidate, "stage": "final", "seed_index": index}
                test = study.predictions(key, skill)
                value = score + 0.01 * (skill == 1.0)
                given |= {"seed": seed + index, "test": test, "origin": "trials/0000"}
                study.run(key, "finalist", value, candidate, **{**given, **changes})
        study.reference("pixels", 0.8, test=0.79)
        return study

    return make


def joined(*studies):
    return join([study.folder for study in studies])


def test_retrained_rows_and_references_stand_together(fill):
    a, b = fill("a"), fill("b", score=0.8)
    board = joined(a, b)
    assert [(row.study, row.label) for row in board.rows] == [
        ("a", "a-good"),
        ("a", "shared"),
        ("b", "b-good"),
        ("a", "pixels"),
    ]
    assert [row.rank for row in board.rows] == [1, 2, 3, None]
    text = " ".join(sentences(board))
    assert "2 single runs of the searches are left out" in text
    assert "Best by validation: a-good of study a, 91.0%" in text
    assert text.count("the reference model pixels") == 1
    assert "Study b repeats trainings of a in 2 rows (same candidate, seed, images" in text
    assert "true difference on validation" not in text  # which is of pairs


def test_studies_that_repeat_each_other_are_said_once(make_study):
    """Each has more seeds of one candidate, so each leaves a row out for the other's."""
    studies = []
    for name, counts in (("small", {"x": 3, "y": 2}), ("again", {"x": 2, "y": 3})):
        study = make_study(name)
        study.trial(0, 0.95)
        for candidate, count in counts.items():
            study.finalist(candidate, [0.9] * count, label=candidate)
        studies.append(study)
    told = [text for text in joined(*studies).notes if "counted once" in text]
    assert len(told) == 1
    assert told[0].startswith("Studies small and again share trainings in 2 rows (")


def test_shared_seeds_are_paired_and_others_are_not(fill):
    a, same, other = fill("a"), fill("same", score=0.8), fill("other", seed=5000, score=0.7)
    drawn = fill("drawn", score=0.6, split_hash="another validation split")
    board = joined(a, same, other, drawn)
    paired = {row.study: row.difference_paired for row in board.rows[1:] if row.rank}
    assert paired == {"a": True, "same": True, "other": False, "drawn": False}
    text = " ".join(sentences(board))
    assert "too few seeds are shared with row R: #4, #5, #6, #7." in text
    assert "The studies validate on different images" in text
    alone = Leaderboard.from_folder(a.folder)
    first, other = alone.rows[1], next(row for row in board.rows if row.label == "shared")
    assert first.difference == other.difference
    assert first.difference_p < other.difference_p  # Holm over the joint table


@pytest.fixture
def searched(make_study):
    """A study whose chosen fell as far as its baselines, give or take; ``more`` seeds of all."""

    def make(name, seeds=3, code="c0de", seed=1000, best=0.95):
        study = make_study(name)
        study.trial(9, 0.5)  # which no one chose
        for number, (early, late) in enumerate([(best, 0.90), (0.94, 0.91), (0.93, 0.92)]):
            study.trial(number, early)
            given = {"seed": seed, "code_hash": code}
            add(study, f"chosen-{number}", late, f"trials/{number:04d}", seeds, **given)
        for number, (early, late) in enumerate([(0.90, 0.90), (0.89, 0.88), (0.91, 0.88)]):
            study.baseline(number, early)
            given = {"seed": seed, "code_hash": code, "is_baseline": True}
            add(study, f"base-{number}", late, f"baselines/{number:02d}", seeds, **given)
        given = {"seed": seed, "stage": "final", "code_hash": code}
        study.run("random/final-00", "random", 0.7, "w_msa", **given)
        return study

    def add(study, candidate, score, origin, seeds, seed, **given):
        for index in range(seeds):
            key = f"finalists/{candidate}/{index}"
            given |= {"candidate_id": candidate, "stage": "final", "origin": origin}
            given |= {"seed_index": index, "seed": seed + index}
            test = {"test/accuracy": score - 0.01}
            study.run(key, "finalist", score, candidate, test=test, **given)

    return make


def flattery(board):
    return next(text for text in sentences(board) if text.startswith("Retrained with fresh"))


@pytest.mark.parametrize("code", ["c0de", "other"])
def test_a_repeated_study_adds_no_evidence(searched, code):
    """Its trainings are those of the first, to the last digit, also where a comment changed."""
    first, again = searched("small"), searched("again", code=code)
    alone, board = Leaderboard.from_folder(first.folder), joined(first, again)
    assert flattery(board) == flattery(alone)
    rows = [row for row in alone.rows if row.fidelity != "search"]
    assert [(r.label, r.difference_p) for r in board.rows] == [
        (r.label, r.difference_p) for r in rows
    ]
    assert "Study again repeats trainings of small in 7 rows" in " ".join(sentences(board))


def test_studies_of_one_seed_share_their_baselines_and_the_most_seeds_stay(searched):
    first, more = searched("first"), searched("more", seeds=5)
    board = joined(first, more)
    assert {row.study for row in board.rows if row.fidelity == "final"} == {"more"}
    assert flattery(board) == flattery(Leaderboard.from_folder(more.folder))


def test_other_seeds_are_other_trainings(searched):
    first, other = searched("first"), searched("other", seed=5000)
    board = joined(first, other)
    assert sum(row.fidelity == "final" for row in board.rows) == 12
    assert "repeats trainings" not in " ".join(sentences(board))


def test_each_study_has_a_chance_of_its_own(fill):
    studies = [fill("a"), fill("b", score=0.8)]
    for study in studies:
        for number, score in enumerate([0.6, 0.7]):
            key = f"random/final-{number:02d}"
            test = {"test/accuracy": score}
            study.run(key, "random", score, "w_msa", stage="final", origin=key, test=test)
        study.finalist("drawn", [0.5, 0.5, 0.5], origin="random/0001")
        text = " ".join(sentences(Leaderboard.from_folder(study.folder)))
        assert "A random candidate" in text and "of a random search" in text
    text = " ".join(sentences(joined(*studies)))
    assert "random candidate" not in text and "random search" not in text


def test_a_row_names_its_study_only_where_there_are_several(fill):
    a, b = fill("a"), fill("b")
    board, alone = joined(a, b), Leaderboard.from_folder(a.folder)
    lines = list(csv.DictReader(board.to_csv().splitlines()))
    assert list(lines[0])[: len(COLUMNS) + 2] == ["rank", "study", *COLUMNS[1:], "keys"]
    assert {line["study"] for line in lines} == {"a", "b"}
    assert {row["study"] for row in board.to_dict()["rows"]} == {"a", "b"}
    assert "study" not in alone.to_dict()["rows"][0]
    assert alone.to_csv().startswith(",".join([*COLUMNS, "keys"]))


def test_a_front_is_of_studies_with_the_same_costs(make_study):
    studies = []
    for name, against in (("a", ["macs"]), ("b", ["macs"]), ("c", ["latency"])):
        objective = {"monitor": "val/accuracy", "mode": "max", "against": against}
        studies.append(make_study(name, objective=objective))
        studies[-1].finalist(name, [0.9, 0.9])
    assert joined(*studies[:2]).against == ("macs",)
    assert joined(*studies).against == ()


def test_the_best_run_is_found_in_its_own_study(fill, capsys):
    a, b = fill("a", score=0.8), fill("b")
    for study in (a, b):
        weights = study.folder / f"finalists/{study.folder.name}-good/0/attempt-1/final.ckpt"
        weights.parent.mkdir()
        weights.touch()
    assert main(["leaderboard", str(a.folder), str(b.folder)]) == 0
    assert f"inspect {b.folder}/finalists/b-good/0\n" in capsys.readouterr().out


def test_readings_are_counted_over_all_ledgers_once(fill):
    a, b = fill("a"), fill("b")
    for study in (a, b):
        with recorded_test_read(
            study.folder, "study", "finalists/x/0", "x", {"test_hash": "7e577e5700"}
        ):
            pass
    each = 2 * 3 + 1 + 1  # retrained runs, the reference, and what the ledger knows beside them
    assert {row.test_reads for row in joined(a, b).rows} == {2 * each}


def test_studies_of_one_name_are_told_apart(fill, tmp_path):
    a, b = fill("a"), fill("b")
    settings = b.folder / "settings.yaml"
    settings.write_text(yaml.safe_dump({**yaml.safe_load(settings.read_text()), "name": "a"}))
    assert {row.study for row in joined(a, b).rows} == {str(a.folder), str(b.folder)}


def test_other_code_is_allowed_and_told(fill):
    text = " ".join(sentences(joined(fill("a"), fill("b", code_hash="c1"))))
    assert "differ in their code (code_hash)" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"monitor": "val/f1"}, "objective.monitor: val/accuracy and val/f1; show them apart"),
        ({"data_hash": "d1"}, "images (data_hash): d0d0d0d0d0 and d1"),
        ({"test_hash": "t1"}, "test split (test_hash): 7e577e5700 and t1"),
        ({"test_hash": ""}, "the test split of study 'b' cannot be told (test_hash '')"),
        ({"images": 200}, "predictions.npz: 300 images with 'image-200' and 200 images"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_both_values(fill, changes, words):
    a, b = fill("a"), fill("b", **changes)
    with pytest.raises(InputError) as caught:
        joined(a, b)
    assert words in str(caught.value)


def test_folders_that_are_no_such_study_are_refused(fill, make_study, tmp_path, capsys):
    a, empty = fill("a"), make_study("empty")
    compared = tmp_path / "compared"
    compared.mkdir()
    (compared / "settings.yaml").write_text("{kind: comparison, arms: []}")
    for other, words in (
        (compared, "is a comparison: its arms are compared with their own baseline"),
        (empty.folder, "study 'empty' has no retrained row yet"),
        (a.folder, "is given twice"),
        (tmp_path / "nowhere", "the folder of a study?"),
    ):
        assert main(["leaderboard", str(a.folder), str(other)]) == 2
        error = capsys.readouterr().err
        assert words in error


def test_the_command_shows_several_in_every_format(fill, tmp_path, capsys):
    folders = [str(fill(name).folder) for name in "ab"]
    assert main(["leaderboard", *folders, "--svg", str(tmp_path / "x.svg")]) == 0
    assert "a and b: retrained with fresh seeds" in capsys.readouterr().out
    assert "study" in (tmp_path / "x.svg").read_text()
    assert main(["leaderboard", *folders, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["studies"] == ["a", "b"]
    assert main(["leaderboard", *folders, "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("rank,study,label")
