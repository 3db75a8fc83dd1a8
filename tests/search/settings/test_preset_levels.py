"""Presets as levels of factors, in arms and in baselines, beside a recipe that counts first."""

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe_presets import read_preset
from search.launch.comparison import check, notes_of
from search.settings.comparison import ArmSettings, ComparisonSettings
from search.settings.preset_levels import preset_notes
from search.settings.study import BaselineSettings, StudySettings
from search.space.space import Space

STAGE = {"width": 8, "depth": 1, "num_heads": 1, "blocks": ["w_msa"]}
VARIANT = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2, "stages": [STAGE]}
BOTH = {"recipe.preset": ["quick", "small_images"]}


def comparison(recipe, factors=BOTH, **others):
    arms = (ArmSettings(), ArmSettings(add="conv"))
    others = {"arms": arms} | others
    return ComparisonSettings(variant=VARIANT, recipe=recipe, factors=factors, **others)


def test_each_level_has_its_presets_values_but_those_of_the_recipe(tmp_path):
    settings = comparison({"epochs": 12, "flip": "none"}, folder=str(tmp_path))
    plan, _ = check(settings)
    recipes = {entry.cell.name: entry.recipes[0] for entry in plan.entries}
    assert {recipe.epochs for recipe in recipes.values()} == {12}
    assert recipes["preset=quick"].weight_init == "lecun_normal"
    assert recipes["preset=small_images"].cutmix == 1
    notes = [note for note in notes_of(plan) if note.startswith("recipe.preset")]
    assert notes == [
        "recipe.preset quick: what recipe gives counts first: epochs 12 (not 10)",
        "recipe.preset small_images: what recipe gives counts first: epochs 12 (not 100), "
        "flip none (not horizontal)",
    ]


def test_a_preset_that_gives_nothing_is_refused(tmp_path):
    everything = read_preset("quick")
    with pytest.raises(InputError, match="'quick' changes nothing: recipe gives each of its val"):
        check(comparison(everything, folder=str(tmp_path)))
    space = Space(VARIANT, {name: v for name, v in everything.items() if name != "epochs"})
    assert space.resolve({}, {"recipe.preset": "quick"})[1].epochs == 10
    with pytest.raises(InputError, match="'quick' changes nothing"):
        space.resolve({}, {"recipe.preset": "quick", "recipe.epochs": 3})


@pytest.mark.parametrize("factors", [BOTH, {"recipe": [{"recipe.preset": "small_images"}]}])
def test_presets_of_levels_and_of_the_recipe_are_not_mixed(factors):
    with pytest.raises(InputError, match="recipe names preset 'quick', whose values would count"):
        comparison({"preset": "quick"}, factors)


def test_arms_and_baselines_alike():
    arm = ArmSettings(label="longer", set={"recipe.preset": "small_images"})
    baseline = BaselineSettings(set={"recipe.preset": "small_images"})
    for make in (
        lambda recipe: comparison(recipe, {}, arms=(ArmSettings(), arm)),
        lambda recipe: StudySettings(variant=VARIANT, recipe=recipe, baselines=(baseline,)),
    ):
        with pytest.raises(InputError, match=r"before those of recipe\.preset 'small_im"):
            make({"preset": "quick"})
        settings = make({"epochs": 12})
        assert len(preset_notes(settings.recipe, settings.changes)) == 1
