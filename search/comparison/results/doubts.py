"""How sure a comparison is: arms that are kept out, what could be found, and cautions."""

import math
from collections.abc import Iterable
from statistics import median

from search.comparison.report.rows import percent
from search.comparison.results.arm_result import ArmResult, matched_by
from search.comparison.results.comparison import Comparison
from search.leaderboard.rows.intervals import items_of
from search.statistics.formatting import is_share, points, score_text, unit
from search.statistics.skewed_luck import CAUTION, skewed_luck
from search.statistics.undertraining import FEWEST_EPOCHS

FEW_SEEDS = 5
_FEW = 4  # arms that are named one by one


def kept_out(comparison: Comparison) -> list[str]:
    """Arms that no conclusion speaks of, and why."""
    young = [place(r, comparison) for r in comparison.results if r.undertrained]
    unknown = [
        place(r, comparison) for r in comparison.results if r.whole and r.undertrained is None
    ]
    lost = [
        f"{place(r, comparison)} ({r.seeds} of {r.seeds_asked}, {r.state})"
        for r in comparison.results
        if r.seeds < r.seeds_asked == r.ended
    ]
    said = []
    if young:
        said.append(
            "Still improving when training ended, so kept out of every conclusion: "
            f"{listed(young)}."
        )
    if unknown:
        which = listed(unknown)
        if len(unknown) > _FEW:
            which = f"{len(unknown)} of {len(comparison.results)} lines of the table, marked there"
        said.append(
            f"Fewer than {FEWEST_EPOCHS} epochs do not tell whether training had ended, so kept "
            f"out of every conclusion: {which}."
        )
    if lost:
        said.append(
            "Not every seed completed, and a mean of survivors flatters, so kept out of every "
            f"conclusion: {listed(lost)}."
        )
    return said + _guessing(comparison)


def _guessing(comparison: Comparison) -> list[str]:
    """Arms that are not shown to have learnt anything."""
    found = [r for r in comparison.results if r.at_chance]
    if not found:
        return []
    which = listed(place(r, comparison) for r in found)
    if len(found) > _FEW:
        which = f"{len(found)} of {len(comparison.results)} lines of the table, marked there"
    scores = {
        f"{r.chance_of} {score_text(r.chance, r.chance_of)}{'%' * is_share(r.chance_of)}"
        for r in found
    }
    return [
        "No seed is shown to be better on test than a guess without looking "
        f"({listed(sorted(scores))}): {which}. What two such arms differ by says nothing and is "
        "kept out of every conclusion."
    ]


def waiting(comparison: Comparison) -> list[str]:
    """Arms that have not come to their end."""
    pending = [r for r in comparison.results if r.ended < r.seeds_asked]
    if pending:
        which = listed([f"{place(r, comparison)} ({r.ended} of {r.seeds_asked})" for r in pending])
        if len(pending) > _FEW:
            which = f"{len(pending)} of {len(comparison.results)} lines of the table"
        return [f"Still training, so kept out of every conclusion: {which}."]
    return []


def doubt(comparison: Comparison) -> list[str]:
    """How small a difference could have been found, and what the intervals cover."""
    all_versus = [v for r in comparison.results for v in (r.versus, *r.controls) if v is not None]
    most_of_all = 1.0 if is_share(comparison.monitor) else math.inf
    known = [
        min(v.detectable, most_of_all)
        for r in comparison.results
        if r.usable
        for v in (r.versus, *r.controls)
        if v is not None and v.detectable is not None
    ]
    seeds = min((v.seeds for v in all_versus if v.low is not None), default=0)
    said = []
    if known:
        least, middle, most = (
            points(value, comparison.monitor, sign=False)
            for value in (min(known), median(known), max(known))
        )
        span = f"{least} to {most} (half of them up to {middle})" if least != most else most
        family = comparison.family
        differences = f"{family} difference{'s' * (family != 1)}"
        said.append(
            f"With {seeds} seeds and the spread seen here, the true difference that would be found "
            f"four times in five is {span}{unit(comparison.monitor)} "
            f"({differences}, Holm at {percent(comparison.level)})."
        )
    if 2 <= seeds < FEW_SEEDS:
        said.append(f"{seeds} seeds give wide intervals; {FEW_SEEDS} are the least for a claim.")
    luck = [place(result, comparison) for result in luck_of(comparison)]
    if luck:
        said.append(f"Of {listed(luck)}, {CAUTION}.")
    if any(v.covers == "seeds" for v in all_versus):
        said.append("Intervals over seeds speak of new seeds on these images, not of new images.")
    if any(v.measured_on == "validation" and v.seeds for v in all_versus):
        chose = ", which also chose the learning rates" * (comparison.choose_rate != "one")
        said.append(f"Where test was not read, differences are on validation{chose}.")
    return said


def luck_of(comparison: Comparison) -> list[ArmResult]:
    """Arms near the ceiling, whose seeds differ more than intervals can know."""
    return [
        result
        for result in comparison.results
        if result.usable and skewed_luck(result.test_scores, _images(result, comparison))
    ]


def _images(result: ArmResult, comparison: Comparison) -> int:
    """Test images that the arm's scores are shares of; 0 where they are none."""
    return items_of(comparison.monitor, result.test_images) or 0


def cautions(comparison: Comparison) -> list[str]:
    """What a reader must be careful of beside the intervals."""
    said = []
    if comparison.given_rates:
        said.append(
            "One choice of learning rates served all seeds, so no interval knows how else it could "
            "have come out: other selection trainings may choose others, and change the result. "
            "choose_rate: per_seed makes the choice part of what is measured."
        )
    edge = [r for r in comparison.results if r.rate_at_edge]
    if edge:
        which = listed([f"{place(r, comparison)} ({r.rates_text})" for r in edge])
        if len(edge) > _FEW:
            which = f"{len(edge)} of {len(comparison.results)} lines of the table, marked there"
        said.append(
            "The chosen learning rate is at the edge of those tried, so a wider choice may change "
            f"the result: {which}."
        )
    said += comparison.damaged
    if comparison.orphans:
        said.append(
            f"{comparison.orphans} finished training(s) in the folder are of networks that are not "
            "in its plan, and are not shown."
        )
    shared = _shared_lines(comparison)
    if shared:
        said.append(
            f"One and the same trainings stand in several lines of the table, so these are "
            f"not independent evidence for each other: {listed(shared)}."
        )
    if comparison.mixed:
        said.append(f"Runs differ in their {listed(comparison.mixed)}: compare with care.")
    return said


def _shared_lines(comparison: Comparison) -> list[str]:
    """Arms of which one set of trainings serves in several cells or ways of matching.

    The baseline under several ways of matching is meant to be one, and left out.
    """
    lines: dict[tuple[str, ...], list[ArmResult]] = {}
    for result in comparison.results:
        if result.keys:
            lines.setdefault(tuple(sorted(result.keys)), []).append(result)
    return [
        f"{found[0].arm} ({len(found)} lines)"
        for found in lines.values()
        if len(found) > 1 and (found[0].against or len({r.cell for r in found}) > 1)
    ]


def place(result: ArmResult, comparison: Comparison) -> str:
    """An arm with its cell, and its matching where there are several."""
    text = f"{result.arm} at {result.cell}" if result.cell else result.arm
    if len(comparison.matchings) > 1 and result.against:
        text += f" {matched_by(result.matching)}"
    return text


def listed(items: Iterable[str]) -> str:
    """Each of them once, with commas."""
    return ", ".join(dict.fromkeys(items))
