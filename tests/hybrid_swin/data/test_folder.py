"""Layouts, tables, left out files, and every mistake that a folder can hold."""

import os

import numpy as np
import pytest
from PIL import Image

from hybrid_swin.data.folder import FolderSource
from hybrid_swin.errors import InputError


def put(path, value=0, size=(6, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)
    return path


def load(path="", cache=None, **options):
    return FolderSource(str(path), **options).load((6, 6), 1, cache)


@pytest.fixture
def animals(tmp_path):
    """Two classes; each image's grey value tells which one it is."""
    root = tmp_path / "animals"
    for index, name in enumerate(["dog/b.png", "dog/a.png", "cat/2.bmp", "cat/10.png"]):
        put(root / name, 10 * index + 10)
    return root


def test_classes_and_images_are_sorted(animals):
    found = load(animals)
    assert found.class_names == ("cat", "dog")
    assert found.ids == ("cat/10.png", "cat/2.bmp", "dog/a.png", "dog/b.png")
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.images[:, 0, 0, 0].tolist() == [40, 30, 20, 10]
    assert (found.groups, found.splits, found.left_out) == (None, None, ())


def test_class_folders_that_are_numbers_are_ordered_by_value(tmp_path):
    for name in ("10", "9", "0"):
        put(tmp_path / name / "x.png")
    assert load(tmp_path).class_names == ("0", "9", "10")


@pytest.mark.parametrize("validation", ["val", "valid", "validation"])
def test_split_folders_are_given_splits(tmp_path, validation):
    for split in ("train", validation, "test"):
        for name in ("cat/1.png", "dog/1.png"):
            put(tmp_path / split / name)
    found = load(tmp_path)
    assert dict(zip(found.ids, found.splits or (), strict=True)) == {
        "test/cat/1.png": "test",
        "test/dog/1.png": "test",
        "train/cat/1.png": "train",
        "train/dog/1.png": "train",
        f"{validation}/cat/1.png": "validation",
        f"{validation}/dog/1.png": "validation",
    }


def test_a_class_may_be_called_train(tmp_path):
    for name in ("train/1.png", "bus/1.png"):
        put(tmp_path / name)
    assert load(tmp_path).class_names == ("bus", "train")


@pytest.mark.parametrize(
    "names", [("train", "test", "cat"), ("val", "test"), ("train", "val", "valid")]
)
def test_half_a_split_layout_is_refused(tmp_path, names):
    for name in names:
        put(tmp_path / name / "cat" / "1.png")
        put(tmp_path / name / "dog" / "1.png")
    with pytest.raises(InputError, match="nothing but train"):
        load(tmp_path)


def test_hidden_files_are_passed_over_links_followed_and_circles_left(animals, tmp_path):
    put(animals / ".cache" / "x.png")
    put(animals / "cat" / ".hidden.png")
    elsewhere = put(tmp_path / "elsewhere" / "deep" / "far.png", 200)
    (animals / "cat" / "link.png").symlink_to(elsewhere)
    (animals / "cat" / "linked").symlink_to(tmp_path / "elsewhere")
    (animals / "cat" / "circle").symlink_to(animals / "cat")
    (animals / "cat" / "nowhere.png").symlink_to(tmp_path / "gone.png")
    found = load(animals)
    assert [name for name in found.ids if name.startswith("cat")] == [
        "cat/10.png",
        "cat/2.bmp",
        "cat/link.png",
        "cat/linked/deep/far.png",
    ]
    assert [name for name, _ in found.left_out] == ["cat/nowhere.png"]


@pytest.mark.parametrize("cached", [True, False])
def test_unreadable_files_are_named_and_left_out(animals, tmp_path, cached):
    whole = put(animals / "cat" / "cut.png", size=(60, 60)).read_bytes()
    (animals / "cat" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (animals / "dog" / "notes.txt").write_text("no image")
    put(animals / "stray.png")
    for _ in range(2):
        found = load(animals, cache=tmp_path / "cache" if cached else None)
        assert found.ids == ("cat/10.png", "cat/2.bmp", "dog/a.png", "dog/b.png")
        assert found.labels.tolist() == [0, 0, 1, 1]
        assert [name for name, _ in found.left_out] == ["cat/cut.png", "dog/notes.txt", "stray.png"]
        assert "cannot identify" in dict(found.left_out)["dog/notes.txt"]
        assert dict(found.left_out)["stray.png"] == "lies in no class folder"


def change_pixels(root):
    put(root / "cat" / "2.bmp", 77)
    os.utime(root / "cat" / "2.bmp", (1, 1))


def touch(root):
    os.utime(root / "cat" / "2.bmp", (1, 1))


@pytest.mark.parametrize(
    "change",
    [change_pixels, touch, lambda root: put(root / "cat" / "3.png")],
)
def test_changed_files_are_decoded_again(animals, tmp_path, change):
    cache = tmp_path / "cache"
    load(animals, cache=cache)
    load(animals, cache=cache)
    assert len(list(cache.glob("*.npy"))) == 1
    change(animals)
    found = load(animals, cache=cache)
    assert len(list(cache.glob("*.npy"))) == 2
    np.testing.assert_array_equal(found.images, load(animals).images)


def test_another_way_of_decoding_has_another_file(animals, tmp_path):
    for resize in ("crop", "squash"):
        load(animals, cache=tmp_path / "cache", resize=resize)
    FolderSource(str(animals)).load((7, 6), 1, tmp_path / "cache")
    FolderSource(str(animals)).load((6, 6), 3, tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 4


def test_folders_that_agree_in_names_sizes_and_times_are_told_apart(tmp_path):
    for value in (3, 9):
        for name in ("cat/1.bmp", "dog/1.bmp"):
            os.utime(put(tmp_path / str(value) / name, value), (1, 1))
    for value in (3, 9):
        found = load(tmp_path / str(value), cache=tmp_path / "cache")
        assert found.images.tolist() == np.full((2, 6, 6, 1), value).tolist()


def table(root, *lines, name="table.csv"):
    path = root / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_table_gives_labels_splits_and_groups_in_its_order(animals):
    path = table(
        animals,
        "\ufeffgroup,path,label,split,remark",  # as spreadsheets save it
        "p1,dog/b.png,old,val,x",
        "p2,cat/2.bmp,new,train,",
        ",./cat/10.png,old,,",
    )
    found = load(csv=str(path))
    assert found.ids == ("dog/b.png", "cat/2.bmp", "cat/10.png")
    assert found.class_names == ("new", "old")
    assert found.labels.tolist() == [1, 0, 1]
    assert found.splits == ("validation", "train", "")
    assert found.groups == ("p1", "p2", "")
    assert found.images[:, 0, 0, 0].tolist() == [10, 30, 40]


def test_a_table_may_lie_elsewhere(animals, tmp_path):
    path = table(tmp_path, "path,label", "dog/b.png,1", f"{animals}/cat/2.bmp,0")
    found = load(animals, csv=str(path))
    assert found.ids == ("dog/b.png", "cat/2.bmp")
    assert (found.groups, found.splits) == (None, None)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path;label", "dog/b.png;1"], "column 'path' is missing"),
        (["path,class", "dog/b.png,1"], "column 'label' is missing"),
        ([], "column 'path' is missing"),
        (["path,label"], "lists no image"),
        (["path,label", "dog/b.png,1", "dog/a.png,"], "line 3: label is empty"),
        (["path,label", ",1"], "line 2: path is empty"),
        (["path,label", "dog/b.png,1", "dog/b.png,2"], "listed twice"),
        (["path,label", "dog/b.png,1", "x.png,2", "y.png,2"], "2 of 3 files are not there"),
        (["path,label", "dog/b.png,1", "../secret.png,2"], "line 3: .* outside"),
        (["path,label", "dog/b.png,1", "/etc/hosts,2"], "outside"),
        (["path,label,split", "dog/b.png,1,trian"], "line 2: unknown split 'trian'; did you mean"),
        (["path,label", "dog/b.png,1", "cat/2.bmp,1"], "at least two"),
    ],
)
def test_mistakes_in_a_table(animals, lines, message):
    with pytest.raises(InputError, match=message):
        load(csv=str(table(animals, *lines)))


def test_a_table_in_another_encoding(animals):
    path = animals / "table.csv"
    path.write_bytes("path,label\ndog/b.png,é".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        load(csv=str(path))


def test_a_missing_table_or_folder(tmp_path):
    with pytest.raises(InputError, match=r"csv .* is not a file"):
        load(csv=str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="is not a folder"):
        load(tmp_path / "none")
    with pytest.raises(InputError, match="option 'path' is missing"):
        load()


def test_folders_that_hold_too_little(tmp_path):
    with pytest.raises(InputError, match="holds no class folder"):
        load(tmp_path)
    put(tmp_path / "one.png")
    with pytest.raises(InputError, match="holds no class folder"):
        load(tmp_path)
    put(tmp_path / "cat" / "1.png")
    with pytest.raises(InputError, match="at least two"):
        load(tmp_path)
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / ".hidden").touch()
    with pytest.raises(InputError, match=r"class folder '.*dog' is empty"):
        load(tmp_path)


def test_one_class_is_told_before_anything_is_decoded(tmp_path):
    put(tmp_path / "data" / "cat" / "1.png")
    with pytest.raises(InputError, match="at least two"):
        load(tmp_path / "data", cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("cached", [True, False])
def test_no_readable_image(tmp_path, cached):
    for name in ("cat/1.png", "dog/1.png"):
        put(tmp_path / "data" / name).write_text("broken")
    for _ in range(2):
        with pytest.raises(InputError, match=r"no file could be read .* first is 'cat/1\.png'"):
            load(tmp_path / "data", cache=tmp_path / "cache" if cached else None)


def test_no_readable_image_of_a_class(tmp_path):
    put(tmp_path / "cat" / "1.png")
    put(tmp_path / "dog" / "1.png").write_text("broken")
    with pytest.raises(InputError, match="no file of class 'dog' could be read"):
        load(tmp_path)


def test_a_name_that_is_no_text(animals, tmp_path):
    name = os.fsdecode(b"caf\xe9.png")  # latin-1, as old archives have it
    try:
        (animals / "cat" / "2.bmp").rename(animals / "cat" / name)
    except OSError:
        pytest.skip("this file system stores text only")
    assert f"cat/{name}" in load(animals, cache=tmp_path / "cache").ids
