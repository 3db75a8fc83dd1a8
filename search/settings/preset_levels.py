"""Presets of recipes that a factor, an arm or a baseline sets: ``recipe.preset: quick``.

Values that stand in ``recipe`` count before the preset's, as everywhere.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe_presets import PRESET, read_preset

PRESET_PATH = f"recipe.{PRESET}"

Changes = Iterable[Mapping[str, Any]]  # values by path, as they are set together


def check_one_preset(recipe: Mapping[str, Any], changes: Changes) -> None:
    """Raise InputError for a preset in ``recipe`` beside others, before which it would count."""
    named = next((each[PRESET_PATH] for each in changes if PRESET_PATH in each), None)
    if named is not None and PRESET in recipe:
        raise InputError(
            f"recipe names preset {recipe[PRESET]!r}, whose values would count before those of "
            f"{PRESET_PATH} {named!r}; take it out of recipe, and name it where it is meant"
        )


def check_something_left(preset: object, beside: Iterable[str]) -> None:
    """Raise InputError if the values beside a preset, by their names, leave none of its own."""
    values, beside = read_preset(preset), {*beside}
    if values.keys() <= beside:
        raise InputError(
            f"{PRESET_PATH} {preset!r} changes nothing: recipe gives each of its values "
            f"({', '.join(values)}); leave out those that the preset is to give"
        )


def preset_notes(recipe: Mapping[str, Any], changes: Changes) -> list[str]:
    """Which values of presets give way to others in ``recipe``, a sentence for each preset."""
    notes = []
    for preset in dict.fromkeys(each[PRESET_PATH] for each in changes if PRESET_PATH in each):
        values = read_preset(preset)
        differing = {n: v for n, v in values.items() if n in recipe and recipe[n] != v}
        if differing:
            own = ", ".join(f"{name} {recipe[name]} (not {v})" for name, v in differing.items())
            notes.append(f"{PRESET_PATH} {preset}: what recipe gives counts first: {own}")
    return notes
