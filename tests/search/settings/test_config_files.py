"""Which file a config's name means, and what is read from it."""

import os
from pathlib import Path

import pytest

from hybrid_swin.errors import InputError
from search.settings.config_files import find_config, read_config
from search.settings.study import DEFAULT_CONFIG


@pytest.mark.parametrize(
    "name", ["configs/search/digits.yaml", "search/digits.yaml", "digits.yaml"]
)
def test_bundled_configs_are_found_from_any_folder(name, tmp_path, monkeypatch):
    expected = Path(__file__).parents[3] / DEFAULT_CONFIG
    monkeypatch.chdir(tmp_path)
    assert find_config(name).resolve() == expected
    assert find_config(name.removesuffix(".yaml")).resolve() == expected


def test_a_file_of_ones_own_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits.yaml").write_text("trials: 77")
    assert find_config("digits.yaml") == Path("digits.yaml")
    assert read_config("digits.yaml") == {"trials": 77}


def test_a_file_beside_of_nearly_the_name_is_meant(tmp_path):
    (tmp_path / "tiny.yaml").write_text("trials: 7\n")
    for slip in ("tiny.yml", "tyni.yaml"):
        with pytest.raises(InputError) as error:
            read_config(str(tmp_path / slip))
        assert str(error.value).endswith(f"did you mean {str(tmp_path / 'tiny.yaml')!r}?")
    with pytest.raises(InputError, match="nor a bundled config"):
        read_config(str(tmp_path / "other.yaml"))


def test_what_is_no_file_is_not_offered_in_its_own_place(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "link.yaml").symlink_to("nowhere.yaml")
    for name, kind in (("pipe", "not a regular file"), ("link", "a link to what is not there")):
        with pytest.raises(InputError, match=rf"{name}.yaml' is {kind}; give a file$"):
            find_config(str(tmp_path / f"{name}.yaml"))
        with pytest.raises(InputError) as error:
            find_config(str(tmp_path / f"{name}s.yaml"))
        assert f"{name}.yaml" not in str(error.value)


def test_a_bundled_config_is_read():
    assert read_config("digits")["name"] == "digits"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "digit",
            "there is no file 'digit', nor a bundled config of that name; did you mean 'digits'?",
        ),
        ("no/such.yaml", "there is no file 'no/such.yaml', nor a bundled config of that name ("),
        ("/no/such.yaml", "there is no file '/no/such.yaml', nor a bundled"),
        ("", "--config '' is a folder; give a file in it"),
        ("/", "--config '/' is a folder; give a file in it"),
        ("~nobody_of_this_name/x.yaml", "cannot be read"),
        ("a" * 300, "cannot be read: "),
        ("a\0b", "there is no file 'a\\x00b'"),
    ],
)
def test_a_config_that_is_not_there_is_refused(name, message):
    with pytest.raises(InputError) as error:
        read_config(name)
    assert message in str(error.value)
    listed = "(configs: digits, everything, from_weights, images)" in str(error.value)
    assert listed is message.startswith("there is no")


def test_bundled_configs_of_the_wanted_kind_come_first_and_alone_are_listed():
    assert find_config("digits", "compare").parts[-2:] == ("compare", "digits.yaml")
    assert find_config("digits", "search").parts[-2:] == ("search", "digits.yaml")
    assert find_config("swin_t", "search").parts[-2:] == ("variants", "swin_t.yaml")
    with pytest.raises(InputError, match=r"\(configs: digits, halves, reach, reach_margin\)"):
        find_config("nothing", "compare")


@pytest.mark.parametrize("version", ["2", "0", "two", "true", "1.5"])
def test_settings_of_a_later_program_or_of_no_version_are_refused(version, tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(f"schema_version: {version}\ntrials: 3\n")
    with pytest.raises(InputError, match="schema_version"):
        read_config(str(file))
    file.write_text("schema_version: 1\ntrials: 3\n")
    assert read_config(str(file)) == {"trials": 3}
