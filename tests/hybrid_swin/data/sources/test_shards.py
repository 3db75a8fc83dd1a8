"""Tar files as WebDataset writes them, and what is wrong with others."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from hybrid_swin.data.sources.folder import FolderSource
from hybrid_swin.data.sources.shards import ShardsSource
from hybrid_swin.errors import InputError


def picture(seed, size=(6, 5), dtype=np.uint8, form="PNG"):
    """The bytes of an image file."""
    values = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, size, dtype=dtype)
    content = io.BytesIO()
    Image.fromarray(values).save(content, form)
    return content.getvalue()


def write(path, files, mode="w"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            content = content.encode() if isinstance(content, str) else content
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def samples(first, labels=("0", "1")):
    return [
        part
        for index, label in enumerate(labels, first)
        for part in ((f"{index:03}.png", picture(index)), (f"{index:03}.cls", f"{label}\n"))
    ]


def load(path, size=(6, 5), channels=1, **options):
    return ShardsSource(str(path), **options).load(size, channels, options.pop("cache", None))


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train-000.tar", "test-000.tar"),
        ("imagenet1k-train-0000.tar", "imagenet1k-test-0000.tar"),
        ("Training/a.tar", "test_set/b.tar"),
    ],
)
def test_samples_come_in_the_order_of_shards_and_of_what_lies_in_them(tmp_path, train, test):
    write(tmp_path / train, samples(7, "10") + samples(3, "1"))
    write(tmp_path / test, samples(20, "01"))
    found = load(tmp_path)
    order = {7: "train", 8: "train", 3: "train", 20: "test", 21: "test"}
    if test < train:
        order = {20: "test", 21: "test", 7: "train", 8: "train", 3: "train"}
    for image, seed in zip(found.images, order, strict=True):
        np.testing.assert_array_equal(
            image[..., 0], np.asarray(Image.open(io.BytesIO(picture(seed))))
        )
    assert found.splits == tuple(order.values())
    labels = dict(zip(order, found.labels.tolist(), strict=True))
    assert labels == {7: 1, 8: 0, 3: 1, 20: 0, 21: 1}
    assert found.class_names == ("0", "1")
    assert f"{train.removesuffix('.tar')}/007.png" in found.ids


def test_without_words_of_splits_they_are_free(tmp_path):
    write(tmp_path / "a-000.tar", samples(0))
    assert load(tmp_path).splits is None
    assert load(tmp_path / "a-000.tar").ids == ("a-000/000.png", "a-000/001.png")


def test_labels_and_groups_in_json(tmp_path):
    about = [{"class": {"name": "cat"}, "patient": 7}, {"class": {"name": "dog"}, "patient": "b"}]
    files = []
    for index, one in enumerate(about):
        files += [
            (f"d/x{index}.json", json.dumps(one)),
            (f"d/x{index}.jpg", picture(index, form="JPEG")),
        ]
    write(tmp_path / "a.tar", files)
    found = load(tmp_path, label="json.class.name", group=".json.patient")
    assert found.class_names == ("cat", "dog")
    assert found.groups == ("7", "b")
    assert found.ids == ("a/d/x0.jpg", "a/d/x1.jpg")


def test_images_are_decoded_as_those_of_a_folder(tmp_path):
    """16 bits, of which Pillow keeps 8, are read in two ways from the same bytes."""
    content = {"cat": picture(1, (6, 5, 3)), "dog": picture(2, (12, 9), np.uint16)}
    for name, image in content.items():
        (tmp_path / "folder" / name).mkdir(parents=True)
        (tmp_path / "folder" / name / "a.png").write_bytes(image)
    pairs = [((f"{n}.png", image), (f"{n}.cls", n)) for n, image in content.items()]
    write(tmp_path / "shards" / "a.tar", [file for pair in pairs for file in pair])
    expected = FolderSource(str(tmp_path / "folder")).load((6, 5), 3, None)
    cache = tmp_path / "cache"
    for _ in range(2):  # the second time from the cache
        found = ShardsSource(str(tmp_path / "shards")).load((6, 5), 3, cache)
        np.testing.assert_array_equal(found.images, expected.images)
        assert found.stored == expected.stored
        assert [note for note in found.notes if "grey" in note or "8 and 16" in note]


def test_what_cannot_be_used_is_left_out_by_name(tmp_path):
    write(
        tmp_path / "a.tar",
        [
            *samples(0),
            ("nothing.cls", "1"),
            ("nolabel.png", picture(1)),
            ("two.png", picture(1)),
            ("two.jpg", picture(2, form="JPEG")),
            ("two.cls", "1"),
            ("broken.png", b"no image"),
            ("broken.cls", "1"),
            ("binary.png", picture(1)),
            ("binary.cls", b"\xff\xfe\x00"),
            ("README", "hello"),
        ],
    )
    found = load(tmp_path)
    reasons = dict(found.left_out)
    assert found.ids == ("a/000.png", "a/001.png")
    assert reasons.keys() == {"a/nothing", "a/nolabel", "a/two", "a/broken.png", "a/binary"}
    assert reasons["a/nothing"] == "the sample holds no image (cls)"
    assert reasons["a/nolabel"] == "no label: nothing in .cls"
    assert "2 images" in reasons["a/two"]
    assert dict(found.ignored) == {"a/README": "belongs to no sample"}


def test_a_slip_in_the_name_of_a_split_is_said(tmp_path):
    write(tmp_path / "trian-000.tar", samples(0))
    (note,) = (note for note in load(tmp_path).notes if "split" in note)
    assert note == "'trian' of 'trian-000.tar' is not read as a split"


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({"train-0.tar": samples(0), "other.tar": samples(2)}, {}, "'other.tar' is of no split"),
        ({"train-val.tar": samples(0)}, {}, "names the splits train, validation"),
        ({"eval-0.tar": samples(0)}, {}, "'eval' can mean validation or test"),
        ({"a.tar": samples(0, "11")}, {}, r"class\(es\) \['1'\]; a classifier needs at least two"),
        ({"a.tar": samples(0)}, {"label": "txt"}, "left out: a/000: no label: nothing in .txt"),
        ({"a.tar": samples(0, ("0", "-1"))}, {}, "label '-1' stands for no label"),
        ({"a.tar": samples(0, ("0", "nan"))}, {}, "label 'nan' stands for no label"),
        ({"a.tar": samples(0) + samples(0)}, {}, "'a/000.png' is there more than once"),
        ({"a.tar": samples(0)}, {"label": "json"}, "a name in its JSON, such as json.label"),
        ({"a.tar": samples(0)}, {"label": "cls.x"}, "names no file of a sample"),
        ({"a.txt": samples(0)}, {}, "holds no file that ends in .tar"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(tmp_path, files, options, message):
    for name, content in files.items():
        write(tmp_path / name, content)
    with pytest.raises(InputError, match=message):
        load(tmp_path, **options)


def test_archives_that_are_packed_or_cut_are_named(tmp_path):
    whole = write(tmp_path / "b" / "b.tar", samples(0))
    write(tmp_path / "a" / "a.tar.gz", samples(0), "w:gz")
    with pytest.raises(InputError, match=r"a.tar.gz is compressed, .*write it as .tar"):
        load(tmp_path / "a")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "c.tar").write_bytes(b"\x1f\x8b" + whole.read_bytes()[:900])
    with pytest.raises(InputError, match=r"c.tar cannot be read as a tar file .*write it again"):
        load(tmp_path / "c")
    with pytest.raises(InputError, match="is not there"):
        load(tmp_path / "nowhere")


def test_nothing_is_written_outside_whatever_names_say(tmp_path):
    files = [("../../evil.png", picture(0)), ("../../evil.cls", "0"), *samples(5, "1")]
    write(tmp_path / "in" / "a.tar", files)
    found = load(tmp_path / "in")
    assert len(found.ids) == 2
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.tar", "in"]
