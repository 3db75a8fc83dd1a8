"""Whatever the depth of a file, the numbers in it arrive, or it is said what was lost."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from hybrid_swin.data.files.decoding import Decoder
from hybrid_swin.data.loading import load_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.sources.folder import FolderSource
from hybrid_swin.errors import InputError

RANDOM = np.random.default_rng(0)


def png16(path, values):
    """A PNG file of 16 bits a channel, which Pillow writes for grey only. (H, W, C)."""
    height, width, channels = values.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def tiff(path, values, sample_format=1, photometric=1, order="<", extra_samples=None):
    """An uncompressed TIFF file of any depth, in either order of bytes. (H, W, C)."""
    height, width, channels = values.shape
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    short, long = "H", "I"
    tags = {
        256: (short, [width]),
        257: (short, [height]),
        258: (short, [values.dtype.itemsize * 8] * channels),
        259: (short, [1]),
        262: (short, [photometric]),
        273: (long, [0]),
        277: (short, [channels]),
        278: (short, [height]),
        279: (long, [len(data)]),
        339: (short, [sample_format] * channels),
    }
    if extra_samples is not None:
        tags[338] = (short, [extra_samples])
        tags = dict(sorted(tags.items()))
    end = 8 + 2 + 12 * len(tags) + 4
    extra, entries = b"", b""
    lengths = [len(v) * struct.calcsize(k) for t, (k, v) in tags.items()]
    begin = end + sum(length for length in lengths if length > 4)
    for tag, (kind, numbers) in tags.items():
        packed = struct.pack(f"{order}{len(numbers)}{kind}", *([begin] if tag == 273 else numbers))
        if len(packed) > 4:
            where, extra = struct.pack(f"{order}I", end + len(extra)), extra + packed
        else:
            where = packed.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[kind], len(numbers)) + where
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    count = struct.pack(f"{order}H", len(tags))
    path.write_bytes(head + count + entries + bytes(4) + extra + data)
    return path


def whole_numbers(dtype, channels=1):
    limits = np.iinfo(dtype)
    return RANDOM.integers(limits.min, int(limits.max) + 1, (4, 5, channels)).astype(dtype)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("dtype", "sample_format", "held"),
    [
        (np.uint8, 1, np.uint8),
        (np.int8, 2, np.float32),
        (np.uint16, 1, np.uint16),
        (np.int16, 2, np.float32),
        (np.uint32, 1, np.float64),
        (np.int32, 2, np.float64),
        (np.float32, 3, np.float32),
    ],
)
def test_every_number_of_a_tiff_file_arrives(tmp_path, order, dtype, sample_format, held):
    if dtype == np.uint32 and order == ">":
        pytest.skip("Pillow does not read it")
    if sample_format == 3:
        values = RANDOM.normal(0, 1e5, (4, 5, 1)).astype(dtype)
    else:
        values = whole_numbers(dtype)
    path = tiff(tmp_path / "x.tif", values, sample_format, order=order)
    pixels = Decoder((4, 5), 1, "none").decode(path)
    assert pixels.dtype == held
    np.testing.assert_array_equal(pixels.astype(np.float64), values.astype(np.float64))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_a_channel_arrive_in_colour_too(tmp_path, channels):
    values = whole_numbers(np.uint16, channels)
    files = [png16(tmp_path / "x.png", values)]
    if channels == 3:
        files += [tiff(tmp_path / f"{o}.tif", values, photometric=2, order=o) for o in "<>"]
    for file in files:
        np.testing.assert_array_equal(Decoder((4, 5), channels, "none").decode(file), values)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_where_white_is_0_it_is_read_as_white(tmp_path, dtype):
    values = whole_numbers(dtype)
    file = tiff(tmp_path / "x.tif", values, photometric=0)
    found = Decoder(values.shape[:2], 1, "none").decode(file)
    np.testing.assert_array_equal(found, np.iinfo(dtype).max - values)


def test_where_white_is_0_among_floating_point_numbers_it_is_refused(tmp_path):
    file = tiff(tmp_path / "x.tif", np.ones((6, 6, 1), "f4"), sample_format=3, photometric=0)
    with pytest.raises(ValueError, match="white is 0"):
        Decoder((6, 6), 1, "none").decode(file)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("order", "<>")
def test_a_fourth_channel_that_is_no_opacity_is_read_where_four_are_wanted(tmp_path, dtype, order):
    """Infrared, say; laid over white it would be taken for opacity."""
    values = whole_numbers(dtype, 4)
    file = tiff(tmp_path / "x.tif", values, photometric=2, extra_samples=0, order=order)
    found = Decoder(values.shape[:2], 4, "none").read(file)
    np.testing.assert_array_equal(found.pixels, values)
    assert found.pixels.dtype == values.dtype
    assert (found.colour, found.notes) == ("RGB and a further channel", ())
    found = Decoder(values.shape[:2], 3, "none").read(file)
    np.testing.assert_array_equal(found.pixels, values[..., :3])
    assert found.notes == ("further channels left out",)
    scaled = Decoder((8, 10), 4, "squash").decode(file)
    for channel in range(4):
        alone = tiff(tmp_path / "y.tif", values[..., channel : channel + 1])
        expected = Decoder((8, 10), 1, "squash").decode(alone)
        np.testing.assert_array_equal(scaled[..., channel], expected[..., 0])


def test_a_fourth_channel_arrives_from_compressed_files_too(tmp_path):
    values = whole_numbers("u1", 4)
    Image.fromarray(values, "RGBA").save(tmp_path / "x.tif", compression="tiff_lzw")
    opacity, other = (struct.pack("<HHIHH", 338, 3, 1, kind, 0) for kind in (2, 0))
    content = (tmp_path / "x.tif").read_bytes()
    assert content.count(opacity) == 1
    (tmp_path / "x.tif").write_bytes(content.replace(opacity, other))
    np.testing.assert_array_equal(Decoder((4, 5), 4, "none").decode(tmp_path / "x.tif"), values)


def test_further_channels_in_another_order_are_refused_where_four_are_wanted(tmp_path):
    file = tiff(tmp_path / "x.tif", whole_numbers("u1", 2), extra_samples=0)
    with pytest.raises(ValueError, match="are read where one follows red, green and blue"):
        Decoder((4, 5), 4, "none").decode(file)


def test_profiles_and_sizes_that_are_too_large_are_said(tmp_path, monkeypatch):
    pixels = whole_numbers("u1", 3)
    for name, profile in (("other", b"Display P3" * 20), ("screen", b"sRGB IEC61966-2.1" * 9)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png", icc_profile=profile)
    decoder = Decoder((4, 5), 3, "none")
    note = "colour profile other than sRGB not applied"
    assert decoder.read(tmp_path / "other.png").notes == (note,)
    assert decoder.read(tmp_path / "screen.png").notes == ()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 16)
    (reason,) = decoder.decode_all([tmp_path / "screen.png"])
    assert reason == "more than 0 million pixels; save it smaller"


def test_what_scaling_cuts_off_or_stretches_is_said(tmp_path):
    for index, size in enumerate([(40, 10), (10, 10), (10, 20), (12, 12)]):
        folder = tmp_path / "set" / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (index, 0, 0)).save(folder / f"{index}.png")
    said = {
        resize: list(FolderSource(str(tmp_path / "set"), resize=resize).load((8, 8), 3, None).notes)
        for resize in ("crop", "squash", "pad")
    }
    assert said == {
        "crop": ["resize crop cuts off up to 75% of an image (squash and pad keep all of it)"],
        "squash": ["resize squash changes proportions up to 4.00 times (crop and pad keep them)"],
        "pad": [],
    }
    wide = FolderSource(str(tmp_path / "set")).load((8, 32), 3, tmp_path / "cache").notes
    assert wide == ("resize crop cuts off up to 88% of an image (squash and pad keep all of it)",)
    assert FolderSource(str(tmp_path / "set")).load((8, 32), 3, tmp_path / "cache").notes == wide


def test_deep_grey_and_colour_become_each_other(tmp_path):
    grey = whole_numbers(np.uint16)
    file = png16(tmp_path / "grey.png", grey)
    np.testing.assert_array_equal(Decoder((4, 5), 3, "none").decode(file), np.repeat(grey, 3, -1))
    colour = whole_numbers(np.uint16, 3)
    found = Decoder((4, 5), 1, "none").read(png16(tmp_path / "colour.png", colour))
    expected = np.rint(colour @ [0.299, 0.587, 0.114])
    np.testing.assert_array_equal(found.pixels[..., 0], expected)
    assert found.notes == ("colour became grey",)


def test_opacity_is_laid_over_white_or_kept(tmp_path):
    values = np.zeros((1, 3, 2), np.uint16)
    values[0, :, 0] = 1000
    values[0, :, 1] = 0, 65535, 13107  # a fifth
    file = png16(tmp_path / "x.png", values)
    found = Decoder((1, 3), 1, "none").read(file)
    assert found.pixels.ravel().tolist() == [65535, 1000, 52628]  # 0.2 * 1000 + 0.8 * 65535
    assert found.notes == ("transparent pixels laid over white",)
    kept = Decoder((1, 3), 4, "none").decode(file)
    assert kept[0, 2].tolist() == [1000, 1000, 1000, 13107]
    black = Image.new("RGBA", (1, 1), (0, 0, 0, 0))
    black.save(tmp_path / "black.png")
    assert Decoder((1, 1), 3, "none").decode(tmp_path / "black.png").ravel().tolist() == [255] * 3


def test_scaling_keeps_small_differences_far_from_zero(tmp_path):
    """A step of 100 at 3e9 is less than what 32 bits of floating point tell apart there (256)."""
    values = np.full((8, 8, 1), 3_000_000_000, np.uint32)
    values[:, 4:] += 100
    file = tiff(tmp_path / "x.tif", values)
    found = Decoder((4, 4), 1, "squash").decode(file).astype(np.float64)[..., 0] - 3e9
    np.testing.assert_allclose(found[:, 0], 0, atol=15)
    np.testing.assert_allclose(found[:, 3], 100, atol=15)
    assert 0 <= found.min()
    assert found.max() <= 100


def test_what_pillow_must_cut_is_said(tmp_path):
    file = tiff(tmp_path / "cmyk.tif", whole_numbers(np.uint16, 4), photometric=5)
    assert "16 bits a channel cut to 8" in Decoder((4, 5), 3, "none").read(file).notes
    (tmp_path / "x.ppm").write_bytes(b"P6 5 4 65535\n" + bytes(120))
    assert "cut to 8" in Decoder((4, 5), 3, "none").read(tmp_path / "x.ppm").notes[0]


def test_frames_orientation_and_depth_are_said(tmp_path):
    frames = [Image.new("L", (5, 4), value) for value in (7, 9)]
    for suffix in ("gif", "tif"):
        file = tmp_path / f"x.{suffix}"
        frames[0].save(file, save_all=True, append_images=frames[1:])
        found = Decoder((4, 5), 1, "none").read(file)
        assert found.notes == ("first of several frames read",)
        assert (found.pixels == 7).all()
    exif = Image.Exif()
    exif[0x0112] = 6
    frames[0].save(tmp_path / "turned.png", exif=exif)
    found = Decoder((5, 4), 1, "none").read(tmp_path / "turned.png")
    assert found.notes == ("turned upright by EXIF orientation",)
    assert found.size == (5, 4)


def test_a_range_maps_and_clips_and_is_in_the_numbers_of_the_file(tmp_path):
    values = np.array([[-200, 0, 1000, 5000]], np.int16)[..., None]
    found = Decoder((1, 4), 1, "none", (0, 2000)).read(tiff(tmp_path / "x.tif", values, 2))
    assert found.pixels.dtype == np.float32
    assert found.pixels.ravel().tolist() == [0.0, 0.0, 0.5, 1.0]
    assert found.notes == ("values outside value_range clipped",)
    (tmp_path / "x.pgm").write_bytes(b"P5 2 1 4095\n" + np.array([0, 819], ">u2").tobytes())
    found = Decoder((1, 2), 1, "none", (0, 4095)).read(tmp_path / "x.pgm")
    np.testing.assert_allclose(found.pixels.ravel(), [0, 0.2], rtol=1e-4)
    assert found.notes == ()


def folder(tmp_path, files):
    for name, values in files.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (png16 if values.dtype == np.uint16 else tiff)(path, values)
    return tmp_path / "data"


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize(
    ("dtype", "offset"), [(np.uint16, 2048), (np.uint16, 65000), (np.uint32, 3_000_000_000)]
)
def test_two_classes_that_differ_in_low_bits_reach_the_network_apart(
    tmp_path, cached, dtype, offset
):
    """12 bits in a file of 16: keeping the high byte made both classes one image."""
    files = {}
    for step, name in enumerate(("dark", "light")):
        for index in range(4):
            suffix = "png" if dtype == np.uint16 else "tif"
            files[f"{name}/{index}.{suffix}"] = np.full((4, 4, 1), offset + 7 * step, dtype)
    options = {"path": str(folder(tmp_path, files))}
    settings = DataSettings("folder", options, validation_share=0.25, test_share=0.25)
    cache = tmp_path / "cache" if cached else None
    for _ in range(2):
        data = load_data(settings, (4, 4), 1, cache)
        shown = data.normalised.take(np.arange(8)).mean(dim=(1, 2, 3)).tolist()
        assert shown == pytest.approx([-1] * 4 + [1] * 4, abs=1e-3)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("first", ["deep", "shallow"])
def test_eight_and_sixteen_bits_count_as_shares_of_their_scale(tmp_path, cached, first):
    deep, shallow = ("a", "b") if first == "deep" else ("b", "a")
    files = {f"{deep}/x.png": np.full((2, 2, 1), 65535 // 5, np.uint16)}
    root = folder(tmp_path, files)
    (root / shallow).mkdir()
    Image.new("L", (2, 2), 255 // 5).save(root / shallow / "x.png")
    (root / shallow / "broken.png").write_text("broken")
    source = FolderSource(str(root))
    for _ in range(2):
        found = source.load((2, 2), 1, tmp_path / "cache" if cached else None)
        assert found.images.dtype == np.uint16
        assert set(found.images.ravel().tolist()) == {13107}
        (note,) = (note for note in found.notes if "8 and 16 bits side by side" in note)
        assert note.endswith("full scale, and those of 16 reach 13,107 of 65,535 only")
        assert "grey, 8 bits (1)" in found.stored
        assert "grey, 16 bits (1)" in found.stored


def test_depths_without_a_common_scale_are_refused(tmp_path):
    files = {"a/x.png": np.zeros((2, 2, 1), np.uint16), "b/x.tif": np.zeros((2, 2, 1), np.float32)}
    root = folder(tmp_path, files)
    tiff(root / "b" / "x.tif", files["b/x.tif"], 3)
    with pytest.raises(InputError, match=r"16 bits \(x\.png\) and of floating point .* same depth"):
        FolderSource(str(root)).load((2, 2), 1, None)
    (root / "b" / "x.tif").unlink()
    Image.new("L", (2, 2)).save(root / "b" / "x.png")
    with pytest.raises(InputError, match="value_range means something else"):
        FolderSource(str(root), value_range=(0, 4095)).load((2, 2), 1, None)


@pytest.mark.parametrize(
    "wrong", [[1, 0], [0], [0, 1, 2], "0,1", [0, float("nan")], [0, 10**400], [True, 2], 5, {}]
)
def test_a_range_that_is_none_is_refused_before_any_image(wrong):
    for source in ("folder", "npz"):
        options = {"path": "x", "value_range": wrong}
        with pytest.raises(InputError, match="two numbers, the lower one first"):
            DataSettings(source, options).validate()
    DataSettings("folder", {"path": "x", "value_range": [0, 4095]}).validate()
