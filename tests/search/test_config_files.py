"""Which file a config's name means, and what is read from it."""

from pathlib import Path

import pytest

from hybrid_swin.errors import InputError
from search.config_files import find_config, read_config
from search.settings import DEFAULT_CONFIG


@pytest.mark.parametrize(
    "name", ["configs/search/digits.yaml", "search/digits.yaml", "digits.yaml"]
)
def test_bundled_configs_are_found_from_any_folder(name, tmp_path, monkeypatch):
    expected = Path(__file__).parents[2] / DEFAULT_CONFIG
    monkeypatch.chdir(tmp_path)
    assert find_config(name).resolve() == expected
    assert find_config(name.removesuffix(".yaml")).resolve() == expected


def test_a_file_of_ones_own_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits.yaml").write_text("trials: 77")
    assert find_config("digits.yaml") == Path("digits.yaml")
    assert read_config("digits.yaml") == {"trials": 77}


def test_a_bundled_config_is_read():
    assert read_config("digits")["name"] == "digits"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digit", "unknown config 'digit'"),
        ("/no/such.yaml", "unknown config '/no/such.yaml' (configs: "),
        ("", "--config '' is a folder; give a file in it"),
        ("/", "--config '/' is a folder; give a file in it"),
        ("~nobody_of_this_name/x.yaml", "cannot be read"),
        ("a" * 300, "cannot be read: "),
        ("a\0b", "unknown config"),
    ],
)
def test_a_config_that_is_not_there_is_refused(name, message):
    with pytest.raises(InputError) as error:
        read_config(name)
    assert message in str(error.value)
    assert ("search/digits.yaml" in str(error.value)) is message.startswith("unknown")
