"""Presets: found by name, with other values beside them, and swin_imagenet's against its source."""

import json

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_presets import preset_names, read_preset
from hybrid_swin.spec.run_reference import with_runs


@pytest.mark.parametrize("name", preset_names())
def test_each_is_a_recipe_with_its_sources(name):
    recipe = Recipe.from_preset(name)
    assert recipe == Recipe.from_dict(read_preset(name)) != Recipe()
    assert Recipe.from_dict(recipe.to_dict()).id == recipe.id


def test_what_stands_beside_a_preset_counts_first():
    recipe = Recipe.from_dict({"epochs": 30, "preset": "swin_imagenet", "optimizer": "lion"})
    assert (recipe.epochs, recipe.optimizer, recipe.drop_path) == (30, "lion", 0.2)
    assert "preset" not in recipe.to_dict()
    assert recipe == Recipe.from_preset("swin_imagenet", epochs=30, optimizer="lion")


def test_a_preset_behind_the_option_of_a_command():
    named = json.dumps({"preset": "quick"})
    for words in (["--recipe", "quick"], ["--recipe.preset", "quick"], ["--recipe.preset=quick"]):
        assert with_runs(words) == ["--recipe", named]
    assert with_runs(["--recipe=quick"]) == [f"--recipe={named}"]
    assert with_runs(["--recipe", "quick.yaml"]) == ["--recipe", "quick.yaml"]
    with pytest.raises(InputError, match="unknown recipe preset 'quik'; did you mean 'quick'"):
        with_runs(["--recipe", "quik"])


@pytest.mark.parametrize("name", ["swin_imagnet", None, ["quick"], {"choose": ["quick"]}])
def test_refuses_another_name(name):
    with pytest.raises(InputError, match=r"unknown recipe preset .*small_images"):
        Recipe.from_dict({"preset": name})


def test_swin_imagenet_is_the_authors():
    """Of config.py; rates times 2, for 1,024 images instead of 512; clipped as the code does."""
    recipe = Recipe.from_preset("swin_imagenet")
    rates = recipe.learning_rate, recipe.warmup_learning_rate, recipe.min_learning_rate
    assert rates == pytest.approx((2 * 5e-4, 2 * 5e-7, 2 * 5e-6))
    assert (recipe.epochs, recipe.batch_size, recipe.warmup_epochs) == (300, 1024, 20)
    assert (recipe.weight_decay, recipe.gradient_clip, recipe.drop_path) == (0.05, 5, 0.2)
    mixing = recipe.mixup, recipe.cutmix, recipe.mix_probability, recipe.mix_switch_probability
    assert mixing == (0.8, 1.0, 1.0, 0.5) and recipe.label_smoothing == 0.1
    assert (recipe.ema, recipe.layer_decay, recipe.repeats) == (0, 1, 1)
    crop, rand, erase = recipe.augmentation_parts
    assert crop.kwargs == {
        "scale": (0.08, 1.0), "ratio": (0.75, 1.3333), "interpolation": "bicubic",
    }  # fmt: skip
    assert rand.kwargs == {"magnitude": 9.0, "magnitude_std": 0.5, "increasing": True}
    assert erase.kwargs == {"probability": 0.25, "mode": "pixel", "count": 1}
    assert recipe.optimizer_part.kwargs == {"beta1": 0.9, "beta2": 0.999}
