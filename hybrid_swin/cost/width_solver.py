"""The width solver: the same variant, made as wide as a given cost allows.

Costs are closed forms, so nothing is built and a variant takes milliseconds.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

from hybrid_swin.cost import (
    Cost,
    blocks_cost,
    count_cost,
    head_cost,
    merging_cost,
    mlps_cost,
    stem_cost,
)
from hybrid_swin.cost.stage_shapes import MOST_SCALE, shapes_near, shapes_of
from hybrid_swin.errors import InputError, quote, unknown
from hybrid_swin.spec.branch_shapes import Shape
from hybrid_swin.spec.values import Range
from hybrid_swin.spec.variant import Variant

By = Literal["parameters", "macs", "activations"]
Field = Literal["width", "mlp_ratio"]

Shapes = tuple[Shape, ...]

_TOLERANCES = Range(0, 10)  # of residuals, as shares
_MOST_COMBINATIONS = 4000
_HALVINGS = 14  # of the range of scales; leaves steps below the finest width's
_MLP_RATIO_RANGE = 2.0  # an MLP ratio becomes at most so many times larger and smaller
_MOST_STRAIN = 0.15  # beyond it, stages lose their proportions and the MLP ratio moves as well
_DIGITS = (2, 3, 4, 6)  # of an MLP ratio; more only where fewer miss the target


@dataclass(frozen=True)
class WidthMatch:
    """A variant that meets a cost."""

    variant: Variant
    cost: Cost
    residuals: dict[str, float]  # by what share each cost that the target has is exceeded
    adjuster: str  # what was moved, in words


def match_cost(
    variant: Variant,
    to: Variant | Cost | int | float,
    by: By = "macs",
    *,
    tolerance: float = 0.01,
    fields: Collection[Field] = ("width", "mlp_ratio"),
) -> WidthMatch:
    """The variant with widths such that it costs what ``to`` costs.

    Of all widths near one common scale whose cost is within the tolerance, those are taken with
    the least ``|residual| + rms(w - mean w) + rms(d) / 10``, where w and d are the logarithms of a
    stage's new width and head dim over its own: stages keep their proportions, heads their size.
    Head dims are multiples of 8, and numbers of heads are kept where they can be. Where no widths
    will do, or only ones that lose the proportions, the MLP ratio meets the rest.

    Args:
        variant: what to scale.
        to: another variant, a cost, or an amount of the cost named in ``by``.
        by: the cost to meet.
        tolerance: the largest residual, as a share.
        fields: what may move.

    Raises:
        InputError: an unknown name, a target that is out of reach (with the least and the greatest
            that is not), or one that nothing comes near enough.
    """
    if not isinstance(variant, Variant):
        raise InputError(
            f"a Variant is matched; got {quote(variant)}; resolve_variant gives that of a name"
        )
    if by not in get_args(By):
        raise unknown("cost", by, get_args(By))
    if isinstance(fields, str | bytes) or not isinstance(fields, Iterable):
        raise InputError(f"fields are a list, such as ['width']; got {quote(fields)}")
    for name in fields:
        if name not in get_args(Field):
            raise unknown("field to match by", name, get_args(Field))
    tolerance = read_tolerance(tolerance)
    target = count_cost(to) if isinstance(to, Variant) else to
    amount = getattr(target, by) if isinstance(target, Cost) else target
    if not isinstance(amount, int | float) or not 0 < amount < math.inf:
        raise InputError(f"the {by} to match must be a number above 0; got {amount!r}")
    shapes, mlp_ratio = _Search(variant, by, amount, tolerance, fields).best()
    solved = reshaped(variant, shapes, mlp_ratio)
    cost = count_cost(solved)
    residuals = (
        cost.relative_to(target)
        if isinstance(target, Cost)
        else {str(by): getattr(cost, by) / amount - 1}
    )
    return WidthMatch(solved, cost, residuals, changes(variant, solved))


def read_tolerance(tolerance: float) -> float:
    """The largest residual. Raises InputError where none could be within it."""
    return _TOLERANCES.read("tolerance, a share as in 0.01,", tolerance)


def reshaped(variant: Variant, shapes: Iterable[Shape], mlp_ratio: float) -> Variant:
    """The variant with other widths, heads and MLP ratio."""
    stages = tuple(
        replace(stage, width=shape.width, num_heads=shape.num_heads)
        for stage, shape in zip(variant.stages, shapes, strict=True)
    )
    return replace(variant, stages=stages, mlp_ratio=mlp_ratio)


def changes(before: Variant, after: Variant) -> str:
    """What differs in shape between two variants of as many stages, in words."""
    old, new = (
        {
            "widths": "-".join(str(stage.width) for stage in variant.stages),
            "heads": "-".join(str(stage.num_heads) for stage in variant.stages),
            "MLP ratio": f"{variant.mlp_ratio:g}",
        }
        for variant in (before, after)
    )
    return ", ".join(f"{k} {old[k]} to {new[k]}" for k in old if old[k] != new[k]) or "nothing"


class _Search:
    """One search. The cost of each part is worked out once, whatever it is combined with."""

    def __init__(
        self, variant: Variant, by: By, amount: float, tolerance: float, fields: Collection[Field]
    ) -> None:
        self.variant, self.by, self.amount, self.tolerance = variant, by, amount, tolerance
        self.moves_width, self.moves_mlp = "width" in fields, "mlp_ratio" in fields
        self.mlp_range = _MLP_RATIO_RANGE if self.moves_width else MOST_SCALE
        self.original = shapes_of(variant)
        self.blocks, self.mlps, self.between = (
            cache(function) for function in (self._blocks, self._mlps, self._between)
        )

    def best(self) -> tuple[Shapes, float]:
        """Shapes and MLP ratio. Raises InputError where none are good enough."""
        candidates = self._candidates()
        fitting = [
            (self._strain(shapes) + abs(self._residual(cost)), shapes)
            for cost, shapes in candidates
            if abs(self._residual(cost)) <= self.tolerance
        ]
        strain, shapes = min(fitting, default=(math.inf, self.original))
        if strain > _MOST_STRAIN and self.moves_mlp:
            for other, shapes_, ratio in self._by_mlp_ratio(candidates):
                if other >= strain:
                    break
                rounded = self._rounded(shapes_, ratio)
                if rounded:
                    return shapes_, rounded
        if fitting:
            return shapes, self.variant.mlp_ratio
        raise self._refusal(candidates)

    # What is tried

    def _candidates(self) -> list[tuple[int, Shapes]]:
        """Combinations of shapes near the scale that meets the cost, and what each costs."""
        original = [(self._cost(self.original), self.original)]
        if not self.moves_width or original[0][0] == self.amount:
            return original
        low, high = -math.log(MOST_SCALE), math.log(MOST_SCALE)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self._cost(self._scaled(math.exp(middle))) < self.amount:
                low = middle
            else:
                high = middle
        scale, count = math.exp(high), len(self.original)
        each = max(2, int(_MOST_COMBINATIONS ** (1 / count)))
        partial: list[tuple[int, Shapes]] = [(0, ())]
        for index in range(count):
            options = [
                (self._stage(index, shape, self.variant.mlp_ratio), shape)
                for shape in shapes_near(self.variant, index, scale, each)
            ]
            partial = [
                (total + cost + self._merging(index, chosen[-1:], shape), (*chosen, shape))
                for total, chosen in partial
                for cost, shape in options
            ]
        return original + partial

    def _scaled(self, scale: float) -> Shapes:
        """All stages as near to a scale as they come."""
        return tuple(shapes_near(self.variant, i, scale, 1)[0] for i in range(len(self.original)))

    def _by_mlp_ratio(
        self, candidates: list[tuple[int, Shapes]]
    ) -> list[tuple[float, Shapes, float]]:
        """Strain, shapes and an MLP ratio that meets the cost, or its limit; least strain first."""
        old, most = self.variant.mlp_ratio, self.mlp_range
        matches = []
        for cost, shapes in candidates:
            exact = self._exact_ratio(shapes, cost)
            ratio = min(max(exact, old / most), old * most)
            slope = (self.amount - cost) / (exact - old) if exact != old else 0.0
            if abs(slope * (ratio - exact)) <= self.tolerance * self.amount:
                matches.append((self._strain(shapes) + abs(math.log(ratio / old)), shapes, ratio))
        return sorted(matches)

    def _exact_ratio(self, shapes: Shapes, cost: int) -> float:
        """The MLP ratio that would meet the cost if hidden widths could be fractions."""
        old = self.variant.mlp_ratio
        more = sum(
            self.mlps(index, shape.width, 2 * old) - self.mlps(index, shape.width, old)
            for index, shape in enumerate(shapes)
        )
        slope = more / old
        return old + (self.amount - cost) / slope

    def _rounded(self, shapes: Shapes, ratio: float) -> float | None:
        """The ratio with as few digits as come near; none if hidden widths are too coarse."""
        near = {d: abs(self._residual(self._cost(shapes, round(ratio, d)))) for d in _DIGITS}
        digits = next(
            (d for d in near if near[d] <= self.tolerance / 10), min(near, key=lambda d: near[d])
        )
        return round(ratio, digits) if near[digits] <= self.tolerance else None

    # What it costs, in the cost to match

    def _cost(self, shapes: Shapes, mlp_ratio: float | None = None) -> int:
        ratio = self.variant.mlp_ratio if mlp_ratio is None else mlp_ratio
        return sum(
            self._stage(index, shape, ratio)
            + self._merging(index, shapes[max(index - 1, 0) : index], shape)
            for index, shape in enumerate(shapes)
        )

    def _stage(self, index: int, shape: Shape, mlp_ratio: float) -> int:
        return self.blocks(index, shape) + self.mlps(index, shape.width, mlp_ratio)

    def _merging(self, index: int, before: Shapes, after: Shape) -> int:
        """The merging into a stage; nothing before the first."""
        return self.between(index, before[-1].width, after.width) if before else 0

    def _blocks(self, index: int, shape: Shape) -> int:
        """A stage's blocks without MLPs; with the first the stem, and with the last the head."""
        variant, width = self.variant, shape.width
        stage = replace(variant.stages[index], width=width, num_heads=shape.num_heads)
        total = blocks_cost(variant, index, stage)
        if index == 0:
            total += stem_cost(variant, width)
        if index == len(variant.stages) - 1:
            total += head_cost(variant, width)
        return int(getattr(total, self.by))

    def _mlps(self, index: int, width: int, mlp_ratio: float) -> int:
        return int(getattr(mlps_cost(self.variant, index, width, mlp_ratio), self.by))

    def _between(self, index: int, before: int, after: int) -> int:
        return int(getattr(merging_cost(self.variant, index, before, after), self.by))

    def _residual(self, cost: float) -> float:
        return cost / self.amount - 1

    def _strain(self, shapes: Shapes) -> float:
        """How far shapes are from the original's proportions and head dims; 0 for a pure scale."""
        widths, dims = [], []
        for new, old in zip(shapes, self.original, strict=True):
            widths.append(math.log(new.width / old.width))
            dims.append(widths[-1] - math.log(new.num_heads / old.num_heads))
        mean = sum(widths) / len(widths)
        return _rms([w - mean for w in widths]) + _rms(dims) / 10

    # Where nothing fits

    def _refusal(self, candidates: list[tuple[int, Shapes]]) -> InputError:
        """Out of reach, or between the steps?"""
        ends = [self.original, self.original]
        if self.moves_width:
            ends = [self._scaled(1 / MOST_SCALE), self._scaled(MOST_SCALE)]
        span = self.mlp_range if self.moves_mlp else 1.0
        low, high = self.variant.mlp_ratio / span, self.variant.mlp_ratio * span
        least, most = self._cost(ends[0], low), self._cost(ends[1], high)
        moved = " and ".join(
            name
            for name, moves in (("widths", self.moves_width), ("the MLP ratio", self.moves_mlp))
            if moves
        )
        wanted = f"{self.variant.name!r} cannot have {self.amount:,.0f} {self.by}"
        if not least <= self.amount <= most:
            return InputError(
                f"{wanted}: changing {moved or 'nothing'} reaches from {least:,} to {most:,}; "
                "choose a target in between, or another depth"
            )
        costs = [cost for cost, _ in candidates]
        if self.moves_mlp:
            for cost, shapes in candidates:
                exact = min(max(self._exact_ratio(shapes, cost), low), high)
                costs.append(self._cost(shapes, exact))
        nearest = min(costs, key=lambda cost: abs(self._residual(cost)))
        return InputError(
            f"{wanted} within {self.tolerance:.2%} by changing {moved}; the nearest has "
            f"{nearest:,} ({self._residual(nearest):+.2%}); allow a larger tolerance"
            + ("" if self.moves_mlp else ", or let mlp_ratio move")
        )


def _rms(values: list[float]) -> float:
    return math.sqrt(sum(v * v for v in values) / len(values))
