"""A later file, the command line and a Python call change settings by one rule."""

import copy
import json
from dataclasses import replace

import pytest
import yaml

from hybrid_swin.__main__ import make_parser
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_presets import read_preset
from hybrid_swin.spec.run_reference import with_runs
from hybrid_swin.system.schema import build_settings
from hybrid_swin.training.options import FitOptions
from search.cli.commands import COMMANDS
from search.settings.given import resolve_settings
from search.settings.study import DEFAULT_CONFIG, StudySettings

BASE = {
    "recipe": {
        "epochs": 3,
        "batch_size": 64,
        "learning_rate": {"from": 0.1, "to": 0.2, "log": True},
    },
    "variant": {"patch_size": 2, "stages": [{"width": 8, "depth": 2}]},
    "data": {"source": "folder", "options": {"path": "a", "step": 2}, "split_seed": 4},
    "finalists": {"top": 2, "seeds": 4},
}
OWN = {"class_path": "my.Own", "init_args": {"a": 1, "b": {"c": 2}}, "split_seed": 4}
RATE = {"from": 0.3, "to": 0.4}
CHANGES = {  # the change; what becomes of the setting that it is in
    "a recipe": ({"recipe": {"epochs": 5}}, {**BASE["recipe"], "epochs": 5}),
    "a preset": (
        {"recipe": {"preset": "quick", "epochs": 5}},
        {"preset": "quick", "epochs": 5},
    ),
    "a list": (
        {"variant": {"stages": [{"width": 16}]}},
        {"patch_size": 2, "stages": [{"width": 16}]},
    ),
    "a range": ({"recipe": {"learning_rate": RATE}}, {**BASE["recipe"], "learning_rate": RATE}),
    "a choice": (
        {"recipe": {"epochs": {"choose": [1, 2]}}},
        {**BASE["recipe"], "epochs": {"choose": [1, 2]}},
    ),
    "an option": (
        {"data": {"options": {"step": 3}}},
        {**BASE["data"], "options": {"path": "a", "step": 3}},
    ),
    "the same source": ({"data": {"source": "folder"}}, BASE["data"]),
    "another source": ({"data": {"source": "digits"}}, {"source": "digits", "split_seed": 4}),
    "another with options": (
        {"data": {"source": "npz", "options": {"path": "b"}}},
        {"source": "npz", "split_seed": 4, "options": {"path": "b"}},
    ),
    "a module": (
        {"data": {"class_path": "my.Own", "init_args": {"a": 1}}},
        {"source": "folder", "class_path": "my.Own", "init_args": {"a": 1}, "split_seed": 4},
    ),
}
OF_OWN = {
    "an argument": ({"init_args": {"b": {"c": 3}}}, {**OWN, "init_args": {"a": 1, "b": {"c": 3}}}),
    "another module": ({"class_path": "my.Other"}, {"class_path": "my.Other", "split_seed": 4}),
    "a source": ({"source": "digits"}, {"source": "digits", "split_seed": 4}),
    "no module": ({"class_path": None}, {"class_path": None, "split_seed": 4}),
}


@pytest.fixture
def ways(tmp_path):
    """The settings of a base and a change, by the ways to give them."""

    def changed(base, change):
        files = []
        for name, content in (("base", base), ("over", change)):
            files.append(f"--config={tmp_path / name}.yaml")
            (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
        before = copy.deepcopy(base)
        ((setting, value),) = change.items()
        keyword, _ = resolve_settings(StudySettings, base, change, DEFAULT_CONFIG)
        assert base == before
        return [typed(*files), typed(files[0], f"--{setting}", json.dumps(value)), keyword]

    return changed


def typed(*words):
    return COMMANDS["run"].parse("run", words)[1]


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_mapping_changes_what_it_names(ways, change, expected):
    (setting,) = change
    wanted = build_settings(StudySettings, {**BASE, setting: expected})
    assert ways(BASE, change) == [wanted] * 3


@pytest.mark.parametrize(("change", "expected"), OF_OWN.values(), ids=OF_OWN)
def test_a_module_of_ones_own_is_left_with_its_arguments(ways, change, expected):
    wanted = build_settings(StudySettings, {"data": expected})
    assert ways({"data": OWN}, {"data": change}) == [wanted] * 3


def test_a_path_changes_one_part_of_a_value_of_the_space(tmp_path):
    file = tmp_path / "base.yaml"
    file.write_text(yaml.safe_dump(BASE))
    expected = {"from": 0.1, "to": 0.5, "log": True}
    assert typed(f"--config={file}", "--recipe.learning_rate.to=0.5").recipe["learning_rate"] == (
        expected
    )
    found, _ = resolve_settings(StudySettings, BASE, {"recipe.learning_rate.to": 0.5}, "digits")
    assert found.recipe["learning_rate"] == expected


@pytest.mark.parametrize("order", [1, -1])
def test_options_may_stand_before_their_source(tmp_path, order):
    file = tmp_path / "base.yaml"
    file.write_text(yaml.safe_dump(BASE))
    words = ["--data.options.path=b", "--data.source=npz"][::order]
    assert typed(f"--config={file}", *words).data.options == {"path": "b"}


@pytest.mark.parametrize("order", [1, -1])
def test_a_preset_replaces_the_recipe_of_files_and_not_what_is_typed_beside_it(tmp_path, order):
    file = tmp_path / "base.yaml"
    file.write_text(yaml.safe_dump(BASE | {"recipe": {"shift": 4, "epochs": 3}}))
    words = ["--recipe.preset=quick", "--recipe.batch_size=16"][::order]
    recipe = typed(f"--config={file}", *words).recipe
    assert recipe == read_preset("quick") | {"batch_size": 16}


def test_a_preset_replaces_the_recipe_that_fit_was_given_before_it(tmp_path):
    own, named = tmp_path / "own.yaml", tmp_path / "named.yaml"
    own.write_text(yaml.safe_dump({"shift": 4, "epochs": 3}))
    named.write_text(yaml.safe_dump({"preset": "quick", "epochs": 7}))

    def recipe(*words):
        words = with_runs(["--variant=swin_t", "--folder=x", *words])
        return make_parser("fit").build(FitOptions, words).recipe

    quick = Recipe.from_preset("quick")
    assert recipe(f"--recipe={own}", "--recipe", "quick") == quick
    assert recipe("--recipe.preset", "quick", f"--recipe={own}") == replace(
        quick, shift=4, epochs=3
    )
    assert recipe(f"--recipe={named}", "--recipe.shift=2") == replace(quick, epochs=7, shift=2)
    for order in (1, -1):
        words = ["--recipe=quick", "--recipe.batch_size=16"][::order]
        assert recipe(*words) == replace(quick, batch_size=16)


def test_fit_has_the_same_rule(tmp_path):
    for name in ("recipe", "data"):
        (tmp_path / f"{name}.yaml").write_text(
            yaml.safe_dump({"data": BASE["data"], "recipe": {"epochs": 3, "batch_size": 7}}[name])
        )
    words = ["--variant=swin_t", "--folder=x"]
    words += [f"--{name}={tmp_path / name}.yaml" for name in ("recipe", "data")]
    words += ["--recipe={epochs: 5}", "--data={source: npz, options: {path: b}}"]
    found = make_parser("fit").build(FitOptions, words)
    assert (found.recipe.epochs, found.recipe.batch_size) == (5, 7)
    assert (found.data.options, found.data.split_seed) == ({"path": "b"}, 4)


def test_a_mapping_of_nothing_changes_nothing_in_a_file(tmp_path):
    files = []
    for name, content in (("base", BASE), ("over", {"recipe": {}})):
        files.append(f"--config={tmp_path / name}.yaml")
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    assert typed(*files).recipe == BASE["recipe"]
