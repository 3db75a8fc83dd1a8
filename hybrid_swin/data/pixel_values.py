"""Whether images hold the pixel values that a recipe's augmentations and ``data.mean`` expect."""

from collections.abc import Iterable

from hybrid_swin.data.pixels import extremes
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.recipe import Recipe

_FARTHEST = 20.0  # standard deviations; ImageNet's black is 2 from the mean, its white 3


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


def check_scale(data: object, settings: DataSettings) -> None:
    """Refuse images that a given mean and standard deviation cannot be those of.

    Published weights know values from 0 to 1. Floating point numbers from 0 to 255 would come to
    them a thousand times too large, and the training would only look hard.

    Args:
        data: loaded images; a module of the user's is not looked into.
        settings: hold ``mean`` and ``std``, if they are given.

    Raises:
        InputError: values of the train split lie farther from the mean than any image's would.
    """
    images, splits = getattr(data, "images", None), getattr(data, "splits", None)
    pixels, train = getattr(images, "images", None), getattr(splits, "train", None)
    if settings.mean is None or pixels is None or train is None or pixels.dtype.kind != "f":
        return
    ((low, high),) = extremes(pixels, [train])
    std = min(settings.std or (1.0,))
    if max(high - min(settings.mean), max(settings.mean) - low) > _FARTHEST * std:
        raise InputError(
            f"data.mean {[*settings.mean]} and data.std {[*(settings.std or ())]} do not fit train "
            f"images that hold {low:g} to {high:g}; give the data option value_range: "
            f"[{low:g}, {high:g}], the images' own mean and std, or init.normalise images"
        )
