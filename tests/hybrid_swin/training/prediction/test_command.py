"""``predict RUN IMAGES...``: what it answers, and what it says of images that it cannot read."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import hybrid_swin as hs
from hybrid_swin.__main__ import main


@pytest.fixture
def place(tmp_path, monkeypatch, photos, trained):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(photos / "class1", tmp_path / "new" / "deep")
    return tmp_path


def predict(capsys, *words):
    code = main(["predict", *map(str, words), "--accelerator", "cpu"])
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


def rows_of(file):
    with open(file, newline="") as opened:
        return list(csv.DictReader(opened))


def certainty(row):
    return [best["probability"] for best in row["best"]]


def test_a_folder_becomes_a_table(place, capsys, trained):
    (place / "new" / "broken.png").write_bytes(b"nothing")
    (place / "new" / "notes.txt").write_text("x")
    said = predict(capsys, trained, "new", "--output", "a.csv")
    assert "12 image(s) -> a.csv" in said
    assert "left out   1: 'broken.png' (UnidentifiedImageError" in said
    assert "1 other file(s) beside them" in said
    rows = rows_of("a.csv")
    assert rows[0]["id"] == "deep/0.png" and len(rows) == 12
    for row in rows:
        p = {key.removeprefix("probability "): float(v) for key, v in row.items() if " " in key}
        assert sum(p.values()) == pytest.approx(1, abs=1e-4)
        assert max(p, key=p.get) == row["answer"]
        assert float(row["probability"]) == max(p.values())


def test_the_same_logits_as_from_python(place, capsys, trained):
    predict(capsys, trained, "new", "--output", "a.npz")
    with np.load("a.npz") as file:
        ids, logits, classes = file["ids"], file["logits"], file["class_names"]
    model = hs.load(trained)
    assert tuple(classes) == model.classes == tuple(f"class{n}" for n in range(10))
    pixels = np.stack([np.asarray(Image.open(f"new/{name}")) for name in ids])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (model.mean, model.std))
    with torch.no_grad():
        expected = model((images - mean) / std).numpy()
    assert np.abs(logits - expected).max() < 1e-5


def test_validation_images_get_the_answers_of_their_split(place, capsys, trained, photos):
    predict(capsys, trained, "--split", "validation", "--output", "split.csv")
    predict(capsys, trained, photos, "--output", "all.csv")
    answers = {row["id"]: row["answer"] for row in rows_of("all.csv")}
    split = rows_of("split.csv")
    assert len(split) == 18
    assert all(answers[row["id"]] == row["answer"] for row in split)


def test_files_patterns_tables_and_arrays(place, capsys, trained):
    (place / "list.csv").write_text("path,remark\nnew/deep/0.png,=1+1\nnew/deep/gone.png,\n")
    grey = np.asarray(Image.open("new/deep/1.png"))
    np.savez("set.npz", images=grey[None], labels=np.zeros(1))
    places = ["new/deep/2.png", "new/**/1*.png", "list.csv", "set.npz"]
    out = json.loads(predict(capsys, trained, *places, "--format", "json"))
    names = [row["id"] for row in out["answers"]]
    deep = [f"new/deep/{name}.png" for name in (2, 1, 10, 11, 0)]
    assert names == [*deep, "images/0"]
    assert certainty(out["answers"][1]) == pytest.approx(certainty(out["answers"][5]))
    assert out["left_out"][0][0] == "new/deep/gone.png"
    assert 0 < out["temperature"] and out["classes"][0] == "class0"


def test_names_tell_images_of_several_folders_apart(place, capsys, trained):
    shutil.copytree("new", "other")
    out = json.loads(predict(capsys, trained, "new", "other", "--format", "json"))
    names = [row["id"] for row in out["answers"]]
    assert len(set(names)) == 24
    assert names[0] == "new/deep/0.png" and names[-1] == "other/deep/9.png"


def test_images_of_any_kind_are_made_ready_as_in_the_training(place, capsys, trained):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (5, 900), dtype=np.uint8)).save("grey.png")
    Image.fromarray(rng.integers(0, 65536, (20, 20), dtype=np.uint16)).save("deep.png")
    Image.fromarray(rng.integers(0, 256, (9, 9, 4), dtype=np.uint8), "CMYK").save("cmyk.jpg")
    Image.fromarray(rng.normal(size=(9, 9)).astype(np.float32)).save("ct.tif")
    Image.new("RGB", (1, 1)).save("wrong suffix ü.gif", "PNG")
    said = predict(
        capsys, trained, "grey.png", "deep.png", "cmyk.jpg", "ct.tif", "wrong suffix ü.gif"
    )
    assert "note: grey became colour: 2 image(s)" in said
    assert "'ct.tif' (holds floating point" in said
    assert "wrong suffix ü.gif" in said


def test_a_training_on_a_range_takes_it_again(place, capsys, trained):
    Image.fromarray(np.full((16, 16), 0.5, np.float32)).save("half.tif")
    Image.new("RGB", (16, 16), (64, 64, 64)).save("quarter.png")
    words = [trained, "half.tif", "quarter.png", "--format", "json", "--value-range"]
    first = json.loads(predict(capsys, *words, "[0, 1]"))["answers"]
    assert [row["id"] for row in first] == ["half.tif", "quarter.png"]
    other = json.loads(predict(capsys, *words, "[0, 128]"))["answers"]
    assert certainty(other[0]) != pytest.approx(certainty(first[0]), abs=1e-6)
    assert certainty(other[1]) == pytest.approx(certainty(first[0]), abs=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gone.png"], "'gone.png': there is no such file or folder in "),
        (["new/*.gif"], "'new/*.gif': matches no file"),
        (["empty"], "folder 'empty' holds no image at any depth"),
        (["broken.png"], "no image can be read: 'broken.png' (UnidentifiedImageError"),
        (["broken.npz"], "broken.npz cannot be read as .npz"),
        (["bare.csv"], "bare.csv: no column is called 'path'"),
        (["wide.npz"], "(1, 99, 3), but the network takes (16, 16, 3)"),
        (["new", "--output", "a.xlsx"], "'a.xlsx' must end in .csv or .npz"),
        (["new", "--output", "nowhere/a.csv"], "there is no folder 'nowhere'"),
        (["new", "--value-range", "[1, 1]"], "--value-range (1.0, 1.0) is not possible"),
        ([], "predict needs images"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(place, capsys, trained, words, message):
    (place / "empty").mkdir()
    for name in ("broken.png", "broken.npz"):
        (place / name).write_bytes(b"nothing")
    (place / "bare.csv").write_text("label\ncat\n")
    np.savez("wide.npz", images=np.zeros((1, 1, 99, 3), np.uint8))
    before = sorted(path.name for path in place.iterdir())
    assert main(["predict", str(trained), *words]) == 2
    said = capsys.readouterr()
    assert message in said.err and len(said.err.strip().splitlines()) == 1
    assert sorted(path.name for path in place.iterdir()) == before


def test_of_equal_probabilities_all_outputs_name_the_same(place, capsys, trained):
    network = hs.load(trained)
    torch.nn.init.zeros_(network.head.fc.weight)
    torch.nn.init.zeros_(network.head.fc.bias)
    hs.save_weights(network, "same.safetensors")
    out = json.loads(predict(capsys, "same.safetensors", "new", "--format", "json"))
    predict(capsys, "same.safetensors", "new", "--output", "same.csv")
    assert {row["answer"] for row in out["answers"]} == {"class0"}
    assert {row["answer"] for row in rows_of("same.csv")} == {"class0"}
    assert out["calibrated"] is False


def test_weights_alone_answer_uncalibrated(place, capsys, trained):
    main(
        [
            "export",
            str(trained),
            "--format",
            "safetensors",
            "--output",
            str(place / "w.safetensors"),
        ]
    )
    said = predict(capsys, "w.safetensors", "new/deep/0.png")
    assert "calibrated no: the weights lie beside no training" in said
    assert "class" in said
