"""From a comparison's settings to its trainings: cells, matched arms, learning rates, seeds.

A *cell* is one combination of factor levels, an *entry* one arm in one cell under one matching.
Entries that come to the same network, recipe and data share their runs, so a baseline is trained
once for all the ways of matching.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.spec.variant import Variant
from search.comparison.design.arms import check_arms, default_arms
from search.comparison.design.clashes import check_clashes
from search.comparison.design.factors import Cell, combinations, make_point
from search.comparison.design.matched_arms import PlannedArm, arms_at, build_arm, plan_arm
from search.comparison.design.matching import LatencyMatcher
from search.records.first_weights import ANEW, FirstWeights
from search.records.identity import derive_seed
from search.records.runs import RunResult, RunSpec
from search.settings.comparison import ComparisonSettings
from search.space.space import Space


@dataclass(frozen=True)
class ComparisonPlan:
    """All that a comparison trains.

    Args:
        settings: the comparison.
        entries: its arms, by cell and matching.
        init: the weights that every arm starts from.
        planned: numbers of seeds at which looks were planned when it began.
        target: seeds to train up to now; all of them where left out.
    """

    settings: ComparisonSettings
    entries: tuple[PlannedArm, ...]
    init: FirstWeights = ANEW
    planned: tuple[int, ...] = ()
    target: int | None = None

    @property
    def chooses(self) -> bool:
        """Whether there is a learning rate to be chosen."""
        return len(self.entries[0].recipes) > 1

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The combinations of factor levels, in order."""
        return tuple({entry.cell.name: entry.cell for entry in self.entries}.values())

    @property
    def seeds(self) -> int:
        """Paired seeds of every arm."""
        return self.target or self.settings.looks[-1]

    def selection(self, entry: PlannedArm, rate: int, seed: int = 0) -> list[RunSpec]:
        """The runs that judge an entry's learning rate number ``rate`` for final seed ``seed``.

        Empty where the rate is alone. With ``choose_rate: once`` all final seeds share them. Their
        own seeds are the same in every arm.
        """
        if len(entry.recipes) < 2:
            return []
        each = self.settings.selection_seeds
        if self.settings.choose_rate == "once":
            return [self._spec(entry, rate, "search", index, index) for index in range(each)]
        value = f"{entry.recipes[rate].learning_rate!r}"
        return [
            self._spec(entry, rate, "search", seed * each + index, seed, value, index)
            for index in range(each)
        ]

    def selections(self, entry: PlannedArm, rate: int) -> list[RunSpec]:
        """The runs that judge a learning rate for any of the final seeds."""
        specs = [s for seed in range(self.seeds) for s in self.selection(entry, rate, seed)]
        return list({spec.key: spec for spec in specs}.values())

    def final(self, entry: PlannedArm, rate: int, seed: int) -> RunSpec:
        """The run of paired seed number ``seed`` at a learning rate."""
        return self._spec(entry, rate, "final", seed, seed)

    def choose(
        self, entry: PlannedArm, results: Mapping[str, RunResult], seed: int = 0
    ) -> int | None:
        """Number of the rate that validation prefers for a final seed; the first where scores tie.

        Args:
            entry: whose.
            results: of the runs that have ended, by key.
            seed: the final seed that is to be trained with it.

        Returns:
            None while a run that decides has not ended. Rates of which a run did not complete are
            passed over; where that leaves none, the lowest is taken.
        """
        if len(entry.recipes) < 2:
            return 0
        sign = -1.0 if self.settings.objective.mode == "max" else 1.0
        means: list[tuple[float, int]] = []
        for rate in range(len(entry.recipes)):
            runs = [results.get(spec.key) for spec in self.selection(entry, rate, seed)]
            if any(run is None for run in runs):
                return None
            scores = [run.score for run in runs if run and run.state == "complete"]
            if len(scores) == len(runs) and None not in scores:
                means.append((sign * fmean(score for score in scores if score is not None), rate))
        rates = [recipe.learning_rate for recipe in entry.recipes]
        return min(means)[1] if means else rates.index(min(rates))

    def trainings(self) -> tuple[int, int]:
        """How many different runs choose learning rates, and how many follow."""
        chosen = {
            spec.key
            for entry in self.entries
            for rate in range(len(entry.recipes))
            for spec in self.selections(entry, rate)
        }
        # Entries of one network choose alike, so each set of candidates has its finals once.
        sets = {entry.candidates for entry in self.entries}
        return len(chosen), len(sets) * self.seeds

    def _spec(
        self, entry: PlannedArm, rate: int, stage: Any, index: int, *purpose: object
    ) -> RunSpec:
        """Run number ``index`` of a candidate; ``purpose`` makes its seed."""
        candidate, settings = entry.candidates[rate], self.settings
        search = stage == "search"
        judges = [] if search else self.selection(entry, rate, index)
        where = f"trials/{candidate}-{index}" if search else f"finalists/{candidate}/{index}"
        about = [entry.cell.name, f"by {entry.matching}" if entry.adjuster else ""]
        return RunSpec(
            study=settings.name,
            key=where,
            kind="trial" if search else "finalist",
            stage=stage,
            label=" | ".join([entry.arm, *filter(None, about)]),
            variant=entry.variant.to_dict(),
            recipe=entry.recipes[rate].to_dict(),
            variant_id=entry.variant.id,
            candidate_id=candidate,
            seed=derive_seed(settings.seed, stage, *purpose),
            seed_index=index,
            origin=judges[0].key if judges else "",
            is_baseline=entry.against is None,
            cost=entry.cost.to_dict(),
            data=entry.cell.data.to_dict(),
            init=self.init.file,
            weights_prefix=self.init.prefix,
        )


def make_plan(
    settings: ComparisonSettings,
    latency: LatencyMatcher | None = None,
    init: FirstWeights = ANEW,
    follow: Callable[[str, Variant], Variant] | None = None,
) -> ComparisonPlan:
    """Work out cells and arms, and match their costs. Nothing is trained.

    Args:
        settings: the comparison; its plug-ins are known already.
        latency: matches by the clock; needed where ``match.by`` names latency.
        init: what ``settings.init`` means, found and hashed.
        follow: gives an arm, by its name, the rules of windows of the weights' library.

    Raises:
        InputError: arms or factors that cannot be, or that cannot be matched; says which.
    """
    arms = settings.arms or default_arms()
    baseline = check_arms(arms, settings.baseline)
    space = Space(settings.variant, settings.recipe)
    if space.parameters:
        raise InputError(
            f"{space.parameters[0].path} is a choice; a comparison does not search: vary it in "
            "factors, or give arms"
        )
    entries: list[PlannedArm] = []
    cells = list(combinations(settings.factors))
    check_clashes(settings.factors, arms)
    for levels in cells:
        point = make_point(settings, levels)
        built = {
            arm.name: build_arm(arm, space, point, bool(settings.learning_rates)) for arm in arms
        }
        if follow is not None:
            built = {name: (follow(name, variant), r) for name, (variant, r) in built.items()}
        for matching in settings.match.by:
            planned = partial(plan_arm, settings, point, matching, init.hash)
            entries += arms_at(
                settings, arms, built, baseline, matching, latency, planned, point.cell.name
            )
    _check_distinct(entries)
    _check_primary(settings, entries)
    return ComparisonPlan(settings, tuple(entries), init, settings.looks)


def _check_distinct(entries: Sequence[PlannedArm]) -> None:
    """Refuse two arms that are one network: their difference would be nothing but noise.

    So are two cells whose arms are all the same, such as of windows of 4 and of 4x4: each would
    count as evidence for the other.
    """
    seen: dict[tuple[str, str, tuple[str, ...]], str] = {}
    places: set[tuple[str, str, str]] = set()
    for entry in entries:
        place = entry.cell.name, entry.matching, entry.arm
        if place in places:
            raise InputError(
                f"arm {entry.arm!r} has the name that match.by {entry.matching} gives to the equal "
                "in cost of another; give it another label"
            )
        places.add(place)
        key = (entry.cell.name, entry.matching, entry.candidates)
        other = seen.setdefault(key, entry.arm)
        if other != entry.arm:
            at = f" at {entry.cell.name}" if entry.cell.name else ""
            raise InputError(
                f"arms {other!r} and {entry.arm!r}{at} are the same network and recipe; leave one "
                "of them out"
            )
    cells: dict[str, list[tuple[str, str, tuple[str, ...]]]] = {}
    for entry in entries:
        arm = entry.matching, entry.arm, entry.candidates
        cells.setdefault(entry.cell.name, []).append(arm)
    first: dict[tuple[tuple[str, str, tuple[str, ...]], ...], str] = {}
    for name, made in cells.items():
        twin = first.setdefault(tuple(made), name)
        if twin != name:
            raise InputError(
                f"factors: {twin} and {name} are the same networks, recipes and data in every arm; "
                "leave one of them out"
            )


def _check_primary(settings: ComparisonSettings, entries: Sequence[PlannedArm]) -> None:
    """Refuse a primary question that no difference of the comparison answers."""
    wanted = settings.primary
    if not wanted.arm:
        return
    arms = {entry.arm for entry in entries}
    if wanted.arm not in arms:
        raise unknown("arm of primary.arm", wanted.arm, arms)
    against = {
        name
        for entry in entries
        if entry.arm == wanted.arm
        for name in (entry.against, *entry.controls.values())
        if name is not None
    }
    if not against:
        raise InputError(
            f"primary.arm {wanted.arm!r} is what others are compared with; name another arm"
        )
    if wanted.against and wanted.against not in against:
        raise unknown(f"arm for primary.against of {wanted.arm!r}", wanted.against, against)


def is_primary(settings: ComparisonSettings, entry: PlannedArm, against: str) -> bool:
    """Whether an entry's difference to an arm is the primary question."""
    wanted = settings.primary
    return entry.arm == wanted.arm and against == (wanted.against or entry.against)
