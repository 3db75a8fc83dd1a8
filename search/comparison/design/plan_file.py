"""``plan.json``: what a comparison trains, written once when it begins and read back ever after.

Matched widths come from a search that may find others in another version of the program, or by
another clock. So a comparison is planned once: whoever reads it, or goes on with it, takes the
networks, recipes, costs and names that it began with.
"""

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

from hybrid_swin.cost import Cost
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.spec.own_code.kept_plugins import adopt_kept_plugins
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.files import DamagedFileError, write_json_atomically
from hybrid_swin.system.schema import SchemaError, check_version
from search.comparison.design.factors import Cell, check_told_apart
from search.comparison.design.latency_match import LatencyMatch
from search.comparison.design.matched_arms import PlannedArm
from search.comparison.design.plan import ComparisonPlan, make_plan
from search.records.first_weights import ANEW, FirstWeights
from search.records.runs import read_record
from search.records.settings import SETTINGS_FILE, read_settings
from search.records.study_file import STUDY_FILE, read_fixed
from search.settings.comparison import ComparisonSettings, MatchBy
from search.study.looks import target_so_far

PLAN_FILE = "plan.json"
_SCHEMA_VERSION = 1
_MAKE_ANEW = "delete it to have the comparison planned again"


def write_plan(plan: ComparisonPlan, folder: Path) -> None:
    """Write a plan into its comparison's folder, whole or not at all."""
    content = {
        "schema_version": _SCHEMA_VERSION,
        "settings": _that_plan(plan.settings),
        "init_hash": plan.init.hash,
        "looks": list(plan.planned),
        "entries": [_entry_content(entry) for entry in plan.entries],
    }
    write_json_atomically(folder / PLAN_FILE, content)


def read_plan(folder: Path) -> ComparisonPlan:
    """The plan of a comparison that has begun, from its folder alone, wherever that lies now.

    One from before plans were kept is planned again.

    Raises:
        InputError: no comparison there, or a plan that cannot be read; or one to be planned again
            with plug-ins that must not run, to count what they cost (a command lets them run by
            ``adopt_kept_plugins`` before).
    """
    adopt_kept_plugins(folder, (), trust=False)
    settings = read_settings(folder, ComparisonSettings)
    target = target_so_far(settings.looks, folder)
    plan = read_plan_file(folder, settings)
    if plan is not None:
        return replace(plan, target=target)
    if (folder / PLAN_FILE).exists():
        raise InputError(
            f"{SETTINGS_FILE} in {str(folder)!r} is not the one that its {PLAN_FILE} was made "
            f"from; put it back ({STUDY_FILE} holds the settings that the comparison began with)"
        )
    known = read_fixed(folder).data
    clock = (
        LatencyMatch(settings, folder, measures=False) if "latency" in settings.match.by else None
    )
    first = _as_written(settings, known.get("init", ""))
    return replace(make_plan(settings, clock, first), target=target)


def read_plan_file(
    folder: Path, settings: ComparisonSettings, init: FirstWeights | None = None
) -> ComparisonPlan | None:
    """The plan that a comparison began with.

    Args:
        folder: the comparison's.
        settings: as they are now; the seeds may have grown.
        init: the weights that every arm starts from, where they were found; else as the file says.

    Returns:
        None if there is no plan, or one that was made for other settings.

    Raises:
        InputError: the file cannot be read; says how to have it made again.
    """
    path = folder / PLAN_FILE
    if not os.path.lexists(path):
        return None
    try:
        content = read_record(path, _checked)
    except DamagedFileError as error:
        raise DamagedFileError(path, f"{error.reason}; {_MAKE_ANEW}") from error
    made_from, now = content["settings"], _that_plan(settings)
    if any(value != now.get(name) for name, value in made_from.items()):  # later ones are new
        return None
    try:
        entries = tuple(_entry(entry) for entry in content["entries"])
        known = init or _as_written(settings, str(content["init_hash"]))
        looks = tuple(content.get("looks") or settings.looks)
        if not entries:
            raise ValueError("no entries")
        check_told_apart(entry.cell.levels for entry in entries)
        if any(type(seeds) is not int for seeds in looks) or list(looks) != sorted({*looks}):
            raise ValueError(f"looks {looks}")
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"{type(error).__name__}: {str(error)[:80]}; {_MAKE_ANEW}"
        raise DamagedFileError(path, reason) from error
    return ComparisonPlan(settings, entries, known, looks)


def _as_written(settings: ComparisonSettings, known_hash: str) -> FirstWeights:
    """The first weights as the settings name them; their file need not be there any more."""
    init = settings.first_weights
    return ANEW if init is None else FirstWeights(init.weights, known_hash, init.prefix)


def _checked(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The content; its entries are not looked into, since they may need plug-ins."""
    check_version(content, _SCHEMA_VERSION)
    if not isinstance(content.get("settings"), dict):
        raise SchemaError("it holds no settings")
    return content


def _that_plan(settings: ComparisonSettings) -> dict[str, Any]:
    """The settings that a plan is made from; where plug-ins lie does not matter."""
    return settings.fixed() | {"plugins": None}


def _entry_content(entry: PlannedArm) -> dict[str, Any]:
    content = {field.name: getattr(entry, field.name) for field in fields(PlannedArm)}
    return content | {
        "cell": {"levels": dict(entry.cell.levels), "data": entry.cell.data.to_dict()},
        "variant": entry.variant.to_dict(),
        "recipes": [recipe.to_dict() for recipe in entry.recipes],
        "cost": entry.cost.to_dict(),
        "candidates": list(entry.candidates),
    }


def _entry(content: Mapping[str, Any]) -> PlannedArm:
    """An entry from what the file says of it. Raises what wrong types and missing keys raise."""
    cell, matching = content["cell"], content["matching"]
    if matching not in get_args(MatchBy):
        raise ValueError(f"matching {matching!r}")
    recipes = tuple(Recipe.from_dict(recipe) for recipe in content["recipes"])
    candidates = tuple(_text(name) for name in content["candidates"])
    if not recipes or len(recipes) != len(candidates):
        raise ValueError(f"{len(recipes)} recipes and {len(candidates)} candidates")
    return PlannedArm(
        cell=Cell(dict(cell["levels"]), DataSettings.from_dict(cell["data"])),
        matching=matching,
        arm=_text(content["arm"]),
        against=None if content["against"] is None else _text(content["against"]),
        controls={_text(cause): _text(arm) for cause, arm in content["controls"].items()},
        variant=Variant.from_dict(content["variant"]),
        recipes=recipes,
        cost=Cost(**{field.name: int(content["cost"][field.name]) for field in fields(Cost)}),
        residuals={_text(cost): float(share) for cost, share in content["residuals"].items()},
        adjuster=_text(content["adjuster"]),
        candidates=candidates,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where a text belongs")
    return value
