import json
import sys

import numpy as np
import pytest

from hybrid_swin.system.answer import answer_alone, print_json, print_text


@pytest.mark.parametrize(
    ("words", "alone"),
    [
        (["x", "--format", "json"], True),
        (["--format=csv", "x"], True),
        (["--format", "table"], False),
        (["--format", "onnx"], False),
        (["json", "--name", "format"], False),
        (["--format", "json", "--help"], False),
    ],
)
def test_only_the_answer_goes_to_standard_output(words, alone, capsys):
    with answer_alone(words):
        print("a note")
        print_text("the answer\n")
    out, err = capsys.readouterr()
    assert (out, err) == (("the answer\n", "a note\n") if alone else ("a note\nthe answer\n", ""))


def test_standard_output_is_given_back_after_an_error(capsys):
    before = sys.stdout
    with pytest.raises(ValueError, match="wrong"), answer_alone(["--format", "json"]):
        raise ValueError("wrong")
    assert sys.stdout is before
    print_text("later\n")
    assert capsys.readouterr().out == "later\n"


def test_numbers_are_plain_and_what_is_not_finite_is_null(capsys):
    print_json({"a": float("nan"), "b": np.float32(0.5), "c": [-float("inf"), 1], "d": (2,)}, True)
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    told = json.loads(line)
    assert told == {"schema_version": 1, "a": None, "b": 0.5, "c": [None, 1], "d": [2]}


def test_the_version_of_a_file_stays(capsys):
    print_json({"schema_version": 3})
    assert json.loads(capsys.readouterr().out) == {"schema_version": 3}
