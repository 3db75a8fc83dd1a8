"""Files as MNIST's are, of every type, and what is wrong with others."""

import gzip
import tracemalloc

import numpy as np
import pytest

from hybrid_swin.data.sources.idx import IdxSource, read_idx
from hybrid_swin.errors import InputError

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def as_idx(array):
    """The bytes of a file."""
    array = np.asarray(array)
    head = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim])
    sizes = np.array(array.shape, ">i4").tobytes()
    return head + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def images(count, seed=0, shape=(6, 5)):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def write(folder, files):
    for name, array in files.items():
        content = array if isinstance(array, bytes) else as_idx(array)
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def mnist(start="", end=".gz", dot="-", test="t10k"):
    """The four files of a small set."""
    return {
        f"{start}train-images{dot}idx3-ubyte{end}": images(4),
        f"{start}train-labels{dot}idx1-ubyte{end}": np.array([7, 1, 10, 1], np.uint8),
        f"{start}{test}-images{dot}idx3-ubyte{end}": images(2, 1),
        f"{start}{test}-labels{dot}idx1-ubyte{end}": np.array([10, 7], np.uint8),
    }


def load(folder, size=(6, 5), channels=1, **options):
    return IdxSource(str(folder), **options).load(size, channels, None)


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize(("start", "test"), [("", "t10k"), ("emnist-letters-", "test")])
def test_the_names_that_sets_have(tmp_path, start, end, dot, test):
    write(tmp_path, mnist(start, end, dot, test))
    found = load(tmp_path)
    np.testing.assert_array_equal(found.images[..., 0], np.concatenate([images(4), images(2, 1)]))
    assert found.class_names == ("1", "7", "10")
    assert found.labels.tolist() == [1, 0, 2, 0, 2, 1]
    assert found.splits == ("train",) * 4 + ("test",) * 2
    assert found.ids[3:5] == ("train/3", "test/0")
    assert found.stored == "arrays of uint8"


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (0, 4)])
def test_arrays_come_back_as_they_were(tmp_path, kind, shape):
    array = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    (tmp_path / "a").write_bytes(as_idx(array))
    found = read_idx(tmp_path / "a")
    assert found.dtype == array.dtype and found.dtype.isnative
    np.testing.assert_array_equal(found, array)


def test_one_of_several_sets_is_chosen(tmp_path):
    write(tmp_path, mnist("emnist-digits-") | mnist("emnist-letters-"))
    with pytest.raises(InputError, match=r"several sets; .*\('emnist-digits', 'emnist-letters'\)"):
        load(tmp_path)
    with pytest.raises(InputError, match="no files with prefix 'emnist-lettres'; give one"):
        load(tmp_path, prefix="emnist-lettres")
    assert len(load(tmp_path, prefix="emnist-letters").ids) == 6


def test_emnist_stands_upright_when_told(tmp_path):
    write(tmp_path, mnist())
    found = load(tmp_path, (5, 6), transposed=True)
    np.testing.assert_array_equal(found.images[:4, ..., 0], images(4).transpose(0, 2, 1))


@pytest.mark.parametrize(("first", "codes"), [(0, [0, 2, 1, 1]), (1, [0, 2, 1, 1])])
def test_class_names_count_from_the_first_label(tmp_path, first, codes):
    labels = np.array([0, 2, 1, 1], np.uint8) + np.uint8(first)
    write(tmp_path, {"train-images-idx3-ubyte": images(4), "train-labels-idx1-ubyte": labels})
    found = load(tmp_path, class_names="T-shirt/top, Trouser , Bag")
    assert found.class_names == ("T-shirt/top", "Trouser", "Bag")
    assert found.labels.tolist() == codes
    with pytest.raises(InputError, match="but 2 class_names"):
        load(tmp_path, class_names="a,b")
    with pytest.raises(InputError, match="holds a name twice"):
        load(tmp_path, class_names="a,b,a")


def test_of_qmnists_columns_of_labels_the_first_is_the_class_and_said(tmp_path):
    """Class, series, writer, ..."""
    labels = np.array([[3, 0, 2600, 9, 1, 2, 0, 0], [1, 0, 2601, 9, 1, 2, 0, 0]], np.int32)
    named = {"qmnist-train-images-idx3-ubyte": images(2), "qmnist-train-labels-idx2-int": labels}
    write(tmp_path, named)
    found = load(tmp_path)
    assert found.class_names == ("1", "3")
    assert found.notes == ("of 8 columns of labels the first is the class, as in QMNIST",)


@pytest.mark.parametrize(("classes", "kind"), [(4, "u1"), (8, "u1"), (8, "i4"), (2, "i4")])
def test_marks_in_one_of_several_columns_are_not_taken_for_a_class(tmp_path, classes, kind):
    labels = np.eye(classes, dtype=kind)
    write(tmp_path, {"train-images-idx3-ubyte": images(classes), "train-labels-idx2-x": labels})
    with pytest.raises(InputError, match="one whole number for each image is needed"):
        load(tmp_path)


def test_a_column_of_labels_is_what_it_is_without(tmp_path):
    labels = np.array([[3], [1]], np.uint8)
    write(tmp_path, {"train-images-idx3-ubyte": images(2), "train-labels-idx2-ubyte": labels})
    assert load(tmp_path).labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("again", "is_fine"),
    [
        ("train-images-idx3-ubyte", True),  # packed and unpacked, as libraries leave them
        ("TRAIN-images-idx3-ubyte", False),
        ("test-images-idx3-ubyte", False),  # and t10k
        ("train-images.idx3-ubyte", False),
    ],
)
def test_of_two_files_of_one_kind_none_is_read_in_silence(tmp_path, again, is_fine):
    write(tmp_path, mnist() | {again: images(4 if "rain" in again.lower() else 2)})
    if is_fine:
        assert len(load(tmp_path).ids) == 6
        return
    with pytest.raises(InputError, match=r"are (train|test) images both; leave one in"):
        load(tmp_path)


def test_a_packed_file_takes_no_more_room_than_it_says(tmp_path):
    """64 MiB of zeros behind 120 bytes of images, packed to 64 KiB."""
    content = as_idx(images(4)) + bytes(64 * 1024**2)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    del content
    tracemalloc.start()
    with pytest.raises(InputError, match="120 bytes, but it holds more; get it again"):
        read_idx(tmp_path / "train-images-idx3-ubyte.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 1024**2


def test_colour_and_other_types(tmp_path):
    values = np.linspace(-1, 1, 2 * 6 * 5 * 3, dtype=np.float32).reshape(2, 6, 5, 3)
    labels = np.array([0, 1], np.uint8)
    write(tmp_path, {"train-images-idx4-float": values, "train-labels-idx1-ubyte": labels})
    found = load(tmp_path, channels=3)
    assert found.images.dtype == np.float32
    np.testing.assert_array_equal(found.images, values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train-labels-idx1-ubyte.gz": None}, "holds no file of train labels"),
        ({"train-images-idx3-ubyte.gz": None}, "holds no file of train images"),
        ({"t10k-images-idx3-ubyte.gz": None}, "holds no file of test images"),
        ({"train-labels-idx1-ubyte.gz": np.zeros(3, np.uint8)}, "3 labels, but .* 4 images"),
        ({"train-labels-idx1-ubyte.gz": np.zeros(4, np.float32)}, "whole numbers are needed"),
        ({"train-labels-idx1-ubyte.gz": np.array([0, 1, -1, 0], "i1")}, "label -1 is negative"),
        ({"train-images-idx3-ubyte.gz": images(4)[0]}, r"\(N, H, W\) or"),
        ({"t10k-images-idx3-ubyte.gz": images(2).astype("f4")}, "differ in type"),
        ({"t10k-images-idx3-ubyte.gz": images(2, 0, (5, 6))}, "the images are 5 x 6"),
        ({"train-images-idx3-ubyte.gz": as_idx(images(4))[:-1]}, "holds 119: it was cut off"),
        ({"train-images-idx3-ubyte.gz": as_idx(images(4)) + b"0"}, "it holds more; get it again"),
        (
            {"train-images-idx3-ubyte.gz": b"\x89PNG\r\n"},
            "is not an idx file: it begins with 89 50 4e",
        ),
        ({"train-images-idx3-ubyte.gz": b""}, "is not an idx file: it begins with nothing"),
        ({"train-images-idx3-ubyte.gz": b"\0\0\x08\x03\0"}, "is not an idx file"),
        ({"train-images-idx3-ubyte.gz": b"\0\0\x08\x01\xff\xff\xff\xff"}, r"the shape \(-1,\)"),
        ({"train-images-idx3-ubyte.gz": b"\0\0\x08\x04" + b"\0\1\0\0" * 4}, "it was cut off"),
        ({"train-images-idx3-ubyte.gz": b"\0\0\x08\x46" + b"\0\0\0\1" * 70}, "up to 4"),
        ({"train-labels-idx1-ubyte.gz": np.zeros((4, 0), np.uint8)}, "one whole number for each"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path, changes, message):
    files = {name: array for name, array in (mnist() | changes).items() if array is not None}
    write(tmp_path, files)
    with pytest.raises(InputError, match=message):
        load(tmp_path)


def test_a_cut_packed_file_and_a_wrong_folder_are_said(tmp_path):
    with pytest.raises(InputError, match="holds no file named as train-images"):
        load(tmp_path)
    write(tmp_path, mnist())
    file = tmp_path / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(
        InputError, match=r"train-images-idx3-ubyte.gz cannot be read: .*get it again"
    ):
        load(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        load(file)
