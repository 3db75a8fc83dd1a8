"""The arms of a comparison at one point of its factors: built, matched, set against each other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hybrid_swin.cost import count_cost
from hybrid_swin.errors import InputError
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from search.comparison.design.arms import SIZE, stages_of, words_with
from search.comparison.design.factors import Point
from search.comparison.design.matching import (
    LatencyMatcher,
    MatchedNetwork,
    match_arm,
    with_pointwise,
)
from search.records.identity import candidate_id
from search.settings.comparison import ArmSettings, ComparisonSettings, MatchBy
from search.space.space import Space

COUNTERPART = "+pointwise as costly as {}"  # an arm's equal in cost under matching by control
_RATE = "recipe.learning_rate"


@dataclass(frozen=True)
class MatchedArm:
    """An arm, matched: what an entry holds beside its cell."""

    arm: str
    against: str | None
    controls: dict[str, str]
    recipe: Recipe
    matched: MatchedNetwork


Built = Mapping[str, tuple[Variant, Recipe]]


def build_arm(
    arm: ArmSettings, space: Space, point: Point, chooses_rate: bool
) -> tuple[Variant, Recipe]:
    """An arm's network and recipe at a point of the factors, before its cost is matched."""
    where = f"arm {arm.name!r}" + (f" at {point.name}" if point.name else "")
    try:
        changes = {**point.changes, **arm.set}
        if chooses_rate and _RATE in changes:
            raise InputError(
                f"{_RATE} is set to {changes[_RATE]!r}, but learning_rates has it chosen; give one "
                "of the two"
            )
        plain, recipe = space.resolve({}, changes)
        places = stages_of(point.stages, len(plain.stages))
        stages = []
        for index, stage in enumerate(plain.stages):
            words = point.base or stage.blocks
            if index in places and arm.add:
                words = words_with(words, arm.add, point.fusion)
            elif index in places and arm.blocks:
                words = arm.blocks
            stages.append(replace(stage, blocks=words))
        return replace(plain, stages=tuple(stages)), recipe
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def sides_at(
    settings: ComparisonSettings,
    arms: Sequence[ArmSettings],
    built: Built,
    baseline: str,
    matching: MatchBy,
    latency: LatencyMatcher | None,
    where: str,
) -> Iterator[MatchedArm]:
    """All arms at one point under one matching, the baseline first."""
    plain, recipe = built[baseline]
    counterparts: dict[str, str] = {}
    first = next(arm for arm in arms if arm.name == baseline)
    yield MatchedArm(baseline, None, dict(first.controls), recipe, MatchedNetwork(plain, {}))
    for arm in arms:
        if arm.name == baseline:
            continue
        variant, recipe = built[arm.name]
        try:
            if matching == "control":
                yield from _with_counterpart(
                    settings, arm, variant, recipe, plain, baseline, counterparts
                )
            else:
                matched = match_arm(variant, plain, matching, settings.match, latency)
                yield MatchedArm(arm.name, baseline, dict(arm.controls), recipe, matched)
        except InputError as error:
            at = f" at {where}" if where else ""
            raise InputError(f"arm {arm.name!r}{at}, matched by {matching}: {error}") from None


def _with_counterpart(
    settings: ComparisonSettings,
    arm: ArmSettings,
    variant: Variant,
    recipe: Recipe,
    plain: Variant,
    baseline: str,
    known: dict[str, str],
) -> Iterator[MatchedArm]:
    """The arm as it is, behind the baseline made as costly as it.

    Arms of one cost share a counterpart: ``known`` holds its label by network and recipe.
    """
    if arm.add and all(part.name == "pointwise" for part in parse(arm.add).branches):
        over = count_cost(variant).relative_to(count_cost(plain))
        yield MatchedArm(arm.name, baseline, {}, recipe, MatchedNetwork(variant, over))
        return  # it is a counterpart itself
    counterpart = with_pointwise(plain, variant, settings.match.tolerance)
    over = count_cost(counterpart.variant).relative_to(count_cost(plain))
    name = known.setdefault(candidate_id(counterpart.variant, recipe), COUNTERPART.format(arm.name))
    if name == COUNTERPART.format(arm.name):
        yield MatchedArm(name, baseline, {}, recipe, replace(counterpart, residuals=over))
    residuals = count_cost(variant).relative_to(count_cost(counterpart.variant))
    controls = {**arm.controls, SIZE: name}
    yield MatchedArm(arm.name, name, controls, recipe, MatchedNetwork(variant, residuals))
