"""Names of classes, files and rows can do nothing but be read, wherever the program writes them."""

import csv
import re

import numpy as np
import pytest
import yaml
from PIL import Image

from hybrid_swin.__main__ import main as train_main
from search.cli.main import main
from search.leaderboard.board import Leaderboard

CLASSES = (
    "=HYPERLINK(A1)",
    "red\x1b[31m",
    "left\u202eright\u200b",
    "a\nb\rc",
    "|`<b>`$x_1$\\input",
)
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for name in CLASSES:
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for index in range(6):
            pixels = rng.integers(0, 255, (8, 8)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"\x1b[2J{index}.png")
        (folder / "bro\x1bken.png").write_bytes(b"no image")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_training_and_its_predictions(photos, capsys):
    stage = {"width": 8, "depth": 1, "num_heads": 2, "blocks": ["conv"]}
    variant = {"image_size": 8, "in_channels": 1, "num_classes": len(CLASSES), "patch_size": 2}
    variant |= {"window_size": 2, "stages": [stage]}
    (photos / "v.yaml").write_text(yaml.safe_dump(variant))
    fit = ["fit", "--variant", "v.yaml", "--folder", "fitted\x1b", "--recipe.epochs", "1"]
    fit += ["--data.source", "folder", "--data.options.path", "photos"]
    assert train_main(fit) == 0
    assert train_main(["predict", "fitted\x1b", "--output", "answers\x1b.csv"]) == 0
    printed = capsys.readouterr()
    assert "images of the test split" in printed.out
    assert not UNSEEN.search(printed.out + printed.err)
    text = (photos / "answers\x1b.csv").read_text()
    assert not UNSEEN.search(text)
    cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
    assert len({len(row) for row in csv.reader(text.splitlines())}) == 1
    starts = [cell for cell in cells if cell[:1] in "=@+" or re.match("-(?![0-9.])", cell)]
    assert not [cell for cell in starts if cell]
    assert train_main(["test", "photos/\x1b"]) == 2
    assert not UNSEEN.search(capsys.readouterr().err)


def test_the_rows_of_a_study_from_elsewhere(whole_study, capsys, monkeypatch, tmp_path):
    """Its files may say anything."""
    study = whole_study("theirs")
    for number, label in enumerate(CLASSES):
        study.trial(20 + number, 0.99, label)
        study.baseline(20 + number, 0.9, label)
    study.finalist("cand-evil", [0.98] * 5, "trials/0020", CLASSES[2], skill=1.1)
    study.finalist("cand-sum", [0.98] * 5, "trials/0021", CLASSES[0], skill=1.1)
    board = Leaderboard.from_folder(study.folder)
    board.write(study.folder)
    for command in ("status", "leaderboard"):
        assert main([command, str(study.folder)]) == 0
    assert main(["leaderboard", str(study.folder), "--svg", str(tmp_path / "t.svg")]) == 0
    assert main(["figures", str(study.folder)]) == 0
    printed = capsys.readouterr()
    assert "left?right?" in printed.out
    assert not UNSEEN.search(printed.out + printed.err)
    rows = list(csv.reader((study.folder / "leaderboard.csv").read_text().splitlines()))
    assert any("HYPERLINK" in cell for row in rows for cell in row)
    assert not [cell for row in rows for cell in row if cell.startswith("=")]
    written = [file for file in study.folder.rglob("*") if file.suffix in (".csv", ".svg", ".md")]
    assert written
    for file in [*written, tmp_path / "t.svg"]:
        text = file.read_text(encoding="utf-8")
        assert not UNSEEN.search(text), file
        assert "<b>" not in text or file.suffix == ".csv", file
