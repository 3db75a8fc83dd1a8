"""What is read from a YAML file, and what is refused."""

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.recipe import Recipe
from hybrid_swin.variant import Variant
from hybrid_swin.yaml_files import read_yaml


@pytest.fixture
def read(tmp_path):
    """Read a text as a file's."""

    def run(text):
        (tmp_path / "mine.yaml").write_text(text)
        return read_yaml(tmp_path / "mine.yaml", "config 'mine.yaml'")

    return run


def test_numbers_are_those_of_yaml_1_2_and_dates_are_text(read):
    assert read("a: 1e-4\nb: 2024-05-01\nc: .5E3") == {"a": 1e-4, "b": "2024-05-01", "c": 500.0}


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


@pytest.mark.parametrize("kind", [Variant, Recipe])
def test_files_of_variants_and_recipes_are_read_alike(kind, tmp_path):
    (tmp_path / "mine.yaml").write_text("epochs: 3\nepochs: 4")
    with pytest.raises(InputError, match=r"mine\.yaml': 'epochs' is given twice, in lines 1 and 2"):
        kind.from_yaml(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("epochs: [3")
    with pytest.raises(InputError, match=r"mine\.yaml' is no YAML in line 1, column 11") as error:
        kind.from_yaml(tmp_path / "mine.yaml")
    assert "\n" not in str(error.value)
