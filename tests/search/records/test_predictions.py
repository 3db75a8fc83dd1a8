import numpy as np
import pytest

from search.records.predictions import read_correctness


def write(folder, right, ids=None, groups=(), **changes):
    folder.mkdir(parents=True, exist_ok=True)
    right = np.asarray(right, dtype=bool)
    labels = np.arange(len(right)) % 3
    arrays = {
        "ids": np.array(ids or [f"i{n}" for n in range(len(right))]),
        "groups": np.array(groups, dtype=str),
        "labels": labels,
        "logits": np.eye(3)[np.where(right, labels, (labels + 1) % 3)],
        **changes,
    }
    np.savez(folder / "predictions.npz", **arrays)
    return folder


def test_the_matrix_is_what_was_right(tmp_path):
    folders = {2: write(tmp_path / "b", [0, 1, 1, 1]), 0: write(tmp_path / "a", [1, 1, 0, 0])}
    read = read_correctness(folders, {0: 0.5, 2: 0.75})
    assert read.seed_indices == (0, 2)
    assert read.ids == ("i0", "i1", "i2", "i3")
    assert read.groups is None
    assert read.matrix.tolist() == [[1, 1, 0, 0], [0, 1, 1, 1]]
    assert read.of_seeds([2]).tolist() == [[0, 1, 1, 1]]


def test_groups_are_kept(tmp_path):
    folder = write(tmp_path / "a", [1, 0], groups=["p1", "p2"])
    assert read_correctness({0: folder}, {0: 0.5}).groups == ("p1", "p2")


def test_logits_that_are_no_numbers_are_wrong(tmp_path):
    folder = write(tmp_path / "a", [1, 1], logits=np.array([[np.nan, 0, 0], [0, 1, 0]]))
    assert read_correctness({0: folder}, {0: 0.5}).matrix.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("changes", "accuracy"),
    [
        ({"ids": ["other", "i1"]}, 0.5),
        ({"groups": ["p", "q"]}, 0.5),
        ({"logits": np.zeros((3, 3))}, 0.5),
        ({"logits": np.zeros(2)}, 0.5),
        ({}, 0.6),
    ],
)
def test_seeds_that_do_not_fit_together_give_none(tmp_path, changes, accuracy):
    folders = {0: write(tmp_path / "a", [1, 0]), 1: write(tmp_path / "b", [1, 0])}
    assert read_correctness(folders, {0: 0.5, 1: 0.5}) is not None
    write(tmp_path / "b", [1, 0], **changes)
    assert read_correctness(folders, {0: 0.5, 1: accuracy}) is None


def test_a_missing_or_torn_file_gives_none(tmp_path):
    folder = write(tmp_path / "a", [1, 0])
    assert read_correctness({0: folder, 1: tmp_path / "none"}, {0: 0.5, 1: 0.5}) is None
    whole = (folder / "predictions.npz").read_bytes()
    for torn in (whole[: len(whole) // 2], b"", b"no archive"):
        (folder / "predictions.npz").write_bytes(torn)
        assert read_correctness({0: folder}, {0: 0.5}) is None


def test_pickles_are_not_opened(tmp_path):
    folder = write(tmp_path / "a", [1, 0], ids=["i0", None])
    assert read_correctness({0: folder}, {0: 0.5}) is None
