"""Pictures of images: every one stands where it belongs, as it is."""

import io

import numpy as np
import pytest
import torch

from hybrid_swin.data.loading import load_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.system.console import Console
from search.cli.data.drawn_sheet import _mosaic, draw_sheet
from search.cli.data.options import DataOptions
from search.cli.data.sheet import fill_sheet
from search.cli.data.terminal_sheet import sheet_in_text


def images(dtype, low, high, channels=1, size=(8, 6)):
    values = np.linspace(low, high, 30 * size[0] * size[1] * channels)
    return np.random.default_rng(0).permutation(values).reshape(30, *size, channels).astype(dtype)


def load(tmp_path, pixels):
    np.savez(tmp_path / "set.npz", train_images=pixels, train_labels=np.arange(30) % 3)
    data = DataSettings("npz", {"path": str(tmp_path / "set.npz")})
    return load_data(data, pixels.shape[1:3], pixels.shape[-1], None)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [(np.uint8, 0, 255), (np.uint16, 0, 65535), (np.float32, 0, 1), (np.float32, -900, 2000)],
)
def test_images_are_shown_as_the_source_has_them(tmp_path, dtype, low, high, channels):
    pixels = images(dtype, low, high, channels)
    loaded = load(tmp_path, pixels)
    sheet = fill_sheet(loaded, None, DataOptions(columns=3))
    assert list(sheet.loaded) == ["0", "1", "2"] and sheet.fed == {}
    train = {name: loaded.splits.train[loaded.images.labels[loaded.splits.train] == int(name)]
             for name in sheet.loaded}  # fmt: skip
    for name, shown in sheet.loaded.items():
        own = (pixels[train[name]].astype(float) - low) / (high - low)
        own = own[..., :3] if channels > 2 else own[..., :1].repeat(3, axis=-1)
        assert len(shown) == 3
        for image in shown:
            assert np.abs(own - image).max(axis=(1, 2, 3)).min() < 0.02


def test_what_is_fed_is_what_a_training_makes(tmp_path):
    loaded = load(tmp_path, images(np.uint8, 0, 255))
    sheet = fill_sheet(loaded, Recipe(flip="horizontal"), DataOptions(columns=9))
    assert sheet.augmented_by == ["flip horizontal"]
    mirrored = 0
    for name, before in sheet.loaded.items():
        for one, other in zip(before, sheet.fed[name], strict=True):
            is_mirrored = np.allclose(one[:, ::-1], other, atol=1e-5)
            assert is_mirrored or np.allclose(one, other, atol=1e-5)
            mirrored += is_mirrored
    assert 0 < mirrored < 20


def test_it_draws_from_generators_of_its_own(tmp_path):
    loaded = load(tmp_path, images(np.uint8, 0, 255))
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    recipe = Recipe(shift=1, mixup=0.8, cutmix=1.0)
    first = fill_sheet(loaded, recipe, DataOptions())
    assert torch.equal(torch.rand(2), expected)
    again = fill_sheet(loaded, recipe, DataOptions())
    assert first.fed_range == again.fed_range
    assert first.augmented_by == ["shift 1", "mixup 0.8", "cutmix 1"]


def test_a_row_for_each_class():
    rows = {name: [np.full((3, 5, 3), value)] for name, value in (("a", 0.2), ("b", 0.6))}
    rows["c"] = []
    whole = _mosaic(rows, 2)
    height, width = whole.shape[0] // 3, whole.shape[1] // 2
    assert (whole[0, 0] == np.float32(0.2)).all() and (whole[height, 0] == np.float32(0.6)).all()
    assert (whole[:, width:] == 1).all() and (whole[2 * height :] == 1).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.bool_])
def test_dark_images_are_stretched(tmp_path, dtype):
    """12 bits in 16, and masks, would all show as black."""
    pixels = images(dtype, 0, 1 if dtype is np.bool_ else 4095)
    pixels[:, 0, 0] = pixels.max()
    sheet = fill_sheet(load(tmp_path, pixels), None, DataOptions())
    shown = np.concatenate([np.ravel(image) for row in sheet.loaded.values() for image in row])
    assert shown.min() < 0.05 and shown.max() > 0.95
    assert sheet.shown_range[1] < 0.1 or dtype is np.bool_


@pytest.mark.parametrize("size", [(1, 400), (400, 1), (3, 2)])
def test_an_image_of_any_shape_keeps_a_place_of_its_own(tmp_path, size):
    rows = {name: [np.zeros((*size, 3), np.float32)] * 4 for name in "abc"}
    whole = _mosaic(rows, 4)
    assert whole.shape[0] / 3 >= 16 and whole.shape[1] / 4 >= 16
    assert max(whole.shape[0] / 3, whole.shape[1] / 4) <= 140


def test_a_long_title_ends_where_the_sheet_does(tmp_path):
    loaded = load(tmp_path, images(np.uint8, 0, 255))
    recipe = Recipe(shift=1, flip="horizontal", augmentations=("rand_augment", "random_erasing"))
    sheet = fill_sheet(loaded, recipe, DataOptions(columns=2))
    draw_sheet(tmp_path / "sheet.svg", sheet)
    drawn = (tmp_path / "sheet.svg").read_text()
    assert "as fed: " in drawn and "..." in drawn


def test_a_terminal_with_colours_shows_it(tmp_path):
    loaded = load(tmp_path, images(np.uint8, 0, 255, 3, (24, 16)))
    sheet = fill_sheet(loaded, None, DataOptions(columns=4))
    plain = Console(file=io.StringIO(), width=80)
    assert sheet_in_text(sheet, plain) is None
    colours = {"force_terminal": True, "color_system": "truecolor"}
    text = sheet_in_text(sheet, Console(file=io.StringIO(), width=80, **colours))
    lines = text.plain.splitlines()
    assert lines[0] == "0" and lines[7] == "1"
    assert lines[1] == " ".join(["▀" * 8] * 4) + " "
    assert all(len(line) <= 80 for line in lines)
    narrow = sheet_in_text(sheet, Console(file=io.StringIO(), width=20, **colours))
    assert narrow.plain.splitlines()[1] == "▀" * 8 + " "
