"""A file of another kind than the command takes is named for what it is."""

from pathlib import Path

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec.variant import Variant
from search.cli.main import main
from search.settings.comparison import ComparisonSettings
from search.settings.kinds import check_kind, kind_of, read_variant
from search.settings.study import StudySettings

STUDY = "describes a study, for {} is not a setting of a {}; `space FILE` looks at it"
COMPARISON = "describes a comparison, for {} is not a setting of a {}; `compare --config FILE` runs"
VARIANT = "describes a variant, for {} is not a setting of a {}; `cost FILE` says"


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        ("run --config", "name: a\narms: [{}]", COMPARISON.format("'arms'", "study")),
        ("space", "seeds: 3\narms: [{}]", COMPARISON.format("'seeds'", "study")),
        ("compare --config", "trials: 3", STUDY.format("'trials'", "comparison")),
        ("cost", "name: a\ntrials: 3", STUDY.format("'name'", "variant")),
        ("inspect", "data: {}\nvariant: {}", STUDY.format("'data'", "variant")),
        ("cost", "arms: []\nvariant: {}", COMPARISON.format("'arms'", "variant")),
        ("run --config", "stages: []", VARIANT.format("'stages'", "study")),
    ],
)
def test_the_message_says_what_the_file_is_and_what_to_do(
    tmp_path, monkeypatch, capsys, line, text, message
):
    monkeypatch.chdir(tmp_path)  # a long path is cut in its middle
    path = Path("mine.yaml")
    path.write_text(text)
    assert main([*line.split(), str(path)]) == 2
    error = capsys.readouterr().err
    assert message.replace("FILE", str(path)) in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        (StudySettings, ["name", "trials", "sampler", "arms"]),  # one slip makes no comparison
        (StudySettings, ["trials", "seeds"]),
        (StudySettings, ["nothing", None, 3]),
        (StudySettings, []),
        (ComparisonSettings, ["name", "data"]),
        (Variant, ["stages", "name"]),
    ],
)
def test_a_file_is_of_the_wanted_kind_unless_another_has_more_of_its_keys(settings, keys):
    check_kind(keys, kind_of(settings), "mine.yaml", "config")


def test_a_variant_is_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("stages: [{width: 8, depth: 1, num_heads: 2, blocks: [conv]}]")
    assert read_variant(str(path)) == Variant.from_yaml(path)
    path.write_text("3")
    with pytest.raises(InputError, match="a variant is a mapping"):
        read_variant(str(path))
