"""What the README shows works as it stands there."""

import re
from pathlib import Path

import pytest

from hybrid_swin.network.contract import CHECKS, words_with
from hybrid_swin.spec import registry
from search.cli.main import main
from search.launch.study import check
from search.settings.reading import read_config_as
from search.settings.study import StudySettings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def code(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_block_of_ones_own_keeps_the_contract(tmp_path, clean_registry):
    source = next(block for block in code("python") if "class Blur(Branch)" in block)
    (tmp_path / "blur.py").write_text(source)
    entry = registry.add_plugin(tmp_path / "blur.py")
    assert (entry.kind, entry.name) == ("branch", "blur")
    for word in ("blur", "blur+w_msa", "blur(kernel=5)+w_msa:gate", *words_with("branch", "blur")):
        for keeps in CHECKS:
            keeps(word)


def test_the_study_of_images_is_one():
    check(read_config_as("images.yaml", StudySettings))


def test_python_example_runs():
    source = next(block for block in code("python") if "create_model" in block)
    names = {}
    exec(compile(source, "README.md", "exec"), names)  # noqa: S102  # our own page
    assert names["model"].num_classes == 10


@pytest.mark.parametrize("command", re.findall(r"python search\.py ([a-z]+)", README))
def test_commands_exist(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert not end.value.code
    assert capsys.readouterr().out
