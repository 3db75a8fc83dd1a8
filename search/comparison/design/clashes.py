"""One value is set in one place: by one factor, or by an arm.

Of two that set it, the later would win without a word, and what the other says of its cells would
be false. A preset is not such a place: a single value beside it counts before the preset's,
wherever it stands, and a note says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe_presets import read_preset
from search.comparison.design.factors import BASE, FUSION, STAGES, paths_of
from search.settings.comparison import ArmSettings
from search.settings.preset_levels import PRESET_PATH

_RECIPE = "recipe."


class _Place(NamedTuple):
    """What sets values: a level of a factor, or an arm."""

    name: str
    values: Mapping[str, Any]  # by path


def check_clashes(factors: Mapping[str, Sequence[Any]], arms: Sequence[ArmSettings]) -> None:
    """Raise InputError for a value that two factors set, or a factor and an arm, or one twice."""
    for place in (*_levels(factors), *_sets(arms)):
        for one, other in combinations(place.values, 2):
            if _overlap(one, other):
                raise InputError(
                    f"{place.name} sets {one} and {other}, one of which holds the other; give one"
                )
    for first, second in _beside(factors, arms):
        for one in first.values:
            for other in second.values:
                if _overlap(one, other):
                    inside = f" (the latter {other})" * (one != other)
                    raise InputError(
                        f"{first.name} and {second.name} both set {one}{inside}, and only one can "
                        "count; let one place set it"
                    )
    for arm in arms:
        words = next((path for path in arm.set if arm.blocks and _sets_words(path)), None)
        if words:
            raise InputError(
                f"arm {arm.name!r} has blocks, which replace the words that its set gives by "
                f"{words}; give one of them"
            )


def preset_clashes(
    factors: Mapping[str, Sequence[Any]], arms: Sequence[ArmSettings]
) -> Iterator[str]:
    """Which values of presets give way to a factor's or an arm's, a sentence each."""
    notes: dict[str, None] = {}
    for pair in _beside(factors, arms):
        for one, other in (pair, pair[::-1]):
            preset = one.values.get(PRESET_PATH)
            if preset is None:
                continue
            own = read_preset(preset)
            names = [p.removeprefix(_RECIPE) for p in other.values if p.startswith(_RECIPE)]
            first = ", ".join(name for name in names if name in own)
            if first:
                text = f"{PRESET_PATH} {preset}: what {other.name} sets counts first: {first}"
                notes[text] = None
    yield from notes


def _levels(factors: Mapping[str, Sequence[Any]]) -> Iterator[_Place]:
    """All levels of factors that are paths, and of ``base``."""
    for name, levels in factors.items():
        if name == BASE:
            yield _Place(f"factors.{name}", {BASE: levels})
        elif name not in (STAGES, FUSION):
            yield from (_Place(f"factors.{name}", paths_of(name, level)) for level in levels)


def _sets(arms: Sequence[ArmSettings]) -> Iterator[_Place]:
    yield from (_Place(f"arm {arm.name!r}", arm.set) for arm in arms if arm.set)


def _beside(
    factors: Mapping[str, Sequence[Any]], arms: Sequence[ArmSettings]
) -> Iterator[tuple[_Place, _Place]]:
    """What comes together in some cell: levels of two factors, and a level with an arm."""
    levels = list(_levels(factors))
    for one, other in combinations(levels, 2):
        if one.name != other.name:
            yield one, other
    for place in _sets(arms):
        yield from ((level, place) for level in levels)


def _overlap(one: str, other: str) -> bool:
    """Whether two paths are of one value, or one of a value inside the other's."""
    if BASE in (one, other):
        return one == other or _sets_words(other if one == BASE else one)
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _sets_words(path: str) -> bool:
    """Whether a path is of the block words of a stage, or holds them."""
    first, *rest = path.split(".")
    return first == "stages" and (len(rest) < 2 or rest[1] == "blocks")
