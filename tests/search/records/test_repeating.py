"""A receipt alone is enough to run a study again, and what differs is told."""

import json
import shutil

import pytest

from search.records.receipt import differences_from
from search.records.versions import code_hash, versions
from search.settings.config_files import read_config, read_receipt

CLAIMED = {"data": {"data_hash": "d0"}, "plugins": {"blur.py": "b0"}, "precision": "32-true"}


def test_a_study_is_repeated_from_its_receipt_alone(finished, tiny, tmp_path, doors):
    receipt = tmp_path / "elsewhere" / "receipt.json"
    receipt.parent.mkdir()
    shutil.copyfile(finished.folder / "receipt.json", receipt)
    process = doors.open(*tiny.command("--name", "again", config=receipt))
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "not as in the receipt" not in output
    boards = [
        json.loads((folder / "leaderboard.json").read_text())
        for folder in (finished.folder, tmp_path / "runs" / "again")
    ]
    assert boards[0]["digest"] == boards[1]["digest"]
    assert {row["test_reads"] for row in boards[1]["rows"]} == {6}


def test_a_receipt_holds_what_results_depend_on(finished):
    receipt = json.loads((finished.folder / "receipt.json").read_text())
    results = finished.results().values()
    assert receipt["split_hashes"] == sorted({result["split_hash"] for result in results})
    assert {result["test_hash"] for result in results} == {receipt["data"]["test_hash"]}
    assert {result["precision"] for result in results} - {""} == {receipt["precision"]}
    assert receipt["hashes"]["data_hash"] == receipt["data"]["data_hash"]
    assert receipt["plugins"] == {}
    assert len(receipt["validation_seeds"]) == 2
    assert receipt["versions"] == versions()
    assert receipt["repeat"] == "python search.py run --config receipt.json --name tiny-again"


@pytest.fixture
def claimed(tmp_path):
    (tmp_path / "study.json").write_text(
        json.dumps({"schema_version": 1, "settings": {}, **CLAIMED})
    )
    return tmp_path


def as_here(**changes):
    told = {"hashes": CLAIMED["data"], "code_hash": code_hash(), "versions": versions()}
    return {**CLAIMED, **told, **changes}


def test_what_differs_is_one_line_each(claimed):
    assert list(differences_from(as_here(), claimed)) == []
    assert list(differences_from({"settings": {}}, claimed)) == []  # an older one says less
    other = as_here(
        hashes={"data_hash": "d1"},
        plugins={"blur.py": "b1", "own.py": "o"},
        precision="bf16-mixed",
        code_hash="c1",
        versions=versions() | {"optuna": "4.9"},
    )
    assert list(differences_from(other, claimed)) == [
        "hashes.data_hash: 'd1' -> 'd0'",
        "plugins.blur.py: 'b1' -> 'b0'",
        "plugins.own.py: 'o' -> None",
        "precision: 'bf16-mixed' -> '32-true'",
        f"code_hash: 'c1' -> {code_hash()!r}",
        f"versions.optuna: '4.9' -> {versions()['optuna']!r}",
    ]


def test_a_receipt_is_a_config(tmp_path):
    receipt, config = tmp_path / "receipt.json", tmp_path / "settings.yaml"
    content = {"settings": {"trials": 3, "recipe": {"learning_rate": 1e-05}}, "code_hash": "c"}
    receipt.write_text(json.dumps({"schema_version": 1, **content}))
    config.write_text("{schema_version: 1, trials: 3}")
    assert read_config(str(receipt)) == content["settings"]
    assert read_receipt(str(receipt))["code_hash"] == "c"
    assert read_config(str(config)) == {"trials": 3}
    assert read_receipt(str(config)) is None
