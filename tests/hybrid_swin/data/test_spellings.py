"""Reserved words: known spellings are taken, slips are found, other words are left alone."""

import pytest

from hybrid_swin.data.spellings import COLUMNS, SPLITS
from hybrid_swin.errors import InputError, quote


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        *((word, "train") for word in ("train", "TRAIN", "Training", "training_set", "Train Data")),
        *((word, "validation") for word in ("val", "Valid", "validation", "dev", "val2017")),
        *((word, "test") for word in ("Test", "testing", "test-set", "TEST ", "tst")),
        *((word, None) for word in ("cat", "eval", "trian", "testament", "0", "", "холдаут")),
    ],
)
def test_known_spellings_of_splits(word, meaning):
    assert SPLITS.meaning(word) == meaning


@pytest.mark.parametrize("word", ["trian", "Trainig", "tset", "tests", "validaton", "vlaid"])
def test_slips_are_found(word):
    assert SPLITS.is_near(word)
    with pytest.raises(InputError, match="did you mean"):
        raise SPLITS.refuse(word, "here")


@pytest.mark.parametrize("word", ["eval", "Evaluation", "hold-out", "development_set", "trainval"])
def test_what_can_mean_two_splits_is_not_guessed(word):
    assert SPLITS.is_near(word)
    with pytest.raises(InputError, match=r"can mean .* or .*; write the one"):
        raise SPLITS.refuse(word, "here")


@pytest.mark.parametrize("word", ["cat", "dog", "normal", "covid", "heart", "texture", "tree", "7"])
def test_other_words_are_no_splits(word):
    assert not SPLITS.is_near(word)


@pytest.mark.parametrize("word", ["images", "dataset", "Data_Sets", "image_files", "masks"])
def test_words_that_say_nothing_are_no_slips(word):
    assert SPLITS.nearest(word) is None


@pytest.mark.parametrize("word", ["Trainig_set", "tset_images", "traindat"])
def test_slips_beside_such_words_are_found(word):
    assert SPLITS.is_near(word)


@pytest.mark.parametrize(
    ("word", "meaning", "nearest"),
    [
        ("Path", "path", "path"),
        ("Patient ID", "group", "group"),
        ("spilt", None, "split"),
        ("train_test_split", None, "split"),
        ("grp", None, "group"),
        ("lable", None, "label"),
        ("age", None, None),
        *((word, "group", None) for word in ("pid", "subj", "case_id", "MRN", "donor")),
        *((word, "group", None) for word in ("scene", "slide_id", "video", "userId")),
        ("participant_id", "group", "group"),
        *((word, "group", None) for word in ("patient_number", "donor_name", "CaseNumber")),
        ("particpant", None, "group"),
        *((word, None, None) for word in ("id", "class_id", "image_id", "case", "sex")),
        ("remark", None, None),
    ],
)
def test_columns(word, meaning, nearest):
    assert COLUMNS.meaning(word) == meaning
    assert COLUMNS.nearest(word) == nearest


def test_values_of_any_length_fit_a_message():
    assert quote("abc") == "'abc'"
    assert len(quote("x" * 10**6)) <= 60
    assert "\n" not in quote("a\nb")
    assert len(str(SPLITS.refuse("tra" * 10**4, "here"))) < 200
