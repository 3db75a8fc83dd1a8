"""Presets: recipes by name, ``{preset: swin_imagenet, epochs: 30}``.

Each is a file in ``configs/recipes/`` that says where its values are from. Values that stand beside
a preset count before its own.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hybrid_swin.errors import unknown
from hybrid_swin.system.yaml_files import read_yaml

PRESET = "preset"  # the name beside the fields of a recipe
_PACKAGE = Path(__file__).parents[1]
_FOLDERS = _PACKAGE.parent / "configs" / "recipes", _PACKAGE / "configs" / "recipes"


def preset_names() -> list[str]:
    """All presets, sorted."""
    return sorted(_files())


def read_preset(name: object) -> dict[str, Any]:
    """The values of a preset. Raises InputError for an unknown one."""
    files = _files()
    if not isinstance(name, str) or name not in files:
        raise unknown("recipe preset", name, sorted(files))
    values: dict[str, Any] = read_yaml(files[name], f"preset {name!r}")
    return values


def with_preset(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's values with those of the preset that it names, if any.

    Raises InputError for an unknown one.
    """
    if PRESET not in recipe:
        return dict(recipe)
    own = {name: value for name, value in recipe.items() if name != PRESET}
    return read_preset(recipe[PRESET]) | own


@cache
def _files() -> dict[str, Path]:
    """Of a checkout, or of an installed package."""
    return {file.stem: file for folder in _FOLDERS for file in folder.glob("*.yaml")}
