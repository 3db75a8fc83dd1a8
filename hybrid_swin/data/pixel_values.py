"""Whether images hold the pixel values that the augmentations of a recipe work on."""

from collections.abc import Iterable

from hybrid_swin.data.pixels import extremes
from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.recipe import Recipe


def needs_values(recipe: Recipe) -> str | None:
    """The first augmentation that works on values from 0 to 1, by its name; None if none does."""
    for part in recipe.augmentation_parts:
        if registry.describe("augmentation", part.name).constants.get("needs_values"):
            return part.name
    return None


def check_values(data: object, recipes: Iterable[Recipe]) -> None:
    """Refuse values below 0 or above 1 where a recipe needs others.

    ``data`` are ours, loaded or as a data module; a module of the user's is not looked into.

    Raises:
        InputError: there are such values in the train split.
    """
    name = next(filter(None, map(needs_values, recipes)), None)
    images, splits = getattr(data, "images", None), getattr(data, "splits", None)
    pixels, train = getattr(images, "images", None), getattr(splits, "train", None)
    if name is None or pixels is None or train is None or pixels.dtype.kind != "f":
        return
    ((low, high),) = extremes(pixels, [train])
    if low < 0 or high > 1:
        raise InputError(
            f"augmentation {name} works on pixel values from 0 to 1, and the train images hold "
            f"{low:g} to {high:g}; give the data option value_range: [{low:g}, {high:g}], or leave "
            f"{name} out"
        )
