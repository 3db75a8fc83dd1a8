"""Published differences beside those of a comparison, each with its verdict.

There is no verdict where a conclusion may not speak of the arms: they were still improving, lost a
seed, guess, or do not cost the same. Of a change of a factor, the same holds for each pair of arms
that its effect is averaged over.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from search.comparison.design.claims import holds_at
from search.comparison.design.factors import have_same_images, short_names, spell_level
from search.comparison.design.latency_match import CLOCK_TOLERANCE
from search.comparison.design.plan import ComparisonPlan
from search.comparison.results.arm_result import ArmResult
from search.comparison.results.differences import Versus
from search.comparison.results.factor_effects import FactorEffect
from search.comparison.results.trained_arm import length_of_training
from search.comparison.results.verdicts import ClaimVerdict, Direction, Judgement, judge
from search.settings.claims import ClaimSettings
from search.statistics.needed_seeds import Needed

_UNEQUAL = 0.03  # share of a cost
_NO_INTERVAL = "so few seeds give no interval"


@dataclass(frozen=True)
class JudgedClaim:
    """A published difference in one cell under one matching.

    Args:
        claim: what was published.
        name: what is compared with what, in words.
        cell: the factors' levels in words.
        matching: how costs were made equal.
        against: label of the arm that the claim's is compared with; of a factor its first level.
        difference, low, high: the comparison's own, in the objective's unit.
        seeds: shared ones.
        images: covered by the interval, in ``unit``.
        unit: what ``images`` and ``images_needed`` count: ``images`` or ``groups of images``.
        measured_on: ``test``, or ``validation`` where test was not read.
        verdict: see `verdicts`.
        direction: of what is contradicted.
        seeds_needed: that would show what was published at the spread seen; None if not
            underpowered, if unknown, or if no number does.
        seeds_needed_low, seeds_needed_high: likewise at the ends of the spread's 95% interval; the
            latter None if more than 1,000.
        images_needed: test images that it would take, if no number of seeds does.
        why: there is no verdict; empty if there is one.
        conditions: the data and the length of training of the arms that it is about.
    """

    claim: ClaimSettings
    name: str
    cell: str
    matching: str
    against: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: int = 0
    images: int = 0
    unit: Literal["images", "groups of images"] = "images"
    measured_on: str = "test"
    verdict: ClaimVerdict = "no verdict"
    direction: Direction = ""
    seeds_needed: int | None = None
    seeds_needed_low: int | None = None
    seeds_needed_high: int | None = None
    images_needed: int | None = None
    why: str = ""
    conditions: str = ""


def judge_claims(
    plan: ComparisonPlan, results: Sequence[ArmResult], effects: Sequence[FactorEffect] = ()
) -> tuple[JudgedClaim, ...]:
    """All published differences, wherever they are to be judged.

    Args:
        plan: of the comparison.
        results: its arms.
        effects: of its factors, also those without an answer.
    """
    judge = _Judge(plan, {(r.cell, r.matching, r.arm): r for r in results})
    judged: list[JudgedClaim] = []
    for claim in plan.settings.published:
        about = judge.change(claim, effects) if claim.factor else judge.arm(claim, results)
        judged.extend(about)
    return tuple(judged)


def claim_cells(claims: Sequence[JudgedClaim], row: ArmResult) -> dict[str, Any]:
    """Columns of a row of the CSV; none if nothing is published.

    A difference on which several papers report has them all, with semicolons.
    """
    if not claims:
        return {}
    place = (row.cell, row.matching, row.arm, row.against)
    here = [c for c in claims if (c.cell, c.matching, c.claim.arm, c.against) == place]
    sizes = (f"difference {c.claim.text}" if c.claim.difference else c.claim.text for c in here)
    return {
        "published": "; ".join(sizes) or None,
        "published_by": "; ".join(one.claim.source for one in here) or None,
        "published_verdict": "; ".join(one.verdict for one in here) or None,
    }


def _places(
    claim: ClaimSettings, results: Sequence[ArmResult]
) -> Iterator[tuple[ArmResult, Versus]]:
    """The differences that a claim is about, one per cell and matching."""
    for result in results:
        if not claim.arm or result.arm != claim.arm or not holds_at(claim, result.levels):
            continue
        wanted = claim.against or result.against
        differences = [v for v in (result.versus, *result.controls) if v is not None]
        for versus in [v for v in differences if v.against == wanted][:1]:
            yield result, versus


@dataclass(frozen=True)
class _Judge:
    """A comparison's arms, by cell, matching and label, as claims are set beside them."""

    plan: ComparisonPlan
    arms: Mapping[tuple[str, str, str], ArmResult]

    def arm(self, claim: ClaimSettings, results: Sequence[ArmResult]) -> Iterator[JudgedClaim]:
        """A claim on an arm, in each cell under each matching."""
        for result, versus in _places(claim, results):
            other = self.arms[result.cell, result.matching, versus.against]
            why = _obstacle(result, other) or _without_interval(versus)
            why = why or _unequal(result, other, self._most(result, other))
            made = JudgedClaim(
                claim,
                f"{claim.arm} against {versus.against}",
                result.cell,
                result.matching,
                versus.against,
                conditions=self._conditions([result, other]),
            )
            yield self._judged(made, versus, why)

    def change(
        self, claim: ClaimSettings, effects: Sequence[FactorEffect]
    ) -> Iterator[JudgedClaim]:
        """A claim on a change of a factor, under each matching."""
        settings = self.plan.settings
        name = short_names(settings.factors)[claim.factor]
        first, level = (spell_level(x) for x in (settings.factors[claim.factor][0], claim.level))
        for matching in settings.match.by:
            effect = next(
                (
                    e
                    for e in effects
                    if (e.question, e.matching) == ("alone", matching)
                    and (e.changes[0].factor, e.changes[0].after) == (name, level)
                ),
                None,
            )
            title = effect.name if effect else f"{name}={level} instead of {name}={first}"
            made = JudgedClaim(claim, title, "", matching, f"{name}={first}")
            if effect is None:
                same = have_same_images(self.plan.cells)
                why = "it changes no arm of all cells" if same else "cells have different images"
                yield replace(made, why=why)
                continue
            pairs = [
                tuple(self.arms[cell, matching, arm] for cell, arm in pair) for pair in effect.pairs
            ]
            made = replace(made, conditions=self._conditions([r for pair in pairs for r in pair]))
            yield self._judged(made, effect.versus, self._obstacle_of(effect, pairs))

    def _obstacle_of(self, effect: FactorEffect, pairs: Sequence[tuple[ArmResult, ...]]) -> str:
        """Why nothing can be said of a factor; empty if something can."""
        for after, before in pairs:
            if why := _obstacle(after, before):
                return why
        most = max(_UNEQUAL, 2 * self.plan.settings.match.tolerance)
        dearer = f"costs are not equal: {effect.changes[0].text} has {effect.macs:+.0%} MACs"
        return _without_interval(effect.versus) or dearer * (abs(effect.macs) > most)

    def _most(self, result: ArmResult, other: ArmResult) -> float:
        """Share by which costs may differ: a tolerance for each time that one was matched."""
        tolerance = self.plan.settings.match.tolerance
        least = CLOCK_TOLERANCE if result.matching == "latency" else _UNEQUAL
        direct = other.arm == result.against or result.arm == other.against
        return max(least, tolerance) if direct else max(least, 2 * tolerance)

    def _conditions(self, results: Sequence[ArmResult]) -> str:
        """Data and length of training of some arms."""
        places = {(r.cell, r.matching, r.arm) for r in results}
        entries = [e for e in self.plan.entries if (e.cell.name, e.matching, e.arm) in places]
        sources = dict.fromkeys(e.cell.data.class_path or e.cell.data.source for e in entries)
        return ", ".join(filter(None, (*sources, length_of_training(entries))))

    def _judged(self, made: JudgedClaim, versus: Versus, why: str) -> JudgedClaim:
        """With its verdict, or why there is none."""
        scale = self.plan.settings.scale
        judgement = Judgement("no verdict") if why else judge(made.claim, versus, scale)
        needed = judgement.needed or Needed(None, None, None)
        return replace(
            made,
            difference=versus.difference,
            low=versus.low,
            high=versus.high,
            seeds=versus.seeds,
            images=versus.items,
            unit="groups of images" if "groups" in versus.covers else "images",
            measured_on=versus.measured_on,
            verdict=judgement.verdict,
            direction=judgement.direction,
            seeds_needed=needed.seeds,
            seeds_needed_low=needed.low,
            seeds_needed_high=needed.high,
            images_needed=judgement.images,
            why=why,
        )


def _obstacle(result: ArmResult, other: ArmResult) -> str:
    """Why nothing can be said of two arms, whatever they cost; empty if something can."""
    levels = result.arm == other.arm  # of a factor
    for arm in (result, other):
        name = f"{arm.arm} at {arm.cell}" if levels else arm.arm
        if arm.finished_trainings < arm.seeds_asked:
            return f"{name} has {arm.finished_trainings} of {arm.seeds_asked} trainings"
        if not arm.whole:
            return f"{name} has lost a seed"
        if arm.undertrained:
            return f"{name} was still improving when training ended"
        if arm.undertrained is None:
            return f"{name} had too few epochs to tell whether training had ended"
    if result.at_chance and other.at_chance:
        which = f"{result.arm} is at neither level" if levels else "neither arm is"
        return f"{which} shown to be better than a guess"
    return ""


def _without_interval(versus: Versus) -> str:
    return _NO_INTERVAL if versus.low is None or versus.high is None else ""


def _unequal(result: ArmResult, other: ArmResult, most: float) -> str:
    """Which cost differs by more than ``most``, of those that were to be equal; empty if none."""
    if result.matching == "latency":
        one, another = (1 + arm.residuals.get("latency", 0.0) for arm in (result, other))
        over = one / another - 1
        return f"{result.arm} takes {over:+.0%} of the time" if abs(over) > most else ""
    costs = {
        "macs": (result.macs, other.macs),
        "parameters": (result.parameters, other.parameters),
    }
    equalised = {"parameters": ("parameters",), "none": ("macs", "parameters")}
    for name in equalised.get(result.matching, ("macs",)):
        mine, theirs = costs[name]
        if mine and theirs and abs(mine / theirs - 1) > most:
            what = {"macs": "MACs"}.get(name, name)
            return f"costs are not equal: {result.arm} has {mine / theirs - 1:+.0%} {what}"
    return ""
