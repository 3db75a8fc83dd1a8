"""One file to pixels: size, orientation, colour modes, and files that cannot be read."""

import os

import numpy as np
import pytest
from PIL import Image

from hybrid_swin.data.files.decoding import Decoder
from hybrid_swin.errors import InputError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners(height=40, width=60):
    """Red top left, green top right, blue bottom left, white bottom right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = RED
    image[: height // 2, width // 2 :] = GREEN
    image[height // 2 :, : width // 2] = BLUE
    image[height // 2 :, width // 2 :] = WHITE
    return Image.fromarray(image)


def save(image, path, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("size", [(8, 8), (6, 10)])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
def test_any_file_gets_the_size_and_channels(tmp_path, size, channels, resize):
    path = save(corners(), tmp_path / "x.png")
    pixels = Decoder(size, channels, resize).decode(path)
    assert pixels.shape == (*size, channels)
    assert pixels.dtype == np.uint8


def test_a_file_of_the_size_is_kept_as_it_is(tmp_path):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8))
    path = save(image, tmp_path / "x.png")
    for resize in ("crop", "squash", "pad", "none"):
        np.testing.assert_array_equal(Decoder((7, 9), 3, resize).decode(path), np.asarray(image))


def test_crop_keeps_the_middle_squash_the_whole_and_pad_the_proportions(tmp_path):
    stripes = np.zeros((20, 60), np.uint8)
    stripes[:, 20:40] = 255
    path = save(Image.fromarray(stripes), tmp_path / "x.png")
    assert Decoder((20, 20), 1, "crop").decode(path).min() == 255
    squashed = Decoder((20, 20), 1, "squash").decode(path)[..., 0]
    assert squashed[:, 10].min() == 255
    assert squashed[:, 0].max() == 0
    padded = Decoder((60, 60), 1, "pad").decode(path)[..., 0]
    assert padded[:20].max() == 0
    assert padded[20:40, 30].min() == 255
    assert padded[40:].max() == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_as_their_exif_orientation_says(tmp_path, orientation):
    upright = corners(40, 60)
    turn = {  # how a camera stores what is upright
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }[orientation]
    stored = upright
    for step in turn:
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(stored, tmp_path / "x.png", exif=exif)
    pixels = Decoder((40, 60), 3, "none").decode(path)
    np.testing.assert_array_equal(pixels, np.asarray(upright))


def test_grey_becomes_colour_and_colour_grey(tmp_path):
    grey = save(Image.new("L", (4, 4), 100), tmp_path / "grey.png")
    assert (Decoder((4, 4), 3, "none").decode(grey) == 100).all()
    red = save(Image.new("RGB", (4, 4), RED), tmp_path / "red.png")
    assert (Decoder((4, 4), 1, "none").decode(red) == 76).all()  # 0.299 * 255


def test_palette_opacity_and_one_bit(tmp_path):
    palette = Image.new("RGB", (4, 4), GREEN).quantize(4)
    palette.info["transparency"] = bytes([255, 0, 0, 0])
    path = save(palette, tmp_path / "palette.png", transparency=bytes([255, 0, 0, 0]))
    assert (Decoder((4, 4), 3, "none").decode(path) == GREEN).all()
    assert (Decoder((4, 4), 4, "none").decode(path) == (*GREEN, 255)).all()
    bit = save(Image.new("1", (4, 4), 1), tmp_path / "bit.png")
    assert (Decoder((4, 4), 1, "none").decode(bit) == 255).all()


def test_files_that_cannot_be_read_are_told_in_their_place(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 60)
    files = [save(corners(), tmp_path / "good.jpg")]
    files.append(tmp_path / "cut.jpg")
    files[-1].write_bytes(files[0].read_bytes()[:-200])
    files.append(tmp_path / "notes.txt")
    files[-1].write_text("no image")
    files.append(tmp_path / "empty.png")
    files[-1].touch()
    files.append(tmp_path / "absent.png")
    files.append(tmp_path / "script.png")
    files[-1].write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    files.append(tmp_path / "pipe.png")
    os.mkfifo(files[-1])
    files.append(save(Image.new("L", (50, 60)), tmp_path / "bomb_warned.png"))
    files.append(save(Image.new("L", (100, 60)), tmp_path / "bomb_refused.png"))
    files.append(save(corners(), tmp_path / "last.png"))

    rows = list(Decoder((4, 4), 3, "crop").decode_all(files))

    reasons = {f.name: row for f, row in zip(files, rows, strict=True) if isinstance(row, str)}
    assert set(reasons) == {f.name for f in files} - {"good.jpg", "last.png"}
    assert "truncated" in reasons["cut.jpg"]
    assert "cannot identify" in reasons["notes.txt"]
    assert "million pixels; save it smaller" in reasons["bomb_warned.png"]
    assert "million pixels; save it smaller" in reasons["bomb_refused.png"]
    assert "cannot identify" in reasons["script.png"]  # not handed to Ghostscript
    assert "not a regular file" in reasons["pipe.png"]  # opening it would wait for ever
    assert not any(str(tmp_path) in reason for reason in reasons.values())
    np.testing.assert_array_equal(rows[-1], Decoder((4, 4), 3, "crop").decode(files[-1]))


def test_many_files_come_in_their_order(tmp_path):
    files = [save(Image.new("L", (2, 2), i % 256), tmp_path / f"{i}.png") for i in range(300)]
    rows = list(Decoder((2, 2), 1, "none").decode_all(files))
    assert [int(row[0, 0, 0]) for row in rows] == [i % 256 for i in range(300)]


def test_without_resizing_another_size_is_an_error_that_names_the_file(tmp_path):
    path = save(corners(), tmp_path / "large.png")
    with pytest.raises(InputError, match=r"large\.png is 40 x 60, .* 8 x 8"):
        list(Decoder((8, 8), 3, "none").decode_all([path]))


def test_channels_that_files_do_not_have(tmp_path):
    with pytest.raises(InputError, match="2 channels"):
        Decoder((8, 8), 2, "crop")
