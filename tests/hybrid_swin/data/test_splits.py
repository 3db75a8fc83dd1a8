"""What is given is kept, what is missing is drawn, what cannot be is told."""

import numpy as np
import pytest

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.sources import LabelledImages
from hybrid_swin.data.splits import make_splits
from hybrid_swin.errors import InputError


def labelled(labels, splits=None, groups=None, class_names=None):
    labels = np.asarray(labels, np.int64)
    return LabelledImages(
        images=np.zeros((len(labels), 1, 1, 1), np.uint8),
        labels=labels,
        class_names=class_names or tuple(f"class{i}" for i in range(labels.max() + 1)),
        ids=tuple(f"image{i}" for i in range(len(labels))),
        splits=None if splits is None else tuple(splits),
        groups=None if groups is None else tuple(groups),
    )


LABELS = np.tile(np.arange(4), 50)
T, V, E = "train", "validation", "test"


def parts(splits):
    return splits.train, splits.validation, splits.test


@pytest.mark.parametrize("seed", range(10))
def test_every_image_is_in_one_split_and_classes_keep_their_shares(seed):
    splits = make_splits(labelled(LABELS), DataSettings(split_seed=seed))
    assert sorted(np.concatenate(parts(splits))) == list(range(200))
    assert [len(part) for part in parts(splits)] == [130, 30, 40]
    for part in parts(splits):
        assert (np.diff(part) > 0).all()
        assert np.ptp(np.bincount(LABELS[part])) <= 2


@pytest.mark.parametrize("seed", range(30))
def test_groups_never_cross_splits(seed):
    random = np.random.RandomState(seed)
    groups = [f"patient{i}" if i else "" for i in random.randint(0, 25, size=200)]
    splits = make_splits(labelled(LABELS, groups=groups), DataSettings(split_seed=seed))
    held = [{groups[i] for i in part if groups[i]} for part in parts(splits)]
    assert not held[0] & held[1]
    assert not held[0] & held[2]
    assert not held[1] & held[2]
    shares = np.array([len(part) for part in parts(splits)]) / 200
    assert (np.abs(shares - (0.65, 0.15, 0.2)) < 0.03).all()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("P3", "p3"), ("1", "1.0"), ("P-1", "P_1"), ("P 1", "P_1"), ("007", "7"), ("P01", "p1")),
        ("Ren\u00e9", "Rene\u0301"),
    ],
)
def test_a_group_under_two_spellings_is_refused(one, other):
    with pytest.raises(InputError, match="differ in nothing but spelling"):
        make_splits(labelled(LABELS, groups=[one, other, *"abcdefgh"] * 20), DataSettings())


@pytest.mark.parametrize(
    ("one", "other"), [("-2", "2"), ("1-1", "11"), ("1.1", "1.10"), ("A+", "A-"), ("P1", "P2")]
)
def test_groups_that_differ_are_two(one, other):
    groups = [one, other, *"abcdefgh"] * 20
    assert len(make_splits(labelled(LABELS, groups=groups), DataSettings()).test)


@pytest.mark.parametrize("other", ["caf\u00e9 ", "cafe\u0301", "caf\u00e9\u200b"])
def test_two_classes_that_look_alike_are_refused(other):
    names = ("caf\u00e9", other, "c", "d")
    with pytest.raises(InputError, match=r"classes 'caf\\xe9' and 'caf.* look alike: they differ"):
        make_splits(labelled(LABELS, class_names=names), DataSettings())


def test_a_class_of_other_case_in_test_alone_is_told():
    names, splits = ("cat", "dog", "Cat"), [T] * 8 + [V] * 4 + [E] * 2
    labels = [0, 1] * 6 + [1, 2]
    with pytest.raises(InputError, match=r"of class 'Cat' .* \(is it class 'cat', spelt otherwise"):
        make_splits(labelled(labels, splits, class_names=names), DataSettings())


def test_images_without_a_group_are_drawn_one_by_one():
    groups = [""] * 190 + ["g"] * 10
    splits = make_splits(labelled(LABELS, groups=groups), DataSettings())
    assert all((part < 190).any() for part in parts(splits))


def test_three_given_splits_are_kept_whatever_the_seed():
    given = [T] * 100 + [V] * 60 + [E] * 40
    for seed in range(3):
        splits = make_splits(labelled(LABELS, given), DataSettings(split_seed=seed))
        assert [part.tolist() for part in parts(splits)] == [
            list(range(100)),
            list(range(100, 160)),
            list(range(160, 200)),
        ]


@pytest.mark.parametrize(
    ("given", "kept", "sizes"),
    [
        ([T] * 160 + [E] * 40, {2: range(160, 200)}, (136, 24, 40)),  # .15 of 160
        ([T] * 160 + [V] * 40, {1: range(160, 200)}, (128, 40, 32)),  # .2 of 160
        ([T] * 200, {}, (130, 30, 40)),
        # Free images are drawn from, and train images kept, where there are any free.
        ([T] * 100 + [""] * 60 + [E] * 40, {2: range(160, 200)}, (151, 9, 40)),
        ([""] * 100 + [V] * 60 + [E] * 40, {1: range(100, 160), 2: range(160, 200)}, (100, 60, 40)),
    ],
)
def test_what_is_missing_is_drawn_from_what_is_free(given, kept, sizes):
    splits = make_splits(labelled(LABELS, given), DataSettings())
    assert tuple(len(part) for part in parts(splits)) == sizes
    for part, indices in kept.items():
        assert parts(splits)[part].tolist() == list(indices)
    if "" in given:
        fixed = {i for i, name in enumerate(given) if name == T}
        assert fixed <= set(splits.train)


def test_a_free_image_follows_its_group():
    groups = [f"g{i // 8}" for i in range(200)]
    given = [E if i % 8 == 0 and i < 40 else "" for i in range(200)]
    splits = make_splits(labelled(LABELS, given, groups), DataSettings())
    assert splits.test.tolist() == list(range(40))
    assert len(splits.validation) == 24  # .15 of 160, in groups of 8
    assert not {groups[i] for i in splits.validation} & {groups[i] for i in splits.train}


def test_given_splits_that_tear_a_group_apart_are_refused():
    groups = [f"g{i // 4}" for i in range(200)]
    given = [T] * 98 + [V] * 62 + [E] * 40
    with pytest.raises(InputError, match="group 'g24' lies in both"):
        make_splits(labelled(LABELS, given, groups), DataSettings())


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (labelled([0] * 9), "at least two"),
        (labelled([0] * 9 + [2] * 9), "class 'class1' has no image"),
        (labelled([0] * 9 + [1] * 9, class_names=("a", "b", "c")), "class 'c' has no image"),
        (labelled([0] * 9 + [1] * 2), r"class 'class1' has 2 image\(s\) .* 3 in all"),
        (labelled([0] * 9 + [1]), r"class 'class1' has 1 image\(s\)"),
        (labelled([0, 1] * 9, groups="ab" * 9), r"class 'class0' has 1 group\(s\)"),
        (labelled([0, 1] * 9, [E] * 18), r"has 0 image\(s\) to draw from"),
        (labelled([0, 1, 2, 0, 1, 2, 1, 2] * 4, [V, E, V, E, E, T, T, T] * 4), "'class0' is left"),
        (labelled([0, 1] * 9 + [2], [T] * 18 + [E]), r"'class2' has 0 image\(s\)"),
    ],
)
def test_too_little_is_told_with_what_to_do(images, message):
    with pytest.raises(InputError, match=message):
        make_splits(images, DataSettings())


def test_three_images_a_class_are_enough():
    splits = make_splits(labelled([0, 1] * 3), DataSettings())
    assert [len(part) for part in parts(splits)] == [2, 2, 2]


def test_the_hash_is_over_ids_labels_and_assignment():
    settings = DataSettings()
    one = make_splits(labelled(LABELS), settings)
    assert make_splits(labelled(LABELS), settings).hash == one.hash
    assert len(one.hash) == 10
    assert make_splits(labelled(LABELS), DataSettings(split_seed=1)).hash != one.hash
    given = [T] * 100 + [V] * 60 + [E] * 40
    hashes = {
        make_splits(labelled(LABELS, given), settings).hash,
        make_splits(labelled(LABELS, [E] * 40 + [T] * 100 + [V] * 60), settings).hash,
        make_splits(labelled(LABELS[::-1], given), settings).hash,
    }
    assert len(hashes) == 3


def test_the_draw_is_the_same_in_every_version():
    # Results of studies hang on it: a change here changes all of them.
    assert make_splits(labelled(LABELS), DataSettings()).hash == "de117d3541"
    groups = [f"g{i // 5}" for i in range(200)]
    assert make_splits(labelled(LABELS, groups=groups), DataSettings()).hash == "aedc273770"


@pytest.mark.parametrize("groups", [None, [f"g{i // 4}" for i in range(200)]])
def test_a_validation_seed_draws_validation_anew_and_leaves_test(groups):
    images = labelled(LABELS, groups=groups)
    first = make_splits(images, DataSettings())
    drawn = [make_splits(images, DataSettings(validation_seed=seed)) for seed in range(5)]
    assert {tuple(splits.test) for splits in drawn} == {tuple(first.test)}
    assert {splits.test_hash for splits in drawn} == {first.test_hash}
    assert len({tuple(splits.validation) for splits in (first, *drawn)}) == 6
    assert len({splits.hash for splits in (first, *drawn)}) == 6
    for splits in drawn:
        assert sorted(np.concatenate(parts(splits))) == list(range(200))
        assert abs(len(splits.validation) - len(first.validation)) <= (1 if groups is None else 6)
        if groups:
            held = [{groups[i] for i in part} for part in parts(splits)]
            assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]


def test_a_given_validation_split_is_kept_whatever_the_validation_seed():
    images = labelled(LABELS, [V if i < 40 else "" for i in range(200)])
    same, other = (make_splits(images, DataSettings(validation_seed=seed)) for seed in (None, 1))
    assert same.hash == other.hash


def test_given_train_images_stay_in_train_whatever_the_validation_seed():
    images = labelled(LABELS, [T if i < 40 else "" for i in range(200)])
    for seed in range(5):
        assert set(range(40)) <= set(make_splits(images, DataSettings(validation_seed=seed)).train)


def test_the_hash_of_test_is_over_its_images_only():
    images = labelled(LABELS)
    hashes = {make_splits(images, DataSettings(split_seed=seed)).test_hash for seed in range(3)}
    assert len(hashes) == 3


def test_a_class_in_a_given_split_only_is_told_by_that_split():
    images = labelled([0] * 9 + [1], splits=[""] * 9 + [E])
    with pytest.raises(InputError, match=r"has 0 image\(s\) .* not in the given split\(s\) test"):
        make_splits(images, DataSettings())
