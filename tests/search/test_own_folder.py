"""A folder as users have them goes the whole way: data, a training, its answers, its mistakes."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from hybrid_swin.__main__ import main as train
from search.cli.main import main

CLASSES = ("gato ñ", "狗")
VARIANT = (
    "{image_size: 16, in_channels: 3, num_classes: 2, patch_size: 4, window_size: 2, "
    "stages: [{width: 8, depth: 1, num_heads: 2, blocks: [w_msa+mdta]}]}"
)
UNREADABLE = ("gato ñ/broken.png", "gato ñ/huge.png", "狗/cut.jpg")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Images of two classes and nine patients, with everything that goes wrong in folders."""
    place = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    rows = []
    for label, name in enumerate(CLASSES):
        (place / "mine" / name).mkdir(parents=True)
        for index in range(27):
            pixels = rng.integers(0, 120, (18, 24, 3), dtype=np.uint8) + np.uint8(120 * label)
            file = place / "mine" / name / f"{index}.png"
            Image.fromarray(pixels).save(file)
            rows.append((f"{name}/{index}.png", name, f"patient {index % 9}"))
    cat, dog = (place / "mine" / name for name in CLASSES)
    pixels = np.asarray(Image.open(cat / "3.png"))
    Image.fromarray(pixels[..., 0]).save(cat / "grey.png")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(cat / "deep.png")
    Image.fromarray(np.dstack([pixels, pixels[..., :1]]), "CMYK").save(dog / "ink.jpg")
    Image.fromarray(np.dstack([pixels, pixels[..., :1]])).save(dog / "clear.webp")
    Image.fromarray(pixels).save(dog / "é 🐶 %20.jpeg", "PNG")  # the suffix lies
    Image.new("RGB", (1, 1)).save(dog / "dot.bmp")
    Image.new("1", (14_000, 14_000)).save(cat / "huge.png")
    (cat / "broken.png").write_bytes(b"nothing")
    Image.fromarray(pixels).save(dog / "whole.jpg")
    (dog / "cut.jpg").write_bytes((dog / "whole.jpg").read_bytes()[:300])
    (cat / "copy.png").write_bytes((cat / "4.png").read_bytes())
    (cat / "notes.txt").write_text("x")
    names = {row[0] for row in rows}
    for file in sorted((place / "mine").rglob("*.*")):
        name = file.relative_to(place / "mine").as_posix()
        if name not in names and file.suffix != ".txt":
            rows.append((name, file.parent.name, "patient 4" if "copy" in name else ""))
    with (place / "mine" / "list.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "group"), *rows])
    (place / "tiny.yaml").write_text(VARIANT)
    return place


@pytest.fixture(autouse=True)
def place(own, monkeypatch):
    monkeypatch.chdir(own)


def run(capsys, door, *words):
    assert door(words) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_from_data_to_predict(own, capsys):
    files = sum(len([*(own / "mine" / name).iterdir()]) for name in CLASSES) - 1
    about = json.loads(run(capsys, main, "data", "mine/list.csv", "--format", "json"))
    assert sorted(name for name, _ in about["left_out"]) == sorted(UNREADABLE)
    assert about["groups"] and about["problem"] is None
    counts = {name: sum(row.values()) for name, row in about["images_by_class"].items()}
    assert sum(counts.values()) == files - len(UNREADABLE)
    assert "'gato ñ/huge.png': more than " in run(capsys, main, "data", "mine")

    data = ("--data.source", "folder", "--data.options.csv", "mine/list.csv")
    fit = ("fit", "--variant", "tiny.yaml", *data, "--recipe.epochs", "6", "--folder", "fit")
    assert "left out   3 image(s)" in run(capsys, train, *fit, "--recipe.learning_rate", "0.01")

    run(capsys, train, "predict", "fit", "mine", "--output", "new.csv")
    with open("new.csv", newline="", encoding="utf-8") as file:
        answers = {row["id"]: row for row in csv.DictReader(file)}
    assert len(answers) == files - len(UNREADABLE)
    right = [answers[f"{n}/{i}.png"]["answer"] == n for n in CLASSES for i in range(27)]
    assert np.mean(right) > 0.9  # dark and bright
    assert answers["gato ñ/deep.png"]["answer"] == answers["gato ñ/grey.png"]["answer"]

    run(capsys, main, "inspect", "fit", "--only", "confusion,mistakes", "--images", "900")
    rows = json.loads((own / "fit" / "inspections" / "confusion.json").read_text())["rows"]
    assert [row["class"] for row in rows] == list(CLASSES)
    assert sum(row["images"] for row in rows) == about["images"]["validation"]
