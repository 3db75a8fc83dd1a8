"""``plan.json``: what a comparison trains, written once when it begins and read back ever after.

Matched widths come from a search that may find others in another version of the program, or by
another clock. So a comparison is planned once: whoever reads it, or goes on with it, takes the
networks, recipes, costs and names that it began with.
"""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from hybrid_swin.cost import Cost
from hybrid_swin.data_settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.files import read_json, write_json_atomically
from hybrid_swin.recipe import Recipe
from hybrid_swin.variant import Variant
from search.compare.plan import Cell, Entry, FirstWeights, Plan
from search.compare.settings import ComparisonSettings, Matching

PLAN_FILE = "plan.json"
_SCHEMA_VERSION = 1
_MAKE_ANEW = "delete it to have the comparison planned again"


def write_plan(plan: Plan, folder: Path) -> None:
    """Write a plan into its comparison's folder, whole or not at all."""
    content = {
        "schema_version": _SCHEMA_VERSION,
        "settings": _that_plan(plan.settings),
        "init_hash": plan.init.hash,
        "looks": list(plan.planned),
        "entries": [_told(entry) for entry in plan.entries],
    }
    write_json_atomically(folder / PLAN_FILE, content)


def read_plan_file(
    folder: Path, settings: ComparisonSettings, init: FirstWeights | None = None
) -> Plan | None:
    """The plan that a comparison began with.

    Args:
        folder: the comparison's.
        settings: as they are now; the seeds may have grown.
        init: the weights that every arm starts from, where they were found; else as the file says.

    Returns:
        None where there is no plan, or one that was made for other settings.

    Raises:
        InputError: the file cannot be read; says how to have it made again.
    """
    path = folder / PLAN_FILE
    if not path.exists():
        return None
    content = read_json(path)
    version = content.get("schema_version")
    if version != _SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema_version {version!r}; this program reads {_SCHEMA_VERSION}"
        )
    made_from, now = content.get("settings"), _that_plan(settings)
    if not isinstance(made_from, dict):
        raise InputError(f"{path} holds no settings; {_MAKE_ANEW}")
    if any(value != now.get(name) for name, value in made_from.items()):  # later ones are new
        return None
    try:
        entries = tuple(_entry(told) for told in content["entries"])
        known = init or FirstWeights(
            settings.init or "", str(content["init_hash"]), settings.weights_prefix
        )
        looks = tuple(content.get("looks") or settings.looks)
        if not entries:
            raise ValueError("no entries")
        if any(type(seeds) is not int for seeds in looks) or list(looks) != sorted({*looks}):
            raise ValueError(f"looks {looks}")
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged ({type(error).__name__}: {str(error)[:80]}); {_MAKE_ANEW}"
        ) from error
    return Plan(settings, entries, known, looks)


def _that_plan(settings: ComparisonSettings) -> dict[str, Any]:
    """The settings that a plan is made from; where plug-ins lie does not matter."""
    return settings.fixed() | {"plugins": None}


def _told(entry: Entry) -> dict[str, Any]:
    told = {field.name: getattr(entry, field.name) for field in fields(Entry)}
    return told | {
        "cell": {"levels": dict(entry.cell.levels), "data": entry.cell.data.to_dict()},
        "variant": entry.variant.to_dict(),
        "recipes": [recipe.to_dict() for recipe in entry.recipes],
        "cost": entry.cost.to_dict(),
        "candidates": list(entry.candidates),
    }


def _entry(told: Mapping[str, Any]) -> Entry:
    """An entry from what the file says of it. Raises what wrong types and missing keys raise."""
    cell, matching = told["cell"], told["matching"]
    if matching not in get_args(Matching):
        raise ValueError(f"matching {matching!r}")
    recipes = tuple(Recipe.from_dict(recipe) for recipe in told["recipes"])
    candidates = tuple(_text(name) for name in told["candidates"])
    if not recipes or len(recipes) != len(candidates):
        raise ValueError(f"{len(recipes)} recipes and {len(candidates)} candidates")
    return Entry(
        cell=Cell(dict(cell["levels"]), DataSettings.from_dict(cell["data"])),
        matching=matching,
        arm=_text(told["arm"]),
        against=None if told["against"] is None else _text(told["against"]),
        controls={_text(cause): _text(arm) for cause, arm in told["controls"].items()},
        variant=Variant.from_dict(told["variant"]),
        recipes=recipes,
        cost=Cost(**{field.name: int(told["cost"][field.name]) for field in fields(Cost)}),
        residuals={_text(cost): float(share) for cost, share in told["residuals"].items()},
        adjuster=_text(told["adjuster"]),
        candidates=candidates,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where a text belongs")
    return value
