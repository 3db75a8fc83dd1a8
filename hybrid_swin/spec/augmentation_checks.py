"""What augmentations cannot do to images of a size, and what they do though it is hardly meant."""

import math
from collections.abc import Iterable
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.part_words import Part
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant

_FEWEST_PIXELS = 4  # a side of a crop; fewer hold no shape


def check_augmentations(variant: Variant, recipe: Recipe) -> None:
    """Raise InputError for a padding by which a crop may hold nothing of the image."""
    side = min(variant.image_size)
    for part in recipe.augmentation_parts:
        if part.name == "random_crop" and (padding := _option(part, "padding")) >= side:
            raise InputError(
                f"recipe.augmentations: {part} moves images of {side} pixels out of sight by its "
                f"padding of {padding}; give less than {side}"
            )


def augmentation_notes(variant: Variant, recipes: Iterable[Recipe]) -> list[str]:
    """What augmentations do to images of this variant though it is hardly meant.

    A sentence for each augmentation of which there is something to say, whatever its options.
    """
    notes: dict[str, str] = {}
    for part in dict.fromkeys(part for recipe in recipes for part in recipe.augmentation_parts):
        if part.name in _NOTES and (note := _NOTES[part.name](part, variant)):
            notes.setdefault(part.name, note)
    return [*notes.values()]


def _small_crops(part: Part, variant: Variant) -> str:
    """The smallest crop has the least area and the narrowest shape."""
    pixels, (low, high) = math.prod(variant.image_size), _option(part, "ratio")
    narrow = max(high, 1 / low)
    smallest = round(math.sqrt(_option(part, "scale")[0] * pixels / narrow))
    if smallest >= _FEWEST_PIXELS:
        return ""
    enough = math.ceil(100 * _FEWEST_PIXELS**2 * narrow / pixels) / 100
    advice = f"scale={enough:g}-1 leaves {_FEWEST_PIXELS}" if enough < 1 else "leave it out"
    return f"{part} crops images of {_size(variant)} down to {smallest} pixels per side; {advice}"


def _no_boxes(part: Part, variant: Variant) -> str:
    """A box has at least one pixel, and is lower and narrower than the image."""
    (height, width), count = variant.image_size, _option(part, "count")
    least, most = (share * height * width / count for share in _option(part, "area"))
    if most >= 0.25 and least < (height - 0.5) * (width - 0.5):
        return ""
    why = "its boxes have less than a pixel" if most < 0.25 else "its boxes are as large as they"
    return f"{part} erases nothing of images of {_size(variant)}: {why}; give another area or count"


def _no_colours(part: Part, variant: Variant) -> str:
    """One channel has no saturation, and only three have a hue."""
    channels = variant.in_channels
    given = ("brightness", "contrast", "saturation", "hue")
    wanted = [name for name in given if _option(part, name)]
    without = {"saturation": channels == 1, "hue": channels != 3}
    idle = [name for name in wanted if without.get(name)]
    if len(idle) < len(wanted):
        idle = [name for name in idle if name in part.kwargs]  # others are merely the default
    if not idle:
        return ""
    what = "image channel" if channels == 1 else "image channels"
    return f"{part}: nothing comes of {' and '.join(idle)} with {channels} {what}; leave that out"


_NOTES = {
    "random_resized_crop": _small_crops,
    "random_erasing": _no_boxes,
    "color_jitter": _no_colours,
}


def _option(part: Part, name: str) -> Any:
    """An option, given or by default."""
    return part.kwargs.get(name, registry.describe("augmentation", part.name).options[name].default)


def _size(variant: Variant) -> str:
    return "{}x{} pixels".format(*variant.image_size)
