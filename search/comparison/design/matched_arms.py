"""The arms of a comparison at one point of its factors: built, matched, set against each other."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hybrid_swin.cost import Cost, count_cost
from hybrid_swin.errors import InputError
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_checks import check_fit
from hybrid_swin.spec.variant import Variant
from search.comparison.design.arms import SIZE, stages_of, words_with
from search.comparison.design.factors import Cell, Point
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
class PlannedArm:
    """One arm in one cell under one matching.

    Args:
        cell: where.
        matching: how its cost was made equal.
        arm: its label.
        against: label of the arm, in the same cell and matching, that it is compared with; None
            for the one that others are compared with.
        controls: cause: label of the arm, in the same cell and matching, that lacks it.
        variant: the network.
        recipes: one a learning rate.
        cost: what the network costs.
        residuals: by what share each cost exceeds that of ``against``; empty for the baseline.
        adjuster: what was moved to match, in words.
        candidates: identity of network, recipe, data and start for each of ``recipes``.
    """

    cell: Cell
    matching: MatchBy
    arm: str
    against: str | None
    controls: dict[str, str]
    variant: Variant
    recipes: tuple[Recipe, ...]
    cost: Cost
    residuals: dict[str, float]
    adjuster: str
    candidates: tuple[str, ...]


def is_counterpart(entry: PlannedArm) -> bool:
    """Whether an arm is the baseline made as costly as another one."""
    return entry.matching == "control" and entry.arm.startswith(COUNTERPART.format(""))


Built = Mapping[str, tuple[Variant, Recipe]]


def build_arm(
    arm: ArmSettings, space: Space, point: Point, chooses_rate: bool
) -> tuple[Variant, Recipe]:
    """An arm's network and recipe at a point of the factors, before its cost is matched."""
    where = f"arm {arm.name!r}" + (f" at {point.cell.name}" if point.cell.name else "")
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


def plan_arm(
    settings: ComparisonSettings,
    point: Point,
    matching: MatchBy,
    init_hash: str,
    arm: str,
    against: str | None,
    controls: dict[str, str],
    recipe: Recipe,
    matched: MatchedNetwork,
) -> PlannedArm:
    """An arm whose cost was matched, at all its learning rates."""
    variant = matched.variant
    try:
        rates = settings.learning_rates or (recipe.learning_rate,)
        recipes = tuple(replace(recipe, learning_rate=rate) for rate in rates)
    except InputError as error:
        raise InputError(f"learning_rates: {error}") from None
    check_fit(variant, recipe)
    data = json.dumps(point.cell.data.to_dict(), sort_keys=True)
    return PlannedArm(
        cell=point.cell,
        matching=matching,
        arm=arm,
        against=against,
        controls=controls,
        variant=variant,
        recipes=recipes,
        cost=count_cost(variant),
        residuals=matched.residuals,
        adjuster=matched.adjuster,
        candidates=tuple(candidate_id(variant, r, data, init_hash) for r in recipes),
    )


def arms_at(
    settings: ComparisonSettings,
    arms: Sequence[ArmSettings],
    built: Built,
    baseline: str,
    matching: MatchBy,
    latency: LatencyMatcher | None,
    planned: Callable[..., PlannedArm],
    where: str,
) -> Iterator[PlannedArm]:
    """All arms at one point under one matching, the baseline first.

    Args:
        settings: the comparison.
        arms: all of them.
        built: their networks and recipes at this point.
        baseline: which of them others are matched to.
        matching: how.
        latency: matches by the clock.
        planned: `plan_arm` at this point under this matching.
        where: the point's name, for messages.
    """
    plain, _ = built[baseline]
    counterparts: dict[str, str] = {}
    for arm in sorted(arms, key=lambda arm: arm.name != baseline):
        variant, recipe = built[arm.name]
        try:
            if arm.name == baseline:
                itself = MatchedNetwork(plain, {})
                yield planned(baseline, None, dict(arm.controls), recipe, itself)
            elif matching == "control":
                yield from _with_counterpart(settings, arm, built, baseline, counterparts, planned)
            else:
                matched = match_arm(variant, plain, matching, settings.match, latency)
                yield planned(arm.name, baseline, dict(arm.controls), recipe, matched)
        except InputError as error:
            at = f" at {where}" if where else ""
            raise InputError(f"arm {arm.name!r}{at}, matched by {matching}: {error}") from None


def _with_counterpart(
    settings: ComparisonSettings,
    arm: ArmSettings,
    built: Built,
    baseline: str,
    known: dict[str, str],
    planned: Callable[..., PlannedArm],
) -> Iterator[PlannedArm]:
    """The arm as it is, behind the baseline made as costly as it.

    Arms of one cost share a counterpart: ``known`` holds its label by network and recipe.
    """
    (plain, _), (variant, recipe) = built[baseline], built[arm.name]
    if arm.add and all(part.name == "pointwise" for part in parse(arm.add).branches):
        over = count_cost(variant).relative_to(count_cost(plain))
        yield planned(arm.name, baseline, {}, recipe, MatchedNetwork(variant, over))
        return  # it is a counterpart itself
    counterpart = with_pointwise(plain, variant, settings.match.tolerance)
    over = count_cost(counterpart.variant).relative_to(count_cost(plain))
    name = known.setdefault(candidate_id(counterpart.variant, recipe), COUNTERPART.format(arm.name))
    if name == COUNTERPART.format(arm.name):
        yield planned(name, baseline, {}, recipe, replace(counterpart, residuals=over))
    residuals = count_cost(variant).relative_to(count_cost(counterpart.variant))
    controls = {**arm.controls, SIZE: name}
    yield planned(arm.name, name, controls, recipe, MatchedNetwork(variant, residuals))
