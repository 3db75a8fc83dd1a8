import numpy as np
import pytest

from search.execution.run_folder import lost_answers
from search.records.runs import RunResult
from search.records.validation import (
    VALIDATION_FILE,
    read_answers,
    read_validated,
    save_answers,
)

IDS = [f"image-{i}" for i in range(900)]


def folders(tmp_path, *answers, ids=IDS, groups=None):
    made = {seed: tmp_path / str(seed) for seed in range(len(answers))}
    for seed, right in enumerate(answers):
        save_answers(made[seed], right, ids, groups)
    return made


def scores(*answers):
    return {seed: float(np.mean(right)) for seed, right in enumerate(answers)}


def lost(*given):
    reasons = []
    read_validated(*given, reasons)
    return reasons


def test_answers_come_back_as_they_were_and_are_small(tmp_path):
    right = np.random.default_rng(0).random(900) < 0.9
    (folder,) = folders(tmp_path, right).values()
    found = read_answers(folder)
    assert found.right.tolist() == right.tolist()
    assert found.groups is None
    assert (folder / VALIDATION_FILE).stat().st_size < 1100


def test_the_same_images_in_the_same_groups_make_one_matrix(tmp_path):
    rng = np.random.default_rng(0)
    answers = [rng.random(900) < 0.9 for _ in range(3)]
    groups = [f"patient {i // 3}" for i in range(900)]
    found = read_validated(
        folders(tmp_path, *answers, groups=groups), scores(*answers), "val/accuracy"
    )
    assert found.matrix.tolist() == np.stack(answers).astype(float).tolist()
    assert (found.seed_indices, len(set(found.groups))) == ((0, 1, 2), 300)
    assert found.groups[0] == found.groups[2] != found.groups[3]


@pytest.mark.parametrize("what", ["other images", "other groups", "missing", "torn", "score", "f1"])
def test_no_matrix_where_images_or_scores_are_not_those(tmp_path, what):
    right = np.arange(900) % 10 != 0
    made = folders(tmp_path, right, right)
    told, monitor = scores(right, right), "val/accuracy"
    if what == "other images":
        save_answers(made[1], right, IDS[::-1])
    elif what == "other groups":
        save_answers(made[1], right, IDS, IDS)
    elif what == "missing":
        (made[1] / VALIDATION_FILE).unlink()
    elif what == "torn":
        path = made[1] / VALIDATION_FILE
        path.write_bytes(path.read_bytes()[:100])
    elif what == "score":
        told[1] += 0.01
    else:
        monitor = "val/f1"
    assert read_validated(made, told, monitor) is None
    if what in ("score", "f1"):
        assert read_answers(made[1]) is not None


def test_answers_that_are_lost_are_named_and_those_never_kept_are_not(tmp_path):
    right = np.arange(900) % 10 != 0
    made = folders(tmp_path, right, right, right)
    told = scores(right, right, right)
    assert lost(made, told, "val/accuracy") == []
    path = made[1] / VALIDATION_FILE
    path.write_bytes(path.read_bytes()[:100])
    (made[0] / VALIDATION_FILE).unlink()
    other = lost(made, told | {2: 0.5}, "val/accuracy")
    places = [f"{'/'.join(made[seed].parts[-3:])}/{VALIDATION_FILE}" for seed in range(3)]
    assert other == [
        f"{places[0]} cannot be read",
        f"{places[1]} cannot be read",
        f"{places[2]} tells another accuracy than its run's result",
    ]
    assert lost(made, told, "val/f1") == []
    for folder in made.values():
        (folder / VALIDATION_FILE).unlink(missing_ok=True)
    assert lost(made, told, "val/accuracy") == []


@pytest.mark.parametrize("file", ["deleted", "damaged", "whole"])
def test_answers_that_a_result_says_it_kept_are_missed(tmp_path, file):
    """Those of runs of the first versions, which say nothing of them, only if they are damaged."""
    made = folders(tmp_path, [True, False], ids=IDS[:2])
    if file != "whole":
        (made[0] / VALIDATION_FILE).unlink()
    if file == "damaged":
        (made[0] / VALIDATION_FILE).write_bytes(b"PK")
    kept = RunResult("trials/0000", 1, "complete", 0.5, answers=True)
    assert RunResult.from_dict(kept.to_dict()) == kept
    told = []
    read_validated(made, {0: 0.5}, "val/accuracy", told, kept.answers)
    assert (lost_answers(made[0], kept), len(told)) == (
        (None, 0) if file == "whole" else (VALIDATION_FILE, 1)
    )
    first = RunResult("trials/0000", 1, "complete", 0.5)
    assert "answers" not in first.to_dict()
    assert lost_answers(made[0], first) == (VALIDATION_FILE if file == "damaged" else None)
