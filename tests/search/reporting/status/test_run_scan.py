import json

import pytest

from hybrid_swin.system.files import write_json_atomically
from search.records.runs import iter_runs
from search.reporting.status.run_scan import Failure, Runs


def look(folder):
    runs = Runs(folder)
    runs.refresh()
    return runs


def test_what_it_reads_in_haste_is_what_stands_there(whole_study):
    study = whole_study()
    runs = look(study.folder)
    full = {spec.key: result for spec, result in iter_runs(study.folder)}
    assert set(runs.summaries) == set(full)
    for key, run in runs.summaries.items():
        result = full[key]
        told = (run.state, run.score, run.epochs, run.seconds)
        assert told == (result.state, result.score, result.epochs, result.seconds["total"])


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_any_way_of_writing_it(make_study, indent):
    study = make_study()
    study.trial(0, 0.75)
    file = study.folder / "trials/0000/result.json"
    file.write_text(json.dumps(json.loads(file.read_text()), indent=indent))
    assert look(study.folder).summaries["trials/0000"].score == 0.75


def test_a_result_is_read_once_and_new_ones_are_found(make_study):
    study = make_study()
    study.trial(0, 0.75)
    study.trial(1, 0.5, ended=False)
    runs = look(study.folder)
    assert (list(runs.summaries), runs.waiting) == (["trials/0000"], ["trials/0001"])
    (study.folder / "trials/0000/result.json").unlink()
    study.trial(1, 0.5)
    runs.refresh()
    assert (sorted(runs.summaries), runs.waiting) == (["trials/0000", "trials/0001"], [])


@pytest.mark.parametrize("torn", ["", '{"score": 0.', "[]", "{}", "null", '{"score": "x"}', "\0"])
def test_a_torn_result_is_named_and_read_when_it_is_whole(make_study, torn):
    study = make_study()
    study.trial(0, 0.75)
    file = study.folder / "trials/0000/result.json"
    whole = file.read_text()
    file.write_text(torn)
    runs = look(study.folder)
    assert (runs.summaries, runs.unreadable) == ({}, ["trials/0000"])
    file.write_text(whole)
    runs.refresh()
    assert (list(runs.summaries), runs.unreadable) == (["trials/0000"], [])


def test_failures_of_runs_that_wait_or_took_several_attempts(make_study):
    study = make_study()
    study.trial(0, 0.5, attempt=2)
    study.trial(1, None, ended=False)
    for number in (10, 9):
        place = study.folder / f"trials/0001/attempt-{number}"
        write_json_atomically(place / "failure.json", {"error": f"broke {number}"})
    write_json_atomically(study.folder / "trials/0000/attempt-1/failure.json", {"error": "killed"})
    (study.folder / "trials/0001/attempt-11").mkdir()
    (study.folder / "trials/0001/attempt-x").mkdir()
    assert sorted(look(study.folder).failures, key=lambda f: f.key) == [
        Failure("trials/0000", 1, "killed"),
        Failure("trials/0001", 9, "broke 9"),
        Failure("trials/0001", 10, "broke 10"),
    ]


def test_failures_and_labels_are_read_once(make_study):
    study = make_study()
    study.trial(0, None, "conv", ended=False)
    place = study.folder / "trials/0000"
    write_json_atomically(place / "attempt-1/failure.json", {"error": "one"})
    runs = look(study.folder)
    assert runs.label("trials/0000") == "conv"
    write_json_atomically(place / "attempt-2/failure.json", {"error": "two"})
    (place / "attempt-1/failure.json").unlink()
    (place / "run.json").write_text("{}")
    runs.refresh()
    assert [failure.error for failure in runs.failures] == ["one", "two"]
    assert runs.label("trials/0000") == "conv"


def test_folders_of_runs_that_were_never_asked(make_study):
    study = make_study()
    (study.folder / "trials/0000").mkdir(parents=True)
    (study.folder / "trials/a file").write_text("")
    runs = look(study.folder)
    assert (runs.summaries, runs.waiting, runs.unreadable) == ({}, [], [])


def test_labels_and_files_that_cannot_be_read(tmp_path):
    assert look(tmp_path / "none").summaries == {}
    assert look(tmp_path).label("trials/0000") == ""
    (tmp_path / "trials/0000").mkdir(parents=True)
    (tmp_path / "trials/0000/run.json").write_text("[1]")
    assert look(tmp_path).label("trials/0000") == ""
