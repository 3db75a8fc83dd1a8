"""Published differences beside those of a comparison, each with its verdict.

There is no verdict where a conclusion may not speak of the arms: they were still improving, lost a
seed, guess, or do not cost the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from search.comparison.design.claims import holds_at
from search.comparison.design.factors import short_names, spell_level
from search.comparison.results.arm_result import ArmResult
from search.comparison.results.differences import Versus
from search.comparison.results.factor_effects import FactorEffect
from search.comparison.results.verdicts import ClaimVerdict, Direction, Judgement, judge
from search.settings.claims import ClaimSettings
from search.settings.comparison import ComparisonSettings
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


def judge_claims(
    settings: ComparisonSettings,
    results: Sequence[ArmResult],
    effects: Sequence[FactorEffect] = (),
) -> tuple[JudgedClaim, ...]:
    """All published differences, wherever they are to be judged.

    Args:
        settings: of the comparison.
        results: its arms.
        effects: of its factors.
    """
    most = max(_UNEQUAL, 2 * settings.match.tolerance)
    judged = []
    for claim in settings.published:
        for effect in _effects(claim, settings, effects):
            change = effect.changes[0]
            why = _obstacle_of(effect, most)
            name = f"{change.text} instead of {change.undone}"
            judged.append(_judged(settings, claim, name, ("", effect.matching, change.undone),
                                  effect.versus, why))  # fmt: skip
        for result, versus in _places(claim, results):
            place = (result.cell, result.matching, versus.against)
            other = next(r for r in results if (r.cell, r.matching, r.arm) == place)
            why = _obstacle(result, other, versus, most)
            name = f"{claim.arm} against {versus.against}"
            judged.append(_judged(settings, claim, name, place, versus, why))
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


def _effects(
    claim: ClaimSettings, settings: ComparisonSettings, effects: Sequence[FactorEffect]
) -> Iterator[FactorEffect]:
    """The effects of the change that a claim is about, one per matching."""
    if not claim.factor:
        return
    name = short_names(settings.factors)[claim.factor]
    wanted = (name, spell_level(claim.level))
    for effect in effects:
        change = effect.changes[0]
        if effect.question == "alone" and (change.factor, change.after) == wanted:
            yield effect


def _judged(
    settings: ComparisonSettings,
    claim: ClaimSettings,
    name: str,
    place: tuple[str, str, str],
    versus: Versus,
    why: str,
) -> JudgedClaim:
    judgement = Judgement("no verdict") if why else judge(claim, versus, settings.scale)
    needed = judgement.needed or Needed(None, None, None)
    return JudgedClaim(
        claim,
        name,
        *place,
        versus.difference,
        versus.low,
        versus.high,
        versus.seeds,
        versus.items,
        "groups of images" if "groups" in versus.covers else "images",
        versus.measured_on,
        judgement.verdict,
        judgement.direction,
        needed.seeds,
        needed.low,
        needed.high,
        judgement.images,
        why,
    )


def _obstacle_of(effect: FactorEffect, most: float) -> str:
    """Why nothing can be said of a factor; empty if something can."""
    if effect.improving:
        return "some arms were still improving when training ended"
    if effect.versus.low is None or effect.versus.high is None:
        return _NO_INTERVAL
    if abs(effect.macs) > most:
        return f"costs are not equal: {effect.changes[0].text} has {effect.macs:+.0%} MACs"
    return ""


def _obstacle(result: ArmResult, other: ArmResult, versus: Versus, most: float) -> str:
    """Why nothing can be said; empty if something can."""
    for arm in (result, other):
        if arm.finished_trainings < arm.seeds_asked:
            return f"{arm.arm} has {arm.finished_trainings} of {arm.seeds_asked} trainings"
        if not arm.whole:
            return f"{arm.arm} has lost a seed"
        if arm.undertrained:
            return f"{arm.arm} was still improving when training ended"
        if arm.undertrained is None:
            return f"{arm.arm} had too few epochs to tell whether training had ended"
    if result.at_chance and other.at_chance:
        return "neither arm is shown to be better than a guess"
    if versus.low is None or versus.high is None:
        return _NO_INTERVAL
    return _unequal(result, other, most)


def _unequal(result: ArmResult, other: ArmResult, most: float) -> str:
    """Which cost differs by more than ``most``, of those that were to be equal; empty if none."""
    if result.matching == "latency":
        over = result.residuals.get("latency", 0.0)
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
