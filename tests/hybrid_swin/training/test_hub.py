"""A folder of the Hub: it loads anywhere, says what is known, and shows hostile text as text."""

import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import hybrid_swin as hs
from hybrid_swin.__main__ import main
from hybrid_swin.errors import InputError
from hybrid_swin.training.hub.folder import write_hub_folder
from hybrid_swin.training.hub.model_card import text
from hybrid_swin.training.prediction.calibration import read_calibration

HOSTILE = "<script>alert(1)</script> |`x`| [y](http://z) *b*"
VARIANT = (
    "{image_size: 8, in_channels: 3, num_classes: 2, patch_size: 4, window_size: 2, "
    "stages: [{width: 8, depth: 1, num_heads: 2, blocks: [w_msa+mdta]}]}"
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A small training whose classes have hostile names, as a folder; nothing beside it is left."""
    place = tmp_path_factory.mktemp("hub")
    rng = np.random.default_rng(0)
    for name in ("plain", HOSTILE.replace("/", "_")):
        (place / "mine" / name).mkdir(parents=True)
        for index in range(20):
            pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / "mine" / name / f"{index}.png")
    (place / "tiny.yaml").write_text(VARIANT)
    data = ["--data.source", "folder", "--data.options.path", str(place / "mine")]
    words = ["fit", "--variant", str(place / "tiny.yaml"), *data, "--recipe.epochs", "1"]
    assert main([*words, "--folder", str(place / "fit")]) == 0
    folder = write_hub_folder(place / "fit", place / "out")
    expected = hs.load(place / "fit")
    shutil.rmtree(place / "mine")
    shutil.rmtree(place / "fit")
    return folder, expected


def test_it_loads_without_what_it_was_made_of(hub):
    folder, expected = hub
    model = hs.load(folder)
    images = torch.rand(3, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(model(images), expected(images))
    assert model.classes == expected.classes and model.mean == expected.mean
    other = hs.create_model(expected.variant)
    assert not hs.load_weights(other, folder).fresh


def test_the_config_names_every_argument(hub):
    folder, expected = hub
    config = json.loads((folder / "config.json").read_text())
    made = hs.create_model(config["architecture"], **config["model_args"])
    assert made.variant == expected.variant
    assert tuple(config["label_names"]) == expected.classes


def test_the_card_says_what_is_known_and_nothing_of_the_machine(hub):
    folder, _ = hub
    card = (folder / "README.md").read_text()
    _, head, body = card.split("---\n", 2)
    assert yaml.safe_load(head)["pipeline_tag"] == "image-classification"
    for part in ("w\\_msa", "| accuracy |", "train 26, validation 6, test 8", "8 x 8 pixels, RGB"):
        assert part in body, part
    assert "<script>" not in body and "[y](http" not in body
    everything = b"".join(file.read_bytes() for file in folder.iterdir())
    assert str(folder.parent).encode() not in everything


def test_it_answers_with_its_temperature(hub, tmp_path, capsys):
    folder, _ = hub
    assert read_calibration(folder) is not None
    Image.new("RGB", (9, 9)).save(tmp_path / "x.png")
    assert main(["predict", str(folder), str(tmp_path / "x.png"), "--accelerator", "cpu"]) == 0
    assert "validation images" in capsys.readouterr().out


def test_a_full_folder_is_left_alone(hub, tmp_path):
    folder, _ = hub
    with pytest.raises(InputError, match="holds something already"):
        write_hub_folder(folder, folder)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="holds something already"):
        write_hub_folder(folder, tmp_path / "link")
    (tmp_path / "link").unlink()
    with pytest.raises(InputError, match="there is no folder to make it in"):
        write_hub_folder(folder, tmp_path / "a" / "b")
    with pytest.raises(InputError, match="does not exist"):
        write_hub_folder(tmp_path / "gone", tmp_path / "new")
    assert not [*tmp_path.iterdir()]


def test_text_stays_text():
    assert text("a\n# b") == "a \\# b"
    assert text("https://a.b www.c") == "https:\\//a.b www\\.c"
    assert "\\<script\\>" in text(HOSTILE) and "\\|" in text(HOSTILE)
