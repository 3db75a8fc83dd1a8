"""What the guides show works as it stands there."""

import itertools
import json
import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from hybrid_swin.errors import InputError
from hybrid_swin.network.contract import CHECKS
from hybrid_swin.network.output_gates import GATES
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_presets import preset_names, read_preset
from hybrid_swin.training.train_images import TrainImages
from search.cli.main import main
from search.cli.options import WorkOptions
from search.execution.agents.agents import SILENT
from search.records.locking.shared_lock import STALE
from search.settings.study import StudySettings
from search.space.space import Space

DOCS = Path(__file__).parents[1] / "docs"
GUIDES = sorted(DOCS.glob("*.md"))


def blocks(guide):
    """Language and text of every listing, in order."""
    text = (DOCS / guide).read_text(encoding="utf-8")
    return re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)


def code(guide, language):
    return [text for found, text in blocks(guide) if found == language]


def run(source, names):
    exec(compile(source, "a guide", "exec"), names)  # noqa: S102  # our own page


@pytest.fixture
def axial(tmp_path, monkeypatch, clean_registry):
    """The files of the guide in a folder, and the folder entered."""
    monkeypatch.chdir(tmp_path)
    for name, text in zip(
        ("axial.py", "test_axial.py"), code("adding_a_branch.md", "python"), strict=True
    ):
        Path(name).write_text(text, encoding="utf-8")
    Path("axial.yaml").write_text(*code("adding_a_branch.md", "yaml"), encoding="utf-8")
    return registry.add_plugin("axial.py")


def sources(kind):
    """The rows of the table of branches, fusions or gates: the names and the rest of each."""
    text = (DOCS / "blocks.md").read_text(encoding="utf-8")
    table, _ = text.split(f"\n| {kind} |")[1].split("\n\n", 1)
    for row in table.splitlines()[2:]:
        _, names, *cells = row.split("|")
        yield re.findall(r"`(\w+)`", names), " ".join(cells)


def test_every_branch_says_when_to_try_it():
    assert sorted(itertools.chain(*(names for names, _ in sources("to try")))) == registry.names(
        "branch"
    )


@pytest.mark.parametrize("kind", ["branch", "fusion", "gate"])
def test_every_block_stands_in_the_table_of_sources(kind):
    named = itertools.chain(*(names for names, _ in sources(kind)))
    assert sorted(named) == sorted(GATES if kind == "gate" else registry.names(kind))


def table_of_presets():
    """Rows of Markdown: each field that a preset sets, its values, and its default."""
    presets = {name: read_preset(name) for name in ("quick", "small_images", "swin_imagenet")}
    assert sorted(presets) == preset_names()

    def cell(value):
        if isinstance(value, tuple | list):
            return ", ".join(f"`{word}`" for word in value) or "none"
        return str(value).lower() if value is None or isinstance(value, bool) else f"`{value}`"

    yield f"| value | {' | '.join(f'`{name}`' for name in presets)} | default |"
    yield "| --- |" + " --- |" * (len(presets) + 1)
    for field in fields(Recipe):
        if any(field.name in values for values in presets.values()):
            told = [cell(v[field.name]) if field.name in v else "" for v in presets.values()]
            default = cell(getattr(Recipe(), field.name))
            yield f"| `{field.name}` | {' | '.join(told)} | {default} |"


def test_the_values_of_presets_are_those_of_their_files():
    table = "\n".join(table_of_presets())
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    assert f"\n{table}\n" in page, f"write into docs/recipes.md:\n{table}"


def test_the_table_of_sources_names_options_that_exist():
    found = [
        f"{'conv+w_msa:' * (kind == 'fusion')}{names[0]}({options})"
        for kind in ("branch", "fusion")
        for names, rest in sources(kind)
        for options in re.findall(r"`(\w+=[^`]+)`", rest)
    ]
    assert "xca(qkv_bias=true)" in found
    assert "conv+w_msa:cross(norm=batch;padding=both)" in found
    for word in found:
        parse(word)


def test_axial_attention_is_what_its_slow_reference_says(axial):
    names = {}
    run(Path("test_axial.py").read_text(), names)
    test = names["test_against_the_slow_reference"]
    marks = [mark.args for mark in test.pytestmark]
    cases = list(itertools.product(*(values for _, values in marks)))
    assert len(cases) == 12
    for case in cases:
        given = {}
        for (arguments, _), value in zip(marks, case, strict=True):
            several = not isinstance(arguments, str)
            given |= dict(zip(arguments, value, strict=True)) if several else {arguments: value}
        test(**given)


@pytest.mark.parametrize(
    "word",
    [
        "axial(axes=rows)",
        "axial(axes=rows_columns)",
        "axial(axes=columns)+w_msa:gate",
        "axial+mdta:cross",
        "conv+axial:cross",
    ],
)
def test_axial_attention_keeps_the_contract_with_options_and_partners(axial, word):
    for check in CHECKS:
        check(word)


def test_the_study_of_axial_attention_is_one(axial, capsys):
    with pytest.raises(SystemExit) as end:
        main(["run", "--config", "axial.yaml", "--print_config"])
    assert not end.value.code
    content = yaml.safe_load(capsys.readouterr().out)
    space = Space(content["variant"], content["recipe"])
    assert [p.path for p in space.parameters] == ["stages.0.width", "stages.0.blocks"]
    variant, _ = space.resolve(space.default())
    assert variant.stages[0].blocks == ("axial",)


def test_the_guide_to_weights_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names, shown = {}, None
    for language, text in blocks("weights.md"):
        if language == "python":
            run(text, names)
            shown = capsys.readouterr().out
        elif language == "text":
            assert shown == text


def test_calls_of_timm_work_in_their_order():
    import torch

    names = {"images": torch.randn(1, 3, 96, 96)}
    run(code("timm.md", "python")[0], names)
    assert names["model"](torch.randn(1, 3, 128, 96)).shape == (1, 16, 12, 192)


def test_the_space_of_the_page_is_one_of_which_some_fits(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(code("searching.md", "yaml")[0])
    assert main(["space", str(tmp_path / "mine.yaml"), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [p["path"] for p in told["parameters"] if p["kind"] != "tie"] == [
        "stages.0.width",
        "stages.0.blocks",
        "recipe.learning_rate",
    ]
    assert 0.1 < told["fits"]["share"] < 0.9


def test_words_with_gaps_are_a_space():
    snippet = yaml.safe_load(
        next(b for b in code("searching.md", "yaml") if b.startswith("blocks"))
    )
    shell = {"image_size": 32, "in_channels": 3, "num_classes": 10, "patch_size": 2}
    stage = {"width": 32, "depth": 2, "num_heads": 4, **snippet}
    space = Space({**shell, "stages": [stage]}, {})
    paths = [p.path for p in space.parameters]
    assert paths == [f"stages.0.blocks.{end}" for end in ("0.mixer", "0.fusion", "1.kernel")]


def test_the_example_of_the_winner_runs():
    run(code("winner.md", "python")[0], {})


def test_the_numbers_of_the_page_on_clusters_are_the_program_s():
    page = " ".join((DOCS / "cluster.md").read_text(encoding="utf-8").split())
    settings = StudySettings()
    lookahead, patience = settings.sampler.lookahead, WorkOptions(study="runs/digits").patience
    for words in (
        f"`workers.checkpoint_seconds` ({settings.workers.checkpoint_seconds:g})",
        f"the default, {lookahead}, feeds {lookahead // 2}",
        f"the next start waits {STALE:g} seconds",
        f"silent for {SILENT:g} seconds",
        f"`--patience` minutes ({patience:g})",
        f"`--storage_wait_seconds {settings.storage_wait_seconds:g}` is the default",
    ):
        assert words in page


def test_the_augmentation_of_the_page_darkens(tmp_path, clean_registry):
    (tmp_path / "darken.py").write_text(code("augmentations.md", "python")[0], encoding="utf-8")
    registry.add_plugin(tmp_path / "darken.py")
    with pytest.raises(InputError, match=r"least=2 .* a number from 0 to 1"):
        Recipe(augmentations=("darken(least=2)",))
    images = torch.rand(4, 1, 8, 8)
    ready = TrainImages(Recipe(augmentations=("darken(least=0.7)",)), 1)
    ready.prepare(SimpleNamespace(mean=0.0, std=1.0))
    factors = ready(images, torch.zeros(4)).images / images
    assert 0.7 <= factors.min() and factors.max() < 1
    assert len(factors.amax((1, 2, 3)).unique()) == 4


def test_the_recipe_of_the_page_on_augmentations_is_one():
    snippet = yaml.safe_load(code("augmentations.md", "yaml")[0])
    recipe = Recipe.from_dict(snippet["recipe"])
    assert len(recipe.augmentation_parts) == 3 and recipe.mixes
