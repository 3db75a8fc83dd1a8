"""Layouts, tables, left out files, and every mistake that a folder can hold."""

import os

import numpy as np
import pytest
from PIL import Image

from hybrid_swin.data.sources.folder import FolderSource
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


def lay(root, **folders):
    """Images 1.png in folders such as train=['cat', 'dog'], or a class with none inside."""
    for name, classes in folders.items():
        for inside in classes or [""]:
            put(root / name / inside / "1.png")
    return root


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Training", "Validation", "Testing"),
        ("TRAIN", "valid", "TEST"),
        ("training_set", "dev", "test_set"),
        ("train2017", "val2017", "test2017"),
    ],
)
def test_known_spellings_of_splits_are_taken_and_said(tmp_path, train, validation, test):
    both = ["cat", "dog"]
    found = load(lay(tmp_path, **{train: both, validation: both, test: both}))
    assert found.class_names == ("cat", "dog")
    assert dict(zip(found.ids, found.splits or (), strict=True)) == {
        f"{name}/{label}/1.png": split
        for name, split in ((train, "train"), (validation, "validation"), (test, "test"))
        for label in both
    }
    said = {f"folder {name!r} read as" for name in (train, validation, test)}
    canonical = {"train", "validation", "test"}
    assert {note.rpartition(" ")[0] for note in found.notes} == {
        text for text in said if text.split("'")[1] not in canonical
    }


BOTH = ["cat", "dog"]


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ({"Training": BOTH, "Tset": BOTH}, "'Tset'; did you mean 'test'"),
        ({"trian": BOTH, "tests": BOTH}, "did you mean"),
        ({"Trainig": BOTH}, "did you mean 'train'"),
        ({"train": BOTH, "eval": BOTH}, "'eval' can mean validation or test"),
        ({"train": BOTH, "holdout": BOTH}, "'holdout' can mean"),
        ({"train": BOTH, "Train": BOTH}, "each split once"),
        ({"train": BOTH, "val": BOTH, "valid": BOTH}, "each split once"),
        ({"val": BOTH, "test": BOTH}, "nothing but train"),
        ({"train": BOTH, "test": BOTH, "cat": []}, "splits and others at one level"),
        ({"train": BOTH, "cat": [], "dog": []}, "splits and others at one level"),
        ({"train": [], "test": [], "cat": []}, "splits and others at one level"),
        ({"train": [], "test": []}, "holds no class folder"),
        ({"cat": ["train", "test"], "dog": ["train", "test"]}, "splits inside a class"),
        ({"siteA": ["Training", "Testing"], "siteB": ["Training", "Testing"]}, "inside a class"),
        ({"cat": ["train", "eval"], "dog": ["train", "eval"]}, "'cat' holds .*inside a class"),
        ({"cat": ["train", "holdout"], "dog": []}, "splits inside a class"),
        ({"cat": ["eval", "holdout"], "dog": []}, "splits inside a class"),
        ({"cat": ["", "test"], "dog": []}, "splits inside a class"),
        ({"cat": ["scans/train", "scans/test"], "dog": []}, "'cat/scans' holds"),
        ({"source": BOTH, "target": BOTH}, "'source, target', each with the same folders"),
        ({"seen": BOTH, "unseen": BOTH}, "layout: classes"),
        ({"fold1": BOTH, "fold2": BOTH, "fold3": [*BOTH, "fox"]}, "the same folders 'cat, dog'"),
    ],
)
def test_what_is_nearly_a_split_layout_is_refused(tmp_path, folders, message):
    with pytest.raises(InputError, match=message) as error:
        load(lay(tmp_path / "photos", **folders))
    assert len(str(error.value)) < 420
    names = tuple(sorted(folders)) if message != "holds no class folder" else ()
    if len(names) > 1:
        assert load(tmp_path / "photos", layout="classes").class_names == names


@pytest.mark.parametrize(
    "folders",
    [
        {"train": [], "bus": []},
        {"valid": [], "invalid": []},
        {"brain": [], "chest": [], "rest": []},
        {"brain": ["p1", "p2"], "liver": ["p3"]},
        {"cat": ["2019", "2020"], "dog": ["2019", "2020"]},
        {"cat": ["images"], "dog": ["images"]},
        {"vehicle": ["bus", "train"], "house": []},
    ],
)
def test_words_that_are_like_splits_may_be_classes(tmp_path, folders):
    assert load(lay(tmp_path, **folders)).class_names == tuple(sorted(folders))


@pytest.mark.parametrize("folders", [("images", "masks"), ("JPEGImages", "Annotations", "x")])
def test_images_beside_masks_are_no_classes(tmp_path, folders):
    for index, name in enumerate(folders):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4), index).save(tmp_path / name / "0.png")
    with pytest.raises(InputError, match="images beside masks or labels in files"):
        FolderSource(str(tmp_path)).load((4, 4), 1, None)
    found = FolderSource(str(tmp_path), layout="classes").load((4, 4), 1, None)
    assert found.class_names == tuple(sorted(folders))
    (tmp_path / folders[0]).rename(tmp_path / "cat")
    FolderSource(str(tmp_path)).load((4, 4), 1, None)


def test_sites_inside_a_split_are_no_classes(tmp_path):
    lay(tmp_path, **{"train": ["a/cat", "a/dog", "b/cat", "b/dog"], "test": ["a/cat", "b/cat"]})
    with pytest.raises(InputError, match=r"each with the same folders 'cat, dog'.*layout: splits"):
        load(tmp_path)
    assert load(tmp_path, layout="splits").class_names == ("a", "b")


def test_splits_can_be_demanded(tmp_path):
    lay(tmp_path, train=BOTH, tets=BOTH)
    with pytest.raises(InputError, match="did you mean 'test'"):
        load(tmp_path, layout="splits")
    with pytest.raises(InputError, match="unknown split 'cat'"):
        load(lay(tmp_path / "other", cat=[], dog=[]), layout="splits")


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
    (animals / "dog" / "Thumbs.db").write_bytes(b"\xd0\xcf")
    put(animals / "stray.png")
    for _ in range(2):
        found = load(animals, cache=tmp_path / "cache" if cached else None)
        assert found.ids == ("cat/10.png", "cat/2.bmp", "dog/a.png", "dog/b.png")
        assert found.labels.tolist() == [0, 0, 1, 1]
        assert [name for name, _ in found.left_out] == ["cat/cut.png", "stray.png"]
        assert "truncated" in dict(found.left_out)["cat/cut.png"]
        assert [name for name, _ in found.ignored] == ["dog/Thumbs.db", "dog/notes.txt"]
        assert "no image" in dict(found.ignored)["dog/notes.txt"]
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


NO_LABELS = (
    *("NA", "None", "-", "?", "NaT", "#REF!", "unlabeled", "-1", "-1.0", "nan"),
    *("-nan", "????", "(blank)", "[none]", "(not set)", "--"),
)


@pytest.mark.parametrize("word", [*NO_LABELS, "#N/A N/A", "N/A"])
def test_words_for_no_label_are_no_class(animals, word):
    with pytest.raises(InputError, match=r"line 3: label is .* without a label"):
        load(csv=table(animals, "path,label", "dog/a.png,dog", f"dog/b.png,{word}"))


@pytest.mark.parametrize("word", NO_LABELS)
def test_folders_follow_the_same_rule(animals, word):
    put(animals / word / "x.png")
    with pytest.raises(InputError, match="named as many sets mark images without a label") as error:
        load(animals)
    assert len(str(error.value)) < 400
    assert word in load(animals, layout="classes").class_names
    below = lay(animals.parent / "split", train=["cat", word], test=["cat", "dog"])
    with pytest.raises(InputError, match=r"if it is a class, rename it$"):
        load(below)


def test_split_words_in_class_names_are_refused(tmp_path, animals):
    for index, names in enumerate(
        (
            ("train_cat", "train_dog", "test_cat", "test_dog"),
            ("cat-train", "dog-train", "cat-val"),
            ("trainCat", "EVAL cat", "train dog"),
            ("1_train", "1_test", "2_train", "2_test"),
        )
    ):
        root = lay(tmp_path / str(index), **{name: [] for name in names})
        with pytest.raises(InputError, match=r"one class in two splits.*train/cat") as error:
            load(root)
        assert len(str(error.value)) < 400
        assert load(root, layout="classes").class_names == tuple(sorted(names))
    lines = "path,label", "dog/b.png,test_cat", "cat/2.bmp,train_cat"
    with pytest.raises(InputError, match=r"labels: 'test_cat' and 'train_cat' .* column 'split'"):
        load(csv=table(animals, *lines))


@pytest.mark.parametrize(
    "names",
    [
        ("train_cat", "train_dog"),  # one word, no name twice
        ("train_cat", "test_cat", "dog"),
        ("training shoe", "test tube"),
        ("train", "trains", "valley"),
    ],
)
def test_split_words_in_class_names_by_chance(tmp_path, names):
    assert load(lay(tmp_path, **{name: [] for name in names})).class_names == tuple(sorted(names))


@pytest.mark.parametrize("word", ["NA", "None", "-", "?", "unknown", "Missing", "NaT", "-1", "nan"])
def test_words_for_no_group_are_no_group(animals, word):
    with pytest.raises(InputError, match=r"line 2: group is .* leave the cell empty"):
        load(csv=table(animals, "path,label,group", f"dog/a.png,dog,{word}"))


def test_a_class_may_be_unknown(animals):
    lines = "path,label", "dog/a.png,unknown", "cat/2.bmp,no finding"
    assert load(csv=table(animals, *lines)).class_names == ("no finding", "unknown")
    put(animals / "unknown" / "x.png")
    assert load(animals).class_names == ("cat", "dog", "unknown")


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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_that_name_themselves_are_read(animals, encoding):
    path = animals / "table.csv"
    path.write_bytes("path,label\ndog/b.png,é\ncat/2.bmp,o".encode(encoding))
    assert load(csv=str(path)).class_names == ("o", "é")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,label\ndog/b.png,é".encode("latin-1"), "not UTF-8"),
        ("path,label\ndog/b.png,e".encode("utf-16-le"), "without a mark"),
        (b"path,label\n" + b"x" * 200_000 + b",1\n", "field larger than field limit"),
        (b'path,label\n"dog/b.png,1\ncat/2.bmp,0\n', "quotes closed"),
        (b"path,label\ndog/b.png,1\0\n", "line 2 holds a null byte"),
    ],
)
def test_a_table_that_cannot_be_read(animals, content, message):
    path = animals / "table.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        load(csv=str(path))
    assert len(str(error.value)) < 350


def test_known_spellings_of_columns_and_splits_are_taken_and_said(animals):
    path = table(
        animals,
        "Path,LABEL,Split,Patient ID,age",
        "dog/b.png,old,Training,p1,3",
        "cat/2.bmp,new,TRAIN,p2,4",
        "cat/10.png,old,dev,,5",
    )
    found = load(csv=str(path))
    assert found.splits == ("train", "train", "validation")
    assert found.groups == ("p1", "p2", "")
    assert set(found.notes) == {
        "column 'Path' read as path",
        "column 'LABEL' read as label",
        "column 'Split' read as split",
        "column 'Patient ID' read as group",
        "columns not used: 'age' (a column 'group' keeps a patient's images together)",
        "split 'TRAIN' read as train",
        "split 'Training' read as train",
        "split 'dev' read as validation",
    }


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,label,spilt", "dog/b.png,1,train"], "column 'spilt' .* did you mean 'split'"),
        (["path,label,gruop", "dog/b.png,1,p"], "column 'gruop' .* did you mean 'group'"),
        (["path,label,patient_no", "dog/b.png,1,p"], "did you mean 'group'"),
        (["path,lable", "dog/b.png,1"], "did you mean 'lable'"),
        (["path,class", "dog/b.png,1"], "did you mean 'class'"),
        (["path;label", "dog/b.png;1"], "by semicolons: separate them by commas"),
        (["path;label;x", "dog/b.png;1;2"], "by semicolons: separate them by commas"),
        (["path,label", r"imgs\0.png,1"], "write / for"),
        (["path,label,label", "dog/b.png,1,1"], "named twice"),
        (["path,label,split,Split", "dog/b.png,1,,"], "named twice"),
        (["path,label,patient,subject", "dog/b.png,1,,"], "both mean the column 'group'"),
        (["path,label", "dog/b.png,1,2"], "line 2: 3 cells"),
        (["path,label,split", "dog/b.png,1"], "line 2: 2 cells"),
        (["path,label,split", "dog/b.png,1,eval"], "line 2: split 'eval' can mean"),
        (["path,label", "dog/b.png,NaN"], "label is 'NaN'"),
        (["path,label,group", "dog/b.png,1,nan"], "group is 'nan'"),
        (
            ["path,label,usage", "dog/b.png,1,Training", "cat/2.bmp,0,PublicTest"],
            "column 'usage' .* rename it to 'split'",
        ),
        (["path,label", "dog,1", "cat/2.bmp,0"], "not there or not files"),
        (["path,label", f"{'x' * 5000},1", "cat/2.bmp,0"], "are not there"),
        (["path,label,split", f"dog/b.png,1,{'x' * 5000}"], "unknown split"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(animals, lines, message):
    with pytest.raises(InputError, match=message) as error:
        load(csv=str(table(animals, *lines)))
    assert len(str(error.value)) < 420


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("Usage", ["Training", "PublicTest", "PrivateTest"]),
        ("set", ["train", "test", "nan"]),
        ("set", ["train", "test", "extra"]),
        ("role", ["", "test", ""]),
        *((name, ["0", "1", "0"]) for name in ("is_test", "IsTraining", "test", "fold", "kfold")),
        ("is_train", ["True", "False", ""]),
    ],
)
def test_columns_that_hold_splits_under_another_name_are_refused(animals, column, values):
    files = ["dog/a.png,dog", "dog/b.png,dog", "cat/2.bmp,cat"]
    lines = [f"{file},{value}" for file, value in zip(files, values, strict=True)]
    with pytest.raises(InputError, match=f"column '{column}' is not used, but"):
        load(csv=table(animals, f"path,label,{column}", *lines))


@pytest.mark.parametrize(
    ("column", "values"), [("kind", ["bus", "train", "car"]), ("test", ["12.5", "3.1", "7"])]
)
def test_columns_that_hold_no_splits_are_passed_over(animals, column, values):
    files = ["dog/a.png,dog", "dog/b.png,dog", "cat/2.bmp,cat"]
    lines = [f"{file},{value}" for file, value in zip(files, values, strict=True)]
    assert "not used" in load(csv=table(animals, f"path,label,{column}", *lines)).notes[0]


def test_what_is_no_file_is_passed_over(animals):
    os.mkfifo(animals / "cat" / "pipe.png")
    (animals / "cat" / "loop.png").symlink_to(animals / "cat" / "loop.png")
    (animals / "dog" / "device.png").symlink_to("/dev/zero")
    found = load(animals)
    assert len(found.ids) == 4
    assert dict(found.ignored) == {
        "cat/pipe.png": "not a regular file",
        "dog/device.png": "not a regular file",
    }
    assert [name for name, _ in found.left_out] == ["cat/loop.png"]


def test_files_of_images_without_a_suffix_are_images(animals):
    (animals / "cat" / "2.bmp").unlink()
    (animals / "cat" / "10.png").rename(animals / "cat" / "10")
    (animals / "cat" / "scan.dcm").write_bytes(bytes(200))
    found = load(animals)
    assert found.ids == ("cat/10", "dog/a.png", "dog/b.png")
    assert dict(found.ignored)["cat/scan.dcm"].startswith("no image (BMP, GIF,")
    (animals / "cat" / "10").unlink()
    with pytest.raises(InputError, match=r"'.*cat' holds no image, only such as 'cat/scan\.dcm'"):
        load(animals)


def test_links_to_one_folder_count_once_however_many_ways_lead_there(animals):
    """Twenty folders with two links each to the next one are a million ways."""
    for depth in range(20):
        (animals / f".{depth}").mkdir()
    for depth in range(19):
        for way in "ab":
            (animals / f".{depth}" / way).symlink_to(animals / f".{depth + 1}")
    put(animals / ".19" / "far.png")
    (animals / "cat" / "x").symlink_to(animals / ".0")
    assert len([name for name in load(animals).ids if name.endswith("far.png")]) == 1


@pytest.mark.parametrize("path", ["x" * 5000, "~nobody-there/x", "a\0b"])
@pytest.mark.parametrize("option", ["path", "csv"])
def test_paths_that_no_system_takes(path, option):
    with pytest.raises(InputError) as error:
        load(**{option: path})
    assert len(str(error.value)) < 300


def test_a_missing_table_or_folder(tmp_path):
    with pytest.raises(InputError, match=r"csv .* is not a file"):
        load(csv=str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="is not a folder"):
        load(tmp_path / "none")
    with pytest.raises(InputError, match="option 'path' is missing"):
        load()


@pytest.mark.parametrize("inside", [["cat", "dog"], ["train", "test"]])
def test_a_folder_a_level_too_high_or_too_low_is_said(tmp_path, inside):
    lay(tmp_path / "high", photos=inside)
    with pytest.raises(InputError, match=r"'photos' alone, .*: give '.*high/photos' instead"):
        load(tmp_path / "high")
    with pytest.raises(InputError, match="give the folder above if this is one class"):
        load(tmp_path / "high" / "photos" / inside[0])


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
