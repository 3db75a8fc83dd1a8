"""What is decoded once is found again, and what is damaged is not."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import namedtuple

import numpy as np
import pytest

from hybrid_swin.data.files.pixel_cache import load_pixels
from hybrid_swin.errors import InputError

SHAPE = (5, 4, 3)


class Decoder:
    """Rows of known pixels; counts how often it is asked."""

    def __init__(self, count=7, broken=()):
        self.rows = [np.full(SHAPE, index, np.uint8) for index in range(count)]
        for index in broken:
            self.rows[index] = f"broken {index}"
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return iter(self.rows)

    def load(self, folder, key="key"):
        return load_pixels(self, len(self.rows), SHAPE, folder, key)


@pytest.mark.parametrize("cached", [True, False])
def test_broken_rows_are_left_out_and_the_others_keep_their_order(tmp_path, cached):
    decoder = Decoder(broken=(0, 3, 6))
    images, reasons = decoder.load(tmp_path if cached else None)
    assert images[:, 0, 0, 0].tolist() == [1, 2, 4, 5]
    assert images.shape == (4, *SHAPE)
    assert reasons == {0: "broken 0", 3: "broken 3", 6: "broken 6"}
    assert isinstance(images, np.memmap) == cached


def test_the_second_reading_decodes_nothing(tmp_path):
    decoder = Decoder(broken=(2,))
    first = decoder.load(tmp_path / "made" / "now")
    second = decoder.load(tmp_path / "made" / "now")
    assert decoder.calls == 1
    np.testing.assert_array_equal(first.images, second.images)
    assert first.reasons == second.reasons
    decoder.load(tmp_path / "made" / "now", key="other")
    assert decoder.calls == 2


def test_the_file_is_a_plain_numpy_file_and_nothing_else_is_left(tmp_path):
    images, _ = Decoder(broken=(1,)).load(tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "key.npy"), images)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["key.json", "key.npy"]


def test_nothing_readable_is_stored_as_well(tmp_path):
    decoder = Decoder(count=2, broken=(0, 1))
    for _ in range(2):
        images, reasons = decoder.load(tmp_path)
        assert images.shape == (0, *SHAPE)
        assert len(reasons) == 2
    assert decoder.calls == 1


def truncate(path):
    os.truncate(path, path.stat().st_size - 10)


def flip_one_byte(path):
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda pixels, seal: truncate(pixels),
        lambda pixels, seal: flip_one_byte(pixels),
        lambda pixels, seal: pixels.write_bytes(b"garbage" * 100),
        lambda pixels, seal: pixels.write_bytes(b""),
        lambda pixels, seal: pixels.unlink(),
        lambda pixels, seal: np.save(pixels, np.zeros((7, 1, 1, 1), np.uint8)),
        lambda pixels, seal: truncate(seal),
        lambda pixels, seal: seal.write_text("[]"),
        lambda pixels, seal: seal.write_text(json.dumps({"sha256": "", "reasons": {}})),
        lambda pixels, seal: seal.unlink(),
    ],
)
def test_damage_is_noticed_and_mended(tmp_path, damage):
    decoder = Decoder()
    expected = np.array(decoder.load(tmp_path).images)
    damage(tmp_path / "key.npy", tmp_path / "key.json")
    np.testing.assert_array_equal(decoder.load(tmp_path).images, expected)
    assert decoder.calls == 2
    decoder.load(tmp_path)
    assert decoder.calls == 2


def test_decoding_that_fails_leaves_no_trace(tmp_path):
    def fails():
        yield np.zeros(SHAPE, np.uint8)
        raise InputError("stop")

    with pytest.raises(InputError, match="stop"):
        load_pixels(fails, 2, SHAPE, tmp_path, "key")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_builder_left_is_removed_but_a_living_one_is_spared(tmp_path):
    abandoned, living = tmp_path / ".key.npy.1-1.tmp", tmp_path / ".key.npy.2-1.tmp"
    for path in (abandoned, living):
        path.touch()
    long_ago = time.time() - 7200
    os.utime(abandoned, (long_ago, long_ago))
    Decoder().load(tmp_path)
    assert not abandoned.exists()
    assert living.exists()


def test_a_full_disk_is_told_before_decoding(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1000))
    decoder = Decoder()
    with pytest.raises(InputError, match=r"0\.00 GB free"):
        decoder.load(tmp_path)
    assert decoder.calls == 0


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be used"):
        Decoder().load(tmp_path / "file" / "cache")


BUILDER = """
import sys, time
from pathlib import Path
import numpy as np
from hybrid_swin.data.files.pixel_cache import load_pixels

folder, me = Path(sys.argv[1]), sys.argv[2]

def rows():
    (folder / f"started.{me}").touch()
    for index in range(50):
        while len(list(folder.glob("started.*"))) < 2:  # both are decoding at the same time
            time.sleep(0.005)
        yield "broken" if index == 7 else np.full((3, 3, 1), index, np.uint8)

pixels = load_pixels(rows, 50, (3, 3, 1), folder, "key")
print(int(pixels.images.sum()), len(pixels.images), sorted(pixels.reasons))
"""


def test_two_processes_build_at_once(tmp_path):
    command = [sys.executable, "-c", BUILDER, str(tmp_path)]
    builders = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    outputs = [builder.communicate(timeout=120)[0].strip() for builder in builders]
    expected = 9 * (sum(range(50)) - 7)
    assert outputs == [f"{expected} 49 [7]"] * 2
    assert sorted(p.name for p in tmp_path.glob("key*")) == ["key.json", "key.npy"]
