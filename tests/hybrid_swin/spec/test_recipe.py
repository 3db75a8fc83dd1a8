"""Recipes: validation, identity, round trip."""

import subprocess
import sys
from dataclasses import fields

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.recipe import Recipe, with_defaults
from hybrid_swin.training.optimization import learning_rate


def test_round_trips_through_dict_and_yaml(tmp_path):
    recipe = Recipe(epochs=3, learning_rate=2e-4, class_weights="balanced", flip="horizontal")
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe.to_yaml())
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert Recipe.from_yaml(file) == recipe
    assert Recipe.from_yaml(file).id == recipe.id


def test_an_empty_file_is_the_default_recipe(tmp_path):
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert Recipe.from_yaml(tmp_path / "empty.yaml") == Recipe()


def test_reads_the_number_that_yaml_takes_for_text(tmp_path):
    (tmp_path / "recipe.yaml").write_text("learning_rate: 1e-3\n")
    assert Recipe.from_yaml(tmp_path / "recipe.yaml").learning_rate == 0.001


def test_id_does_not_depend_on_how_a_number_is_written():
    written = [Recipe(warmup_epochs=2), Recipe(warmup_epochs=2.0), Recipe(epochs=30.0)]
    assert len({recipe.id for recipe in written}) == 1
    assert len({*written}) == 1
    assert written[2].epochs == 30 and isinstance(written[2].epochs, int)
    assert len(Recipe().id) == 10 and int(Recipe().id, 16) >= 0


def test_fields_that_came_later_leave_ids_and_files_as_they_were():
    other = {"class_weights": "balanced", "flip": "horizontal", "zero_init_residual": False}
    assert Recipe().id == "f37f156592"
    assert Recipe(epochs=3, learning_rate=2e-4, **other).id == "2b7af93465"
    assert [*Recipe().to_dict()][-1] == "zero_init_residual"
    assert [*Recipe(ema=0.9).to_dict()][-1] == "ema"
    assert {*with_defaults({})} | {*Recipe().to_dict()} == {f.name for f in fields(Recipe)}


def test_words_count_by_what_they_mean():
    plain = Recipe(optimizer="adamw(beta2=0.999; beta1=0.9)", schedule=" cosine ")
    assert plain.id == Recipe().id and plain.to_dict()["optimizer"] == plain.optimizer
    other = Recipe(optimizer="adamw(beta2=0.99)")
    assert other.id != Recipe().id == Recipe(optimizer="adamw(beta2=0.9990)").id
    assert other.optimizer_part.kwargs == {"beta2": 0.99}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": "adamv"}, "unknown optimizer 'adamv'; did you mean 'adamw'"),
        ({"optimizer": "adamw(beta=1)"}, "option of adamw 'beta'"),
        ({"optimizer": None}, "optimizer must be a name"),
        ({"schedule": "cosine("}, "schedule must be a name"),
        ({"augmentations": "randaugment"}, r"augmentations must be a list of names, such as"),
        ({"augmentations": [1]}, "augmentations must be a name"),
        ({"test_image_size": 0}, "test_image_size must be a whole number"),
    ],
)
def test_refuses_a_part_that_is_none(given, message):
    with pytest.raises(InputError, match=message):
        Recipe.from_dict(given)


def test_a_plug_in_counts_by_its_source(tmp_path):
    file = tmp_path / "half.py"
    body = "class Half(Schedule):\n    unused = {}\n    def __init__(self, at: float = 0.5): ...\n"
    ids = set()
    for unused in ('("min_learning_rate",)', "()", '("epochs",)'):
        file.write_text(body.format(unused))
        registry.add_plugin(file)
        try:
            if "epochs" in unused:
                with pytest.raises(InputError, match="schedule half: unused names 'epochs'"):
                    Recipe(schedule="half")
                continue
            recipe = Recipe(schedule="half(at=0.3)")
            ids |= {recipe.id, Recipe(schedule="half(at=0.3)", min_learning_rate=0).id}
            assert ("min_learning_rate" in recipe.unused) == (unused != "()")
        finally:
            registry.forget_plugin(file)
    assert len(ids) == 3


def test_values_beside_which_others_change_nothing():
    idle = {"mix_probability": 0.3, "mix_switch_probability": 0.3}
    assert Recipe(**idle).id == Recipe(mixup=1, mix_probability=0).id == Recipe().id
    assert Recipe(mixup=0.8, mix_switch_probability=0.3).id == Recipe(mixup=0.8).id
    ids = {
        Recipe(mixup=0.8, cutmix=1, **more).id
        for more in ({}, *({name: value} for name, value in idle.items()))
    }
    assert len(ids) == 3


def test_id_depends_on_every_field():
    other = {
        "epochs": 31,
        "batch_size": 65,
        "learning_rate": 2e-3,
        "weight_decay": 0.06,
        "warmup_epochs": 3,
        "warmup_learning_rate": 1e-6,
        "min_learning_rate": 0,
        "label_smoothing": 0,
        "gradient_clip": 0,
        "drop_path": 0.1,
        "class_weights": "balanced",
        "shift": 1,
        "flip": "horizontal",
        "precision": "32-true",
        "weight_init": "lecun_normal",
        "zero_init_residual": False,
        "optimizer": "adamw(eps=1e-7)",
        "layer_decay": 0.9,
        "ema": 0.9,
        "accumulate_batches": 2,
        "early_stopping": 3,
        "mixup": 0.2,
        "cutmix": 0.2,
        "repeats": 2,
        "sampling": "balanced",
        "test_image_size": 32,
        "freeze": 2,
        "old_rate": 0.1,
    }
    # The others count beside these (above), or name parts.
    others = {"schedule", "augmentations", "mix_probability", "mix_switch_probability"}
    assert {*other} | others == {field.name for field in fields(Recipe)}
    ids = {Recipe.from_dict({name: value}).id for name, value in other.items()}
    assert len(ids | {Recipe().id}) == len(other) + 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", 2.5),
        ("epochs", True),
        ("epochs", None),
        ("batch_size", -1),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("learning_rate", "fast"),
        ("weight_decay", -0.1),
        ("weight_decay", float("inf")),
        ("warmup_epochs", -1),
        ("warmup_learning_rate", -1e-9),
        ("min_learning_rate", -1e-9),
        ("label_smoothing", 1),
        ("gradient_clip", -1),
        ("drop_path", 1.0),
        ("shift", -1),
        ("zero_init_residual", 0),
        ("zero_init_residual", "no"),
        ("shift", 0.5),
        ("class_weights", "equal"),
        ("sampling", "equal"),
        ("flip", "vertical"),
        ("flip", False),
        ("precision", "16"),
    ],
)
def test_refuses_what_cannot_be_and_names_field_and_value(name, value):
    with pytest.raises(InputError) as error:
        Recipe.from_dict({name: value})
    assert str(error.value).startswith(f"{name} must be ")
    assert repr(value) in str(error.value)


@pytest.mark.parametrize("name", ["min_learning_rate", "warmup_learning_rate"])
def test_refuses_an_end_or_a_start_above_the_peak(name):
    with pytest.raises(InputError, match=rf"{name} 0\.1 is above learning_rate 0\.01"):
        Recipe.from_dict({"learning_rate": 0.01, name: 0.1})


@pytest.mark.parametrize(
    ("fields", "name", "told"),
    [
        ({"min_learning_rate": 0}, "warmup", "5e-07 (the default) is above learning_rate 4e-07"),
        ({"min_learning_rate": 0}, "warmup", "at most 4e-07, or warmup_epochs to 0"),
        ({"warmup_epochs": 0}, "min", "1e-06 (the default) is above learning_rate 4e-07; set min"),
        ({"warmup_learning_rate": 1, "min_learning_rate": 0}, "warmup", "rate 1 is above"),
    ],
)
def test_says_that_a_start_or_an_end_above_the_peak_is_the_default(fields, name, told):
    with pytest.raises(InputError) as error:
        Recipe.from_dict({"learning_rate": 4e-7} | fields)
    assert str(error.value).startswith(f"{name}_learning_rate ") and told in str(error.value)


@pytest.mark.parametrize(
    ("fields", "idle"),
    [
        ({"warmup_epochs": 0, "min_learning_rate": 0}, "warmup_learning_rate"),
        ({"warmup_epochs": 30, "warmup_learning_rate": 0}, "min_learning_rate"),
    ],
)
def test_a_rate_that_no_step_has_matters_nowhere(fields, idle):
    recipe = Recipe.from_dict({"learning_rate": 4e-7} | fields)
    other = Recipe.from_dict(recipe.to_dict() | {idle: 1e-7})
    assert other.id == recipe.id
    rates = [[learning_rate(step, r, 2) for step in range(60)] for r in (recipe, other)]
    assert rates[0] == rates[1]


@pytest.mark.parametrize("name", ["min_learning_rate", "warmup_learning_rate"])
def test_a_rate_that_some_step_has_counts(name):
    assert Recipe(**{name: 1e-7}).id != Recipe().id


def test_suggests_the_field_that_was_meant():
    with pytest.raises(InputError, match="'learning_rat'; did you mean 'learning_rate'"):
        Recipe.from_dict({"learning_rat": 1e-3})


def test_refuses_what_is_no_mapping_and_what_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="a recipe is a mapping"):
        Recipe.from_dict([1])
    (tmp_path / "broken.yaml").write_text("epochs: [")
    for name in ("broken.yaml", "missing.yaml"):
        with pytest.raises(InputError, match=name):
            Recipe.from_yaml(tmp_path / name)


def test_importing_it_does_not_import_torch():
    code = "import sys, hybrid_swin.spec.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("recipe", "allowed"),
    [
        ({"augmentations": ["rand_augment(magnitude=11)"]}, "magnitude=11 .* from 0 to 10"),
        ({"augmentations": ["rand_augment(layers=0)"]}, "a whole number from 1 to 15"),
        ({"augmentations": ["random_resized_crop(scale=0-1)"]}, "two numbers from 0.0001 to 1"),
        ({"augmentations": ["random_erasing(probability=1.5)"]}, "a number from 0 to 1"),
        ({"optimizer": "adamw(beta2=1)"}, "beta2=1 .* from 0 to 0.99999"),
        ({"optimizer": "adamw(eps=0)"}, "eps=0 .* from 1e-15 to 1"),
        ({"optimizer": "lion(beta1=-0.1)"}, "from 0 to 0.99999"),
        ({"optimizer": "muon(momentum=1)"}, "from 0 to 0.99999"),
        ({"schedule": "one_cycle(pct_start=1)"}, "from 0 to 0.99999"),
        ({"schedule": "one_cycle(div_factor=0.9)"}, "a number from 1 to"),
    ],
)
def test_options_of_parts_have_limits_that_hold_before_any_training(recipe, allowed):
    with pytest.raises(InputError, match=allowed):
        Recipe(**recipe)


def test_ranges_at_their_default_do_not_count():
    same = Recipe(augmentations=["random_resized_crop(scale=0.08-1;ratio=0.75-1.3333)"])
    assert same.id == Recipe(augmentations=["random_resized_crop"]).id
    other = Recipe(augmentations=["random_resized_crop(scale=0.5-1)"])
    assert other.id != same.id and Recipe.from_dict(other.to_dict()) == other


def test_small_classes_are_made_up_for_once():
    with pytest.raises(InputError, match="together they do it twice; choose one"):
        Recipe(sampling="balanced", class_weights="balanced")
