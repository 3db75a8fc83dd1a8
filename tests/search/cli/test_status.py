import json
import subprocess
import sys
from pathlib import Path

import pytest

from search.cli import status as command
from search.cli.main import main
from search.records.study_folder import locked

DOOR = Path(__file__).parents[3] / "search.py"


def test_the_table_and_nothing_heavy_with_it(whole_study):
    study = whole_study()
    code = f"""
import runpy, sys
sys.argv = ["search.py", "status", {str(study.folder)!r}]
try:
    runpy.run_path({str(DOOR)!r}, run_name="__main__")
except SystemExit as end:
    assert end.code == 0, end.code
heavy = {{"torch", "optuna", "wandb", "matplotlib", "numpy", "scipy"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("digits: ")
    assert "best of 10 single runs so far" in done.stdout


def test_json(whole_study, capsys):
    study = whole_study()
    before = sorted(study.folder.rglob("*"))
    assert main(["status", str(study.folder), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema_version"] == 1
    assert told["best"]["key"] == "trials/0000"
    assert told["groups"]["trials"]["states"]["failed"] == 1
    assert sorted(study.folder.rglob("*")) == before


def test_watching_ends_with_the_study(whole_study, capsys, monkeypatch):
    study = whole_study()
    monkeypatch.setattr(command.time, "sleep", lambda _: lock.__exit__(None, None, None))
    lock = locked(study.folder)
    lock.__enter__()
    assert main(["status", str(study.folder), "--format", "json", "--watch", "1"]) == 0
    told = [json.loads(line)["activity"] for line in capsys.readouterr().out.splitlines()]
    assert told[0] in ("running", "unknown")
    assert told[-1] != "running"
    assert len(told) == 2


def test_ctrl_c_ends_the_watching_quietly(whole_study, capsys, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    study = whole_study()
    monkeypatch.setattr(command.time, "sleep", interrupt)
    with locked(study.folder):
        assert main(["status", str(study.folder), "--watch", "1"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none"], "no study or comparison at none"),
        ([".", "--watch", "0"], "--watch must be above 0; got 0"),
        ([".", "--watch", "1e9"], "--watch must be at most 86,400; got 1000000000.0"),
    ],
)
def test_what_must_be_mended(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert main(["status", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_nothing_is_cut_elsewhere_than_on_a_terminal_nor_where_room_is_short(
    whole_study, capsys, monkeypatch
):
    name, word = "study-" + "n" * 60, "conv(kernel=7)+w_msa(attention=cosine;small_map=pad):gate"
    study = whole_study(name)
    study.trial(15, 0.9, word)
    (study.folder / "study.json").write_text("{}")
    for columns in ("", "60"):
        monkeypatch.setenv("COLUMNS", columns)
        for given in (study.folder, study.folder.parent):
            assert main(["status", str(given)]) == 0
        text = capsys.readouterr().out
        assert "\N{HORIZONTAL ELLIPSIS}" not in text
        assert (name in text.splitlines()[-1] and word in text) == (not columns)


def test_a_folder_of_studies_lists_them(whole_study, capsys):
    one = whole_study("one")
    whole_study("other")
    for study in ("one", "other"):
        (one.folder.parent / study / "study.json").write_text("{}")
    runs = str(one.folder.parent)
    assert main(["status", runs]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["one", "other"]
    assert all("study" in line and "runs" in line and "best run 97.0%" in line for line in lines)
    assert main(["status", runs, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [study["name"] for study in told["studies"]] == ["one", "other"]
    assert main(["status", runs, "--watch", "1"]) == 2
    assert f"--watch looks at one study; give one of {runs}" in capsys.readouterr().err
