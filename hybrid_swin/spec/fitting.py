"""What a network and a recipe must agree on before anything is trained."""

from collections.abc import Iterable

from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant


def check_fit(variant: Variant, recipe: Recipe) -> None:
    """Raise InputError where the recipe cannot train this network as it says.

    A random shift must leave something of the image, and the warm-up must end with the training;
    the default warm-up may be longer than a very short training, which then is all warm-up.
    """
    side = min(variant.image_size)
    if recipe.shift >= side:
        raise InputError(
            f"recipe.shift {recipe.shift} moves images of {side} pixels out of sight; give less "
            f"than {side}"
        )
    most = max(recipe.epochs, Recipe.warmup_epochs)
    if recipe.warmup_epochs > most:
        raise InputError(
            f"recipe.warmup_epochs {recipe.warmup_epochs:g} does not end within recipe.epochs "
            f"{recipe.epochs}; give at most {most:g}"
        )


def fit_notes(recipes: Iterable[Recipe], images: int | None) -> list[str]:
    """What recipes ask for that a training can do, and is hardly meant, a sentence each.

    Args:
        recipes: at least one; the furthest of them is told of.
        images: of an epoch; None where they are not known.
    """
    recipes, notes = list(recipes), []
    batch = max(recipe.batch_size for recipe in recipes)
    if images is not None and batch > images:
        notes.append(
            f"recipe.batch_size {batch} is more than the {images} images of an epoch: each epoch "
            "is one step"
        )
    longest = max(recipes, key=lambda recipe: recipe.warmup_epochs / recipe.epochs)
    if longest.warmup_epochs >= longest.epochs:
        notes.append(
            f"recipe.warmup_epochs {longest.warmup_epochs:g} does not end before recipe.epochs "
            f"{longest.epochs}: the learning rate rises to the end and never falls"
        )
    return notes
