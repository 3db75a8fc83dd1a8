"""What a recipe cannot do with a network, and what it can do though it is hardly meant."""

from collections.abc import Iterable, Iterator

from hybrid_swin.errors import InputError
from hybrid_swin.spec.augmentation_checks import check_augmentations
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant

_FEW_STEPS = 4  # an epoch; fewer are hardly meant


def check_fit(variant: Variant, recipe: Recipe) -> None:
    """Raise InputError where the recipe cannot train this network as it says.

    A random shift or crop must leave something of the image, and the warm-up must end with the
    training; the default warm-up may be longer than a very short training, which then is all
    warm-up.
    """
    side = min(variant.image_size)
    if recipe.shift >= side:
        raise InputError(
            f"recipe.shift {recipe.shift} moves images of {side} pixels out of sight; give less "
            f"than {side}"
        )
    if recipe.test_image_size is not None and len(set(variant.image_size)) > 1:
        raise InputError(
            f"recipe.test_image_size {recipe.test_image_size} is the side of a square, and "
            f"image_size {list(variant.image_size)} is none; leave it out"
        )
    if recipe.freeze > len(variant.stages):
        raise InputError(
            f"recipe.freeze {recipe.freeze} is more than the {len(variant.stages)} stages of the "
            f"network; give at most {len(variant.stages)}: then the last norm and the head train"
        )
    check_augmentations(variant, recipe)
    most = max(recipe.epochs, Recipe.warmup_epochs)
    if recipe.warmup_epochs > most and "warmup_epochs" not in recipe.unused:
        raise InputError(
            f"recipe.warmup_epochs {recipe.warmup_epochs:g} does not end within recipe.epochs "
            f"{recipe.epochs}; give at most {recipe.epochs}"
        )


def check_anew(recipe: Recipe) -> None:
    """Raise InputError for a recipe that speaks of weights from a file where none is given."""
    for name in ("freeze", "old_rate"):
        value = getattr(recipe, name)
        if value != getattr(Recipe, name):
            raise InputError(
                f"recipe.{name} {value} is about weights from a file, and none is given; give "
                f"--init FILE, or leave {name} out"
            )


def fit_notes(recipes: Iterable[Recipe], images: int | None) -> list[str]:
    """What recipes ask for that a training can do, and is hardly meant, a sentence each.

    ``images`` are those of an epoch, if known.
    """
    recipes = list(recipes)
    notes = (
        [] if images is None else [*_few_steps(recipes, images), *_slow_average(recipes, images)]
    )
    warmed = [recipe for recipe in recipes if "warmup_epochs" not in recipe.unused]
    if not warmed:
        return notes
    longest = max(warmed, key=lambda recipe: recipe.warmup_epochs / recipe.epochs)
    if longest.warmup_epochs >= longest.epochs:
        notes.append(
            f"recipe.warmup_epochs {longest.warmup_epochs:g} does not end before recipe.epochs "
            f"{longest.epochs}: the learning rate rises to the end and never falls"
        )
    return notes


def _few_steps(recipes: Iterable[Recipe], images: int) -> Iterator[str]:
    recipe = max(recipes, key=_images_of_a_step)
    at_once = _images_of_a_step(recipe)
    name = f"recipe.batch_size {recipe.batch_size}"
    if recipe.accumulate_batches > 1:
        name += (
            f" with accumulate_batches {recipe.accumulate_batches}, {at_once:,} images per step,"
        )
    if at_once > images:
        yield f"{name} is more than the {images} images of an epoch: each epoch is one step"
    elif at_once * _FEW_STEPS > images:
        steps = -(-images // at_once)
        yield f"{name} makes few steps of the {images} images of an epoch: {steps}"


def _slow_average(recipes: Iterable[Recipe], images: int) -> Iterator[str]:
    """An average over more steps than there are is still near the first weights at the end."""

    def steps(recipe: Recipe) -> int:
        return recipe.epochs * -(-images // _images_of_a_step(recipe))

    recipe = max(recipes, key=lambda recipe: 1 / (1 - recipe.ema) / steps(recipe))
    if (reach := 1 / (1 - recipe.ema)) > steps(recipe):
        share = recipe.ema ** steps(recipe)
        yield (
            f"recipe.ema {recipe.ema:g} averages over about {reach:,.0f} steps, and the training "
            f"has {steps(recipe):,}: {share:.0%} of the average would be the first weights"
        )


def _images_of_a_step(recipe: Recipe) -> int:
    return recipe.batch_size * recipe.accumulate_batches
