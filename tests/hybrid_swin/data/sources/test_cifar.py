"""Archives as the published ones are built, and what is wrong with others."""

import hashlib
import io
import pickle
import re
import tarfile

import numpy as np
import pytest

from hybrid_swin.data.sources import cifar
from hybrid_swin.data.sources.cifar import CifarSource
from hybrid_swin.errors import InputError

NAMES = ["plane", "car", "bird"]
TEN = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")


def pixels(seed, count=4):
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


def as_python_2(value):
    """A pickle as Python 2 writes it, as the published ones are: text and bytes are one."""

    def text(content):
        return b"T" + len(content).to_bytes(4, "little") + content  # BINSTRING

    def node(value):
        if isinstance(value, str):
            return text(value.encode("latin1"))
        if isinstance(value, int):
            return b"J" + value.to_bytes(4, "little", signed=True)
        if isinstance(value, list):
            return b"(" + b"".join(map(node, value)) + b"l"
        if isinstance(value, dict):
            return b"(" + b"".join(node(k) + node(v) for k, v in value.items()) + b"d"
        kind = b"cnumpy\ndtype\n" + text(b"u1") + b"K\0K\1\x87R"
        kind += b"(K\3" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
        made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0t" + text(b"b") + b"tR"
        shape = b"(" + b"".join(map(node, value.shape)) + b"t"
        return made + b"(K\1" + shape + kind + b"\x89" + text(value.tobytes()) + b"tb"

    return b"\x80\2" + node(value) + b"."


def batch(seed, labels=(0, 1, 2, 0), key="labels"):
    return {"data": pixels(seed, len(labels)).reshape(len(labels), -1), key: list(labels)}


def ten(**changes):
    """Files of a small CIFAR-10 by name."""
    files = {name: batch(seed) for seed, name in enumerate(TEN)}
    return files | {"batches.meta": {"label_names": NAMES}} | changes


def hundred():
    files = {}
    for seed, name in enumerate(("train", "test")):
        files[name] = batch(seed, (2, 0, 1), "fine_labels") | {"coarse_labels": [1, 0, 0]}
    names = {"fine_label_names": NAMES, "coarse_label_names": ["vehicle", "animal"]}
    return files | {"meta": names}


def archive(path, files, write=as_python_2, folder="cifar-10-batches-py"):
    with tarfile.open(path, "w:gz") as tar:
        for name, held in files.items():
            content = held if isinstance(held, bytes) else write(held)
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def load(path, **options):
    options = {"checksum": "any"} | options
    return CifarSource(str(path), **options).load((32, 32), 3, None)


@pytest.mark.parametrize("write", [as_python_2, pickle.dumps, lambda held: pickle.dumps(held, 2)])
def test_the_archive_is_read_in_its_order(tmp_path, write):
    found = load(archive(tmp_path / "cifar-10-python.tar.gz", ten(), write))
    expected = np.concatenate([pixels(seed) for seed in range(6)]).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(found.images, expected)
    assert found.labels.tolist() == [0, 1, 2, 0] * 6
    assert found.class_names == tuple(NAMES)
    assert found.splits == ("train",) * 20 + ("test",) * 4
    assert found.ids[19:21] == ("train/19", "test/0")


@pytest.mark.parametrize("inside", ["", "cifar-10-batches-py"])
def test_the_unpacked_folder_is_the_archive(tmp_path, inside):
    expected = load(archive(tmp_path / "cifar-10-python.tar.gz", ten()))
    folder = tmp_path / "own" / inside
    folder.mkdir(parents=True)
    for name, held in ten().items():
        (folder / name).write_bytes(as_python_2(held))
    found = load(tmp_path / "own")
    np.testing.assert_array_equal(found.images, expected.images)
    assert found.ids == expected.ids


@pytest.mark.parametrize(
    ("labels", "names", "codes"),
    [("fine", tuple(NAMES), [2, 0, 1]), ("coarse", ("vehicle", "animal"), [1, 0, 0])],
)
def test_classes_or_superclasses(tmp_path, labels, names, codes):
    path = archive(tmp_path / "cifar-100-python.tar.gz", hundred(), folder="cifar-100-python")
    found = load(path, labels=labels)
    assert found.class_names == names
    assert found.labels.tolist() == codes * 2
    assert found.stored == "CIFAR-100, RGB, 8 bits"


def test_only_published_files_are_read_unless_others_are_meant(tmp_path, monkeypatch):
    path = archive(tmp_path / "cifar-10-python.tar.gz", ten())
    with pytest.raises(InputError, match=r"data_batch_1 is not the published file .*checksum: any"):
        load(path, checksum="published")
    md5 = {
        name: hashlib.md5(as_python_2(held), usedforsecurity=False).hexdigest()
        for name, held in ten().items()
    }
    ours = cifar._Layout(
        {name: md5[name] for name in TEN[:5]},
        {"test_batch": md5["test_batch"]},
        {"batches.meta": md5["batches.meta"]},
    )
    monkeypatch.setitem(cifar._LAYOUTS, "CIFAR-10", ours)
    assert len(load(path, checksum="published").ids) == 24


class Payload:
    """What runs code where a pickle is trusted."""

    def __reduce__(self):
        return exec, ("raise SystemExit('code of a pickle ran')",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"data": Payload(), "labels": []}),
        b"cos\nsystem\n(S'true'\ntR.",
        b"cnumpy\nload\n(S'/dev/null'\ntR.",
        b"c_codecs\nencode\n(S'a'\nS'zip'\ntR.",
        b"cnumpy\nndarray\n(I40000000000\ntR.",  # room for 300 GB
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I40000000000\ntS'b'\ntR.",
        pickle.dumps({b"\xff\xfe": 1}),
    ],
)
def test_code_in_a_pickle_never_runs(tmp_path, content):
    path = archive(tmp_path / "a.tar.gz", ten(data_batch_3=content))
    with pytest.raises(InputError, match=r"data_batch_3 cannot be read: .*get the archive again"):
        load(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_batch_2": b""}, "data_batch_2 cannot be read"),
        ({"data_batch_2": as_python_2([1, 2])}, "a list, not a dict"),
        ({"data_batch_2": {"labels": [0]}}, "'data' must be"),
        ({"test_batch": batch(0) | {"labels": [0, 1]}}, "4 images, but not as many whole numbers"),
        ({"test_batch": batch(0) | {"labels": ["a"] * 4}}, "not as many whole numbers"),
        ({"test_batch": batch(0, (0, 1, 2, 3))}, "labels from 0 to 3, but batches.meta names 3"),
        ({"batches.meta": {"label_names": ["a", "b", ""]}}, "another name for each class"),
        ({"batches.meta": {"label_names": ["a", "b", "a"]}}, "another name for each class"),
        ({"batches.meta": {"label_names": ["a", ["b"], 3]}}, "another name for each class"),
        ({"batches.meta": {"names": 1}}, "batches.meta: 'label_names' must be a list"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        load(archive(tmp_path / "a.tar.gz", ten(**changes)))


def test_what_is_no_archive_of_it_is_refused(tmp_path):
    whole = archive(tmp_path / "whole.tar.gz", ten())
    (tmp_path / "cut.tar.gz").write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(InputError, match=r"cut.tar.gz cannot be read .*get it again"):
        load(tmp_path / "cut.tar.gz")
    some = {name: held for name, held in ten().items() if name != "data_batch_4"}
    with pytest.raises(InputError, match="holds no data_batch_4"):
        load(archive(tmp_path / "some.tar.gz", some))
    with pytest.raises(InputError, match="the version for Python is needed"):
        load(archive(tmp_path / "binary.tar.gz", {"data_batch_1.bin": b"1"}))
    with pytest.raises(InputError, match="is not there"):
        load(tmp_path / "none.tar.gz")
    with pytest.raises(InputError, match="holds CIFAR-10 and CIFAR-100; give the folder"):
        load(archive(tmp_path / "both.tar.gz", ten() | hundred()))
    for name in ("cifar-10-batches-py/batches.meta", "cifar-100-python/meta"):
        (tmp_path / "root" / name).parent.mkdir(parents=True)
        (tmp_path / "root" / name).touch()
    with pytest.raises(InputError, match="holds CIFAR-10 and CIFAR-100; give the folder"):
        load(tmp_path / "root")
    with tarfile.open(tmp_path / "twice.tar", "w") as tar:
        for folder in ("a", "b"):
            tar.addfile(tarfile.TarInfo(f"{folder}/data_batch_2"))
    with pytest.raises(InputError, match="data_batch_2 is there more than once"):
        load(tmp_path / "twice.tar")
    with pytest.raises(InputError, match="no superclasses"):
        load(whole, labels="coarse")
    with pytest.raises(InputError, match=re.escape("set image_size: 32 and in_channels: 3")):
        CifarSource(str(whole)).load((64, 64), 3, None)
