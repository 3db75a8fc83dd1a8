"""What `data` prints and draws."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from search.cli.main import main


@pytest.fixture
def place(tmp_path, monkeypatch, photos):
    """A folder with photos, of which one cannot be read."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos" / "class3" / "broken.png").write_bytes(b"nothing")
    return tmp_path


def data(capsys, *words):
    code = main(["data", *words])
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


def test_it_says_what_is_there_and_draws_it(place, capsys):
    out = data(capsys, "photos", "--recipe.preset", "small_images")
    assert "10: class0, ..., class9; 12 images each" in out
    assert "'class3/broken.png': UnidentifiedImageError" in out
    assert "16 x 16, and how it is fed, as `run --images` proposes" in out
    assert "random_resized_crop" in out and "cutmix 1" in out
    rows = [line.split() for line in out.splitlines() if line.startswith("class")]
    assert rows[1] == ["class", "train", "validation", "test"]
    assert all(sum(map(int, row[1:])) == 12 for row in rows[2:])
    with Image.open("contact_sheet.png") as sheet:
        assert sheet.format == "PNG"
    assert "problem" not in out
    assert sorted(path.name for path in place.iterdir()) == ["contact_sheet.png", "photos"]


def test_programs_get_all_of_it(place, capsys):
    told = json.loads(data(capsys, "photos", "--format", "json", "--out", "a.svg"))
    assert told["left_out"][0][0] == "class3/broken.png"
    assert told["contact_sheet"] == "a.svg"
    assert sum(told["images_by_class"]["class3"].values()) == 12
    assert told["fed"]["shape"] == [3, 16, 16]
    assert told["fed"]["augmented_by"] == ["shift 2", "flip horizontal"]
    assert len(told["fed"]["mean"]) == 3
    assert told["problem"] is None


def test_the_same_words_draw_the_same_sheet(place, capsys):
    words = ["photos", "--recipe.flip", "horizontal", "--recipe.shift", "3"]
    for name in ("a.svg", "b.svg"):
        data(capsys, *words, "--out", name)
    data(capsys, *words, "--out", "c.svg", "--draw-seed", "1")
    a, b, c = ((place / f"{name}.svg").read_bytes() for name in "abc")
    assert a == b != c


def test_what_a_run_would_refuse_is_said_and_shown_all_the_same(place, capsys):
    """Augmentations of pixel values have no meaning for values that are not from 0 to 1."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = rng.normal(0, 900, (9, 8, 8)).astype(np.float32)
        arrays[f"{split}_labels"] = np.arange(9) % 3
    np.savez(place / "ct.npz", **arrays)
    words = ["ct.npz", "--recipe.augmentations", "[rand_augment]"]
    out = data(capsys, *words)
    assert "problem    augmentation rand_augment works on pixel values from 0 to 1" in out
    assert "not augmented" in out
    told = json.loads(data(capsys, *words, "--format", "json"))
    assert "value_range" in told["problem"]
    assert "problem" not in data(capsys, *words, "--data.options.value_range", "[-3000, 3000]")


def test_of_many_classes_the_first_are_listed(place, capsys):
    for number in range(42):
        (place / "many" / f"{number:02}").mkdir(parents=True)
        for index in range(3):
            pixels = np.random.default_rng(index).integers(0, 256, (9, 9), dtype=np.uint8)
            Image.fromarray(pixels).save(place / "many" / f"{number:02}" / f"{index}.png")
    out = data(capsys, "many")
    assert "\n39  " in out and "\n40  " not in out
    assert "2 more classes: --format json" in out


def test_a_wrong_number_of_classes_is_a_problem_of_a_file(place, capsys):
    assert "set num_classes: 10" in data(capsys, "--variant.num_classes", "7")
    assert "set num_classes: 10" in data(capsys, "photos", "--variant.num_classes", "7")
    assert "problem" not in data(capsys, "photos")


def test_validation_images_are_shown_as_they_are(place, capsys):
    out = data(capsys, "photos", "--split", "validation", "--recipe.flip", "horizontal")
    assert "fed        not augmented" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photos", "--out", "nowhere/a.png"], "there is no folder 'nowhere'"),
        (["photos", "--out", "photos/class0/0.png"], "lies among the images"),
        (["photos", "--out", "photos/new.svg"], "lies among the images"),
        (["photos", "--out", "sheets.png"], "is a folder"),
        (["--data.class_path", "my.Module"], "`data` shows those of a data source"),
        (["photos/class0"], "holds no class folder"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_line(place, capsys, words, message):
    (place / "sheets.png").mkdir()
    before = (place / "photos" / "class0").stat().st_mtime_ns
    assert main(["data", *words]) == 2
    said = capsys.readouterr()
    assert message in said.err and len(said.err.strip().splitlines()) == 1
    assert not said.out
    assert (place / "photos" / "class0").stat().st_mtime_ns == before


def test_no_sheet_is_left_where_it_would_be_an_image(place, monkeypatch, capsys):
    monkeypatch.chdir(place / "photos" / "class0")
    assert main(["data", "../../photos"]) == 2
    assert "lies among the images" in capsys.readouterr().err
    data(capsys, "../../photos", "--out", str(place / "sheet.png"))


def test_a_table_of_images_protects_those_that_it_names(place, capsys):
    files = [file for c in "012" for file in sorted((place / "photos" / f"class{c}").iterdir())]
    rows = [f"{file.relative_to(place)},{file.parent.name}" for file in files]
    (place / "set.csv").write_text("\n".join(["file,label", *rows]))
    assert main(["data", "set.csv", "--out", str(files[0])]) == 2
    assert "lies among the images" in capsys.readouterr().err
    data(capsys, "set.csv")


def test_what_the_picture_does_not_tell_is_said(place, capsys):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 4096, (30, 8, 8, 5), dtype=np.uint16)
    np.savez(place / "scan.npz", train_images=pixels, train_labels=np.arange(30) % 3)
    out = data(capsys, "scan.npz")
    assert "black is " in out and "channels 1 to 3 of 5" in out


def test_a_folder_that_hides_a_bundled_config_is_asked_about(place, capsys):
    (place / "photos").rename(place / "digits")
    assert main(["data", "digits"]) == 2
    assert "write './digits' for the folder" in capsys.readouterr().err
    assert "photos" not in data(capsys, "digits.yaml")
    assert "class0" in data(capsys, "./digits")
