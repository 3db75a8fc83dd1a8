"""What is read from a YAML file, and what is refused."""

import os

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.yaml_files import read_yaml


@pytest.fixture
def read(tmp_path):
    """Read a text as a file's."""

    def run(text):
        (tmp_path / "mine.yaml").write_text(text)
        return read_yaml(tmp_path / "mine.yaml", "config 'mine.yaml'")

    return run


def test_numbers_are_those_of_yaml_1_2_and_dates_are_text(read):
    read_as = {"a": 1e-4, "b": "2024-05-01", "c": 500.0, "d": -0.5}
    assert read("a: 1e-4\nb: 2024-05-01\nc: .5E3\nd: -.5") == read_as


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trials: 3\nseed: 1\ntrials: 9", "'trials' is given twice, in lines 1 and 3"),
        ("trials: 3\n'trials': 3", "'trials' is given twice, in lines 1 and 2"),
        ("sampler:\n  name: tpe\n  name: gp", "'name' is given twice, in lines 2 and 3"),
        ("stages:\n- {width: 8, width: 16}", "'width' is given twice, in line 2"),
        ("a: &a {x: 1, x: 2}\nb: {<<: *a}", "'x' is given twice, in line 1"),
        ("1: 2\n1: 3", "'1' is given twice, in lines 1 and 2"),
    ],
)
def test_a_key_given_twice_is_refused(read, text, said):
    with pytest.raises(InputError) as error:
        read(text)
    assert str(error.value) == f"config 'mine.yaml': {said}; keep one of them"


def test_the_same_key_may_stand_in_mappings_beside_and_within_one_another(read):
    assert read("a: {x: {x: 1}}\nb: {x: 2}") == {"a": {"x": {"x": 1}}, "b": {"x": 2}}


def test_a_merged_mapping_may_be_overridden(read):
    text = "a: &a {x: 1, y: 1}\nb: {<<: &b {<<: *a, y: 2}, x: 3}\nc: *b\nd: {<<: *a, <<: *b}"
    assert read(text) == {
        "a": {"x": 1, "y": 1},
        "b": {"x": 3, "y": 2},
        "c": {"x": 1, "y": 2},
        "d": {"x": 1, "y": 2},
    }


def test_what_is_made_of_a_text_belongs_to_who_asked(read):
    """The same text is parsed once; what one reader changes, the next does not see."""
    text = "a: &a {b: [1]}\nc: *a"
    first = read(text)
    first["a"]["b"].append(2)
    assert read(text) == {"a": {"b": [1]}, "c": {"b": [1]}}


@pytest.mark.parametrize("kind", [Variant, Recipe])
def test_files_of_variants_and_recipes_are_read_alike(kind, tmp_path):
    (tmp_path / "mine.yaml").write_text("epochs: 3\nepochs: 4")
    with pytest.raises(InputError, match=r"mine\.yaml': 'epochs' is given twice, in lines 1 and 2"):
        kind.from_yaml(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("epochs: [3")
    with pytest.raises(InputError, match=r"mine\.yaml' is not YAML in line 1, column 11") as error:
        kind.from_yaml(tmp_path / "mine.yaml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("word", "instead"),
    [
        ("010", "write 10"),
        ("-017", "write -17"),
        ("08", "write 8"),
        ("00", "write 0"),
        ("0o10", "write 8"),
        ("0x1F", "write 31"),
        ("0b11", "write 3"),
        ("1_000", "write 1000"),
        ("1_000.5", "write 1000.5"),
        ("1:30", "write '1:30' in quotes for a time, or 90 for that number"),
        (".inf", "write a finite number"),
        ("-.INF", "write a finite number"),
        (".nan", "write a finite number"),
        ("NO", "write false"),
        ("off", "write false"),
        ("Yes", "write true"),
        ("=", "write '=' in quotes"),
    ],
)
def test_what_programs_read_differently_is_refused_with_what_to_write(read, word, instead):
    for text in (f"a:\n  b: [x, {word}]", f"a: 1\n{word}: 3"):
        with pytest.raises(InputError) as error:
            read(text)
        assert f"line 2: programs read {word!r} differently; {instead}" in str(error.value)
    assert read(f"a: '{word}'\nb: !!str {word}") == {"a": word, "b": word}


def test_what_all_programs_read_alike_is_taken(read):
    text = "[0, -5, +5, 1.5, 01.5, 5., true, FALSE, null, ~, y, n, 1.2.3, 12e3]"
    values = [0, -5, 5, 1.5, 1.5, 5.0, True, False, None, None, "y", "n", "1.2.3", 12000.0]
    assert read(text) == values


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 11)
)
MERGED_BOMB = BOMB.replace("x", "{x: 1}").replace(" [", " {<<: [").replace("]", "]}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "it comes to more than 20,000 values"),
        (MERGED_BOMB, "it comes to more than 20,000 values"),
        ("- x\n" * 20_001, "it comes to more than 20,000 values"),
        ("[" * 100_000, "nested more than 50 deep"),
        ("- " * 60 + "x", "nested more than 50 deep"),
        ("a: &a [*a]", "repeats what it is itself a part of"),
        (f"a: '{'x' * 2**20}'", "larger than 1,048,576 bytes"),
        (f"a: {'9' * 101}", "is beyond any setting"),
        ("a: 1e999", "is beyond any setting"),
        ("a: !!binary aGk=", "leave it out"),
        ("a: !!set {b}", "leave it out"),
        ("a: !!python/name:os.system x", "leave it out"),
    ],
)
def test_files_that_would_cost_much_or_are_no_plain_values(read, text, said):
    with pytest.raises(InputError, match=said):
        read(text)


def test_json_is_read_as_strictly(tmp_path):
    file = tmp_path / "receipt.json"
    for text, said in (
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": -Infinity}', "-Infinity is not a number"),
        ('{"a": {"b": 1, "b": 2}}', "'b' is given twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 010}', "is not JSON"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=said):
            read_yaml(file, "config 'receipt.json'")
    file.write_text('{"a": "010", "b": 1e-4}')
    assert read_yaml(file, "config") == {"a": "010", "b": 1e-4}


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InputError, match="not a regular file"):
        read_yaml(tmp_path / "pipe.yaml", "config")
