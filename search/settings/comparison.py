"""One comparison as typed data: what `configs/compare/*.yaml` holds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal

from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe import RANGES
from hybrid_swin.spec.values import Range, check_ranges
from hybrid_swin.training.metric_facts import facts_of
from search.settings.claims import ClaimSettings
from search.settings.experiment import (
    MOST_SEEDS,
    ExperimentSettings,
    check_looks,
    check_size,
    looks_of,
)
from search.settings.first_weights import InitSettings
from search.settings.names import check_label

DEFAULT_CONFIG = "configs/compare/digits.yaml"

MatchBy = Literal["macs", "parameters", "latency", "control", "none"]
ChooseRate = Literal["per_seed", "once"]


@dataclass(frozen=True)
class ArmSettings:
    """One side of a comparison; without `add` and `blocks` it is the network as it stands.

    Args:
        label: its name; `+` and what it adds, its block words, or `base` where left out.
        add: a branch, or several joined by `+`, put beside the mixer of every block, such as
            `mdta(depthwise=false)`; a fusion may follow: `mdta:gate`.
        blocks: block words for every stage instead of the network's.
        set: other values by path, for example {window_size: 8, recipe.weight_decay: 0.1}.
        controls: cause: label of the arm that has all of this one but that cause. A conclusion
            credits a cause only where the arm beats its control.
    """

    label: str = ""
    add: str = ""
    blocks: tuple[str, ...] = ()
    set: dict[str, Any] = field(default_factory=dict)
    controls: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The label, given or made."""
        if self.label:
            return self.label
        return f"+{self.add}" if self.add else " ".join(self.blocks) or "base"


@dataclass(frozen=True)
class MatchSettings:
    """How arms are made to cost the same as the baseline.

    Args:
        by: one or several of macs, parameters, latency (widths, then the MLP ratio, are solved so
            that the arm costs what the baseline costs), control (widths stay; each arm is compared
            with the baseline plus a `pointwise` branch of as many MACs) and none.
        tolerance: the largest residual, as a share; latency is met within 0.05 or this, whichever
            is larger.
        fields: what may move: width, mlp_ratio.
    """

    by: tuple[MatchBy, ...] = ("macs",)
    tolerance: Annotated[float, Range(0, 10)] = 0.02
    fields: tuple[Literal["width", "mlp_ratio"], ...] = ("width", "mlp_ratio")


@dataclass(frozen=True)
class PrimarySettings:
    """The one question that was asked before all others.

    Args:
        arm: label of an arm; empty for no primary question.
        against: the arm that it is compared with; what it stands against in the table, usually the
            baseline, where left out.
    """

    clearable: ClassVar[tuple[str, ...]] = ("arm", "against")

    arm: str = ""
    against: str = ""


@dataclass(frozen=True)
class ComparisonSettings(ExperimentSettings):
    """One comparison.

    Args:
        variant: the network that every arm starts from; {same_as: path} and {times: [path, factor]}
            tie values.
        recipe: how all arms are trained; `preset` names one, and what stands beside it counts
            first.
        arms: what is compared; left out, the network, mdta and conv beside its mixers, and the
            controls that tell why they help.
        baseline: label of the arm that the others are compared with; the first where left out.
        factors: what is varied beside the arms, each a list of levels; every combination is a
            comparison of its own. `base`: the block words that arms add to; `stages`: where they
            add, `all` or a list of stages; `fusion`: how what is added joins; or any path, such
            as window_size, recipe.epochs, recipe.preset (what `recipe` gives counts first) or
            data.options.reach. A level that is a mapping sets
            several paths, and `label` in it is how it is shown.
        match: how costs are made equal.
        init: weights that every arm starts from, such as an ImageNet Swin's: a file, or a mapping
            with weights. Widths must stay: match.by control or none. What the file does not have,
            such as an added branch, starts fresh.
        weights_prefix: the older way to write init.prefix.
        follow_source: the older way to write init.follow_source.
        learning_rates: each arm trains with each of them, validation chooses; the recipe's alone
            where left out.
        choose_rate: per_seed chooses the learning rate anew for each of `seeds`, on trainings of
            its own, so that the luck of the choice is part of the spread between seeds; once
            chooses one rate for all seeds, which costs less and makes every conclusion one "given
            these learning rates".
        selection_seeds: trainings for each learning rate, each time that one is chosen.
        seeds: paired seeds for every arm, fresh after the choice; at least 5 for a claim. A rising
            list, such as [3, 5, 8], plans looks: each start trains up to the next of them and
            concludes, at levels that keep false alarms over all looks together at 5%.
        equivalence: a difference below it counts as none, in percentage points for shares, in the
            metric's unit else; then arms can be shown equal.
        primary: the one question that gets 5% of its own; the others share another 5%.
        milestone: a score on validation; the table reports the steps until an arm first reaches it.
        published: differences that papers report, each judged beside this comparison's own:
            reproduced, contradicted, or underpowered. They may change at any start; nothing is
            trained again.
    """

    free: ClassVar[tuple[str, ...]] = (*ExperimentSettings.free, "seeds", "published")
    clearable: ClassVar[tuple[str, ...]] = ("baseline",)

    name: str = "comparison"
    arms: tuple[ArmSettings, ...] = ()
    baseline: str = ""
    factors: dict[str, list[Any]] = field(default_factory=dict)
    match: MatchSettings = field(default_factory=MatchSettings)
    weights_prefix: str | None = None
    follow_source: bool = False
    learning_rates: tuple[float, ...] = ()
    choose_rate: ChooseRate = "per_seed"
    selection_seeds: Annotated[int, Range(1, MOST_SEEDS)] = 1
    seeds: int | tuple[int, ...] = 5
    equivalence: Annotated[float | None, Range(0, 1000, open_below=True)] = None
    primary: PrimarySettings = field(default_factory=PrimarySettings)
    milestone: Annotated[float | None, Range(-1e6, 1e6)] = None
    published: tuple[ClaimSettings, ...] = ()

    @property
    def first_weights(self) -> InitSettings | None:
        """The weights that arms start from, with what is written beside them in older files."""
        init = InitSettings(self.init) if isinstance(self.init, str) else self.init
        if init is None:
            return None
        prefix = init.prefix if self.weights_prefix is None else self.weights_prefix
        follows = init.follow_source or self.follow_source
        return replace(init, prefix=prefix, follow_source=follows)

    @property
    def changes(self) -> Sequence[Mapping[str, Any]]:
        """What levels of factors and arms change, by path."""
        levels = [
            level if isinstance(level, Mapping) else {name: level}
            for name, given in self.factors.items()
            for level in (given if isinstance(given, list | tuple) else ())
        ]
        return [*levels, *(arm.set for arm in self.arms)]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_looks("seeds", self.seeds)
        if self.looks[0] < 2:
            raise InputError(
                f"seeds {self.looks[0]}: one training of each arm gives no interval, so nothing "
                "could be concluded; give at least 3, and 5 or more for a claim"
            )
        self._check_size()
        self._check_claims()
        if self.primary.against and not self.primary.arm:
            raise InputError("primary.against needs primary.arm, the arm that is compared with it")
        if not self.match.by:
            raise InputError("match.by is empty; give macs, parameters, latency, control or none")
        if len(set(self.match.by)) < len(self.match.by):
            raise InputError(f"match.by names one way twice: {', '.join(self.match.by)}")
        for rate in self.learning_rates:
            check_ranges({"learning_rates": (rate, RANGES["learning_rate"])})
        if len(set(self.learning_rates)) < len(self.learning_rates):
            raise InputError(f"learning_rates names one rate twice: {list(self.learning_rates)}")
        if self.weights_prefix is not None and self.init is None:
            raise InputError(
                f"weights_prefix {self.weights_prefix!r} chooses a network of init; give init too"
            )
        if self.follow_source and self.init is None:
            raise InputError("follow_source follows the library of init; give init too")
        moves = [by for by in self.match.by if by not in ("control", "none")]
        init = self.first_weights
        if init is not None and moves:
            raise InputError(
                f"init {init.weights!r} with match.by {moves[0]}: solved widths do not fit the "
                "weights; give match.by control (or none), which keeps the widths"
            )

    def _check_claims(self) -> None:
        """Raise InputError for a published difference that the objective cannot have."""
        for claim in self.published:
            for name, size in (("difference", claim.difference), ("margin", claim.margin)):
                if size is not None and self.scale == 100.0 and abs(size) > self.scale:
                    raise InputError(
                        f"published: {name} {size:g} of {claim.subject} is more than 100 points; "
                        f"{self.objective.monitor} is a share, so give percentage points"
                    )

    def _check_size(self) -> None:
        """Raise InputError for labels that no table holds, or for more trainings than a folder."""
        for index, arm in enumerate(self.arms):
            check_label(arm.name, f"arms.{index}: the label")
            for cause in arm.controls:
                check_label(cause, f"arms.{index}.controls: the cause")
        for factor in self.factors:
            check_label(factor, "factors: the name")
        cells = math.prod(len(v) for v in self.factors.values() if isinstance(v, list | tuple))
        arms = max(1, len(self.arms)) * max(1, len(self.match.by))
        runs = len(self.learning_rates) * self.selection_seeds + max(self.looks)
        check_size(cells * arms * runs, "factors, arms, learning_rates or seeds")

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of seeds at which conclusions are drawn."""
        return looks_of(self.seeds)

    @property
    def margin(self) -> float | None:
        """The difference that counts as none, in the objective's own unit."""
        return None if self.equivalence is None else self.equivalence / self.scale

    @property
    def scale(self) -> float:
        """How many units of settings make one of the objective: 100 points make a share of 1."""
        facts = facts_of(self.objective.monitor)
        return 100.0 if facts is not None and facts.in_percent else 1.0
