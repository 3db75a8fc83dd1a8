"""What the README shows works as it stands there."""

import json
import re
from pathlib import Path

import pytest
import yaml

from hybrid_swin.network.contract import CHECKS, words_with
from hybrid_swin.spec import registry
from search.cli.main import main
from search.launch.study import check
from search.settings.config_files import find_config
from search.settings.reading import read_config_as
from search.settings.study import StudySettings
from search.space.space import Space

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


def test_the_space_is_one_of_which_some_fits(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(next(b for b in code("yaml") if "budget:" in b))
    assert main(["space", str(tmp_path / "mine.yaml"), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [p["path"] for p in told["parameters"] if p["kind"] != "tie"] == [
        "stages.0.width",
        "stages.0.blocks",
        "recipe.learning_rate",
    ]
    assert 0.1 < told["fits"]["share"] < 0.9


def test_the_search_goes_together(tmp_path):
    search = yaml.safe_load(next(block for block in code("yaml") if "trials: 60" in block))
    for name in ("digits.yaml", "images.yaml"):
        plain = yaml.safe_load(find_config(f"configs/search/{name}").read_text())
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(plain | search))
        check(read_config_as(str(tmp_path / "mine.yaml"), StudySettings))


def test_the_study_of_images_is_one():
    check(read_config_as("images.yaml", StudySettings))


def test_words_with_gaps_are_a_space():
    snippet = yaml.safe_load(next(block for block in code("yaml") if "word:" in block))
    shell = {"image_size": 32, "in_channels": 3, "num_classes": 10, "patch_size": 2}
    stage = {"width": 32, "depth": 2, "num_heads": 4, **snippet}
    space = Space({**shell, "stages": [stage]}, {})
    paths = [p.path for p in space.parameters]
    assert paths == [f"stages.0.blocks.{end}" for end in ("0.mixer", "0.fusion", "1.kernel")]


def test_python_example_runs():
    source = next(block for block in code("python") if "create_model" in block)
    names = {}
    exec(compile(source, "README.md", "exec"), names)  # noqa: S102  # our own page
    assert names["model"].num_classes == 10


def test_files_and_configs_exist():
    root = Path(__file__).parents[1]
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (root / path).exists(), path
    assert find_config("configs/search/digits.yaml").is_file()


@pytest.mark.parametrize("command", re.findall(r"python search\.py ([a-z]+)", README))
def test_commands_exist(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert not end.value.code
    assert capsys.readouterr().out


def test_the_commands_for_a_block_of_ones_own_run(tmp_path, capsys, clean_registry):
    source = next(block for block in code("python") if "class Blur(Branch)" in block)
    (tmp_path / "blur.py").write_text(source)
    plugin = str(tmp_path / "blur.py")
    assert main(["blocks", "--plugin", plugin, "--check"]) == 0
    assert "fails" not in capsys.readouterr().out
    assert main(["blocks", "--plugin", plugin]) == 0
    assert "blur (plug-in)" in capsys.readouterr().out
    assert main(["cost", "blur+w_msa", "--plugin", plugin]) == 0
