"""Plug-ins that an experiment names and does not use: said, since such a run tests nothing new."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hybrid_swin.spec.registry import PartInfo, read_plugin
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import ExperimentSettings
from search.settings.study import StudySettings

OF_RECIPES = {"augmentation": "augmentations", "optimizer": "optimizer", "schedule": "schedule"}

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def unused_plugins(settings: ExperimentSettings) -> Iterator[str]:
    """One sentence per plug-in whose name stands nowhere in the settings that could use it.

    Raises InputError for a file that is not a plug-in.
    """
    for file in settings.plugins:
        part = read_plugin(file)
        if part.name not in _names_in(_places(settings, part)):
            yield f"plug-in {part.file.name}: {_advice(part, settings)}"


def _places(settings: ExperimentSettings, part: PartInfo) -> Iterator[Any]:
    """The settings in which the part's name can stand."""
    if part.kind == "data source":
        yield settings.data.source
    elif part.kind in ("branch", "fusion"):
        yield settings.variant.get("stages")
        if isinstance(settings, StudySettings):
            yield from ((row.blocks, row.set) for row in settings.baselines)
        if isinstance(settings, ComparisonSettings):
            yield from ((arm.add, arm.blocks, arm.set) for arm in settings.arms)
    elif part.kind in OF_RECIPES:
        yield settings.recipe
        if isinstance(settings, StudySettings):
            yield from (row.set for row in settings.baselines)
        if isinstance(settings, ComparisonSettings):
            yield from (arm.set for arm in settings.arms)
    if isinstance(settings, ComparisonSettings):
        yield settings.factors


def _names_in(values: Any) -> set[str]:
    """Every name in the texts of nested values; keys count for nothing."""
    if isinstance(values, str):
        return set(_NAME.findall(values))
    inside: Iterable[Any] = ()
    if isinstance(values, Mapping):
        inside = values.values()
    elif isinstance(values, Iterable):
        inside = values
    return {name for value in inside for name in _names_in(value)}


def _advice(part: PartInfo, settings: ExperimentSettings) -> str:
    """What is missing, and what to write."""
    name = part.name
    if part.kind == "inspection":
        return f"no training uses an inspection; give it to `inspect --plugin FILE --only {name}`"
    if part.kind == "data source":
        source = settings.data.source
        return f"data.source is {source!r}; write `data: {{source: {name}}}` to use it"
    if part.kind in OF_RECIPES:
        field = OF_RECIPES[part.kind]
        value = f"[{name}]" if part.kind == "augmentation" else name
        return f"recipe.{field} does not name it; write `recipe: {{{field}: {value}}}` to use it"
    word = name if part.kind == "branch" else f"w_msa+conv:{name}"
    example = f"`blocks: {{choose: [[w_msa], [{word}]]}}`"
    if isinstance(settings, ComparisonSettings):
        example = f"`arms: [{{label: plain}}, {{add: {word}}}]`"
        if part.kind == "fusion":
            example = f"`factors: {{fusion: [sum, {name}]}}`"
    where = "blocks" if isinstance(settings, StudySettings) else "the arms"
    return f"no block uses its word `{name}`; add it to {where}, for example {example}"
