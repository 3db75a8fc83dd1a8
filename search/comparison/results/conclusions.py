"""What a comparison says in plain words, and never more than its numbers say.

A difference counts where it is shown after Holm's adjustment over the whole comparison. A cause is
credited only where an arm beats the control that lacks nothing but it. Arms that were still
improving, or lost a seed, are named and kept out.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import median

from search.comparison.design.arms import SIZE
from search.comparison.report.rows import margin_text, percent, primary_text
from search.comparison.results.arm_result import ArmResult, matched_by
from search.comparison.results.comparison import Comparison
from search.comparison.results.cost_conclusions import cost_conclusions, survival_conclusions
from search.comparison.results.differences import Versus
from search.leaderboard.rows.intervals import items_of
from search.statistics.formatting import (
    bound_text,
    interval_text,
    is_share,
    points,
    score_text,
    unit,
)
from search.statistics.skewed_luck import CAUTION, skewed_luck
from search.statistics.undertraining import FEWEST_EPOCHS
from search.study.looks import about_looks

FEW_SEEDS = 5
GIVEN_RATES = "Given these learning rates"  # conclusions, where one choice served all seeds
_FEW = 4  # arms that are named one by one
_UNEQUAL = 0.03  # share of MACs


def conclusions(comparison: Comparison) -> list[str]:
    """Plain sentences: what is better, why, at what cost, how sure, and what to be careful of."""
    if max((result.seeds for result in comparison.results), default=0) < 2:
        return [
            *_pending(comparison),
            *_kept_out(comparison),
            "No arm has two completed trainings over seeds: a single one gives no interval, so "
            "nothing is concluded.",
        ]
    concluded = [
        *_differences(comparison),
        *_causes(comparison),
        *survival_conclusions(comparison),
    ]
    if comparison.given_rates:
        concluded = [f"{GIVEN_RATES}: {sentence}" for sentence in concluded]
    return [
        *_pending(comparison),
        *about_looks(comparison.planned, comparison.looked, comparison.pending),
        *_waiting(comparison),
        *_kept_out(comparison),
        *_primary(comparison),
        *concluded,
        *cost_conclusions(comparison),
        *_doubt(comparison),
        *_cautions(comparison),
    ]


def _pending(comparison: Comparison) -> list[str]:
    if not comparison.pending:
        return []
    return [f"{comparison.pending} training(s) have not ended: this is not a final result."]


def _kept_out(comparison: Comparison) -> list[str]:
    """Arms that no conclusion speaks of, and why."""
    young = [_place(r, comparison) for r in comparison.results if r.undertrained]
    unknown = [
        _place(r, comparison) for r in comparison.results if r.whole and r.undertrained is None
    ]
    lost = [
        f"{_place(r, comparison)} ({r.seeds} of {r.seeds_asked}, {r.state})"
        for r in comparison.results
        if r.seeds < r.seeds_asked == r.ended
    ]
    said = []
    if young:
        said.append(
            f"Still improving when training ended, so kept out of every conclusion: {_list(young)}."
        )
    if unknown:
        which = _list(unknown)
        if len(unknown) > _FEW:
            which = f"{len(unknown)} of {len(comparison.results)} lines of the table, marked there"
        said.append(
            f"Fewer than {FEWEST_EPOCHS} epochs do not tell whether training had ended, so kept "
            f"out of every conclusion: {which}."
        )
    if lost:
        said.append(
            "Not every seed completed, and a mean of survivors flatters, so kept out of every "
            f"conclusion: {_list(lost)}."
        )
    return said + _guessing(comparison)


def _guessing(comparison: Comparison) -> list[str]:
    """Arms that are not shown to have learnt anything."""
    found = [r for r in comparison.results if r.at_chance]
    if not found:
        return []
    which = _list(_place(r, comparison) for r in found)
    if len(found) > _FEW:
        which = f"{len(found)} of {len(comparison.results)} lines of the table, marked there"
    scores = {
        f"{r.chance_of} {score_text(r.chance, r.chance_of)}{'%' * is_share(r.chance_of)}"
        for r in found
    }
    return [
        "No seed is shown to be better on test than a guess without looking "
        f"({_list(sorted(scores))}): {which}. What two such arms differ by says nothing and is "
        "kept out of every conclusion."
    ]


def _waiting(comparison: Comparison) -> list[str]:
    """Arms that have not come to their end."""
    waiting = [r for r in comparison.results if r.ended < r.seeds_asked]
    if waiting:
        which = _list([f"{_place(r, comparison)} ({r.ended} of {r.seeds_asked})" for r in waiting])
        if len(waiting) > _FEW:
            which = f"{len(waiting)} of {len(comparison.results)} lines of the table"
        return [f"Still training, so kept out of every conclusion: {which}."]
    return []


def _primary(comparison: Comparison) -> list[str]:
    """What the primary question costs the others."""
    found = primary_text(comparison)
    return [f"{_capital(found)}."] if found else []


def _differences(comparison: Comparison) -> list[str]:
    """To each arm's reference, by cell and matching."""
    said = []
    places = list(dict.fromkeys((r.cell, r.matching) for r in comparison.results))
    for cell, matching in places:
        here = {r.arm: r for r in comparison.results if (r.cell, r.matching) == (cell, matching)}
        judged: dict[tuple[str, str], list[str]] = {}
        for result in here.values():
            versus = result.versus
            if versus is None or not comparison.speaks_of(result, versus):
                continue
            kind = (versus.against, versus.verdict)
            judged.setdefault(kind, []).append(f"{result.arm} ({_size(versus, comparison)})")
        parts = [
            f"{_VERDICTS[verdict].format(against, margin_text(comparison))}: {_list(arms)}"
            for (against, verdict), arms in sorted(judged.items(), key=_by_verdict)
        ]
        if parts:
            where, text = _where(comparison, cell, matching), "; ".join(parts)
            said.append(f"{where}{text if where else _capital(text)}.")
        elif any(r.versus for r in here.values()):
            said.append(f"{_where(comparison, cell, matching) or 'So '}nothing can be concluded.")
    return said


_VERDICTS = {
    "better": "shown better than {}",
    "worse": "shown worse than {}",
    "equal": "shown equal to {} within {}",
    "tie": "not shown different from {}",
    "unknown": "no verdict against {}, for lack of seeds or of spread between them",
}


def _by_verdict(item: tuple[tuple[str, str], list[str]]) -> int:
    return list(_VERDICTS).index(item[0][1])


def _causes(comparison: Comparison) -> list[str]:
    """What an arm's controls say, one sentence per cause."""
    asked: dict[tuple[str, str, str, str], list[tuple[ArmResult, Versus]]] = {}
    uncontrolled: dict[str, None] = {}
    open_causes: dict[str, None] = {}
    for result in comparison.results:
        if not result.usable:
            continue
        for versus in result.controls:
            if comparison.speaks_of(result, versus):
                key = (result.arm, versus.cause, versus.against, result.matching)
                asked.setdefault(key, []).append((result, versus))
            else:
                open_causes[f"{versus.cause} in {result.arm} (control: {versus.against})"] = None
        better = result.versus is not None and result.versus.verdict == "better"
        if better and not result.controls:
            uncontrolled[result.arm] = None
    said = [_cause(comparison, *key, found) for key, found in asked.items()]
    if open_causes:
        said.append(
            "Not known everywhere, since a control is kept out, or guesses as the arm does: "
            f"{_list(open_causes)}."
        )
    if uncontrolled:
        said.append(
            f"What the gain of {_list(uncontrolled)} is due to was not tested: there is no "
            "control for it."
        )
    return said


def _cause(
    comparison: Comparison,
    arm: str,
    cause: str,
    control: str,
    matching: str,
    found: Sequence[tuple[ArmResult, Versus]],
) -> str:
    parts = []
    for verdict in _VERDICTS:
        cells = [(r, v) for r, v in found if v.verdict == verdict]
        if cells:
            sizes = [
                (f"{r.cell}: " if r.cell else "") + _size(v, comparison) + _dearer(r, v, comparison)
                for r, v in cells
            ]
            gained = all(r.versus is not None and r.versus.verdict == "better" for r, _ in cells)
            credit = _credit(verdict, arm, cause, control, gained, margin_text(comparison))
            parts.append(f"{credit} ({'; '.join(sizes)})")
    where, text = _where(comparison, "", matching), "; ".join(parts)
    return f"{where}{text if where or text.startswith(arm) else _capital(text)}."


def _dearer(result: ArmResult, versus: Versus, comparison: Comparison) -> str:
    """What the arm costs more than its control, where their costs were not made equal."""
    if result.matching not in ("control", "none"):
        return ""
    control = next(
        r
        for r in comparison.results
        if (r.cell, r.matching, r.arm) == (result.cell, result.matching, versus.against)
    )
    if not result.macs or not control.macs or abs(result.macs / control.macs - 1) < _UNEQUAL:
        return ""
    return f"; at {result.macs / control.macs - 1:+.0%} MACs"


def _credit(verdict: str, arm: str, cause: str, control: str, gained: bool, margin: str) -> str:
    """A cause and its control, in words that hold for this verdict and no further.

    Size is asked to explain a gain only where one is shown.
    """
    if cause == SIZE:
        better, tie = f"{arm} is shown better than {control}", "not shown different from"
        if gained:
            better += ", so size alone does not explain its gain"
            tied = f"size alone may explain the gain of {arm}: it is {tie} {control}"
        else:
            better += ", its control for size"
            tied = f"{arm} is {tie} {control}, its control for size"
        return {
            "better": better,
            "worse": f"{arm} is shown worse than {control}, its control for size",
            "equal": f"{arm} is shown equal to {control}, its control for size, within {margin}",
            "tie": tied,
            "unknown": f"{arm} could not be compared with {control}, its control for size",
        }[verdict]
    return {
        "better": f"{cause} helps: {arm} is shown better than {control}, which has all but that",
        "worse": f"{cause} hurts: {arm} is shown worse than {control}, which has all but that",
        "equal": f"{cause} does not matter: {arm} is shown equal to {control}, which has all but "
        f"that, within {margin}",
        "tie": f"{cause} gets no credit: {arm} is not shown different from {control}, which "
        "has all but that",
        "unknown": f"what {cause} does in {arm} is not known",
    }[verdict]


def _doubt(comparison: Comparison) -> list[str]:
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
    luck = [_place(result, comparison) for result in luck_of(comparison)]
    if luck:
        said.append(f"Of {_list(luck)}, {CAUTION}.")
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


def _cautions(comparison: Comparison) -> list[str]:
    said = []
    if comparison.given_rates:
        said.append(
            "One choice of learning rates served all seeds, so no interval knows how else it could "
            "have come out: other selection trainings may choose others, and change the result. "
            "choose_rate: per_seed makes the choice part of what is measured."
        )
    edge = [r for r in comparison.results if r.rate_at_edge]
    if edge:
        which = _list([f"{_place(r, comparison)} ({r.rates_text})" for r in edge])
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
            f"not independent evidence for each other: {_list(shared)}."
        )
    if comparison.mixed:
        said.append(f"Runs differ in their {_list(comparison.mixed)}: compare with care.")
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


def _size(versus: Versus, comparison: Comparison) -> str:
    """The difference with its interval; of a tie, what cannot be excluded."""
    if versus.difference is None:
        return "no shared seed"
    monitor = comparison.monitor
    text = f"{points(versus.difference, monitor)}{unit(monitor)}"
    if versus.verdict != "tie" or versus.low is None or versus.high is None:
        text = f"{text} {interval_text(versus.low, versus.high, monitor)}".strip()
        if versus.verdict in ("better", "worse") and versus.within_margin:
            text += f", less than {margin_text(comparison)}"
        return text
    bound = bound_text(versus.cannot_exclude or 0.0, monitor)
    text += f"; a difference of {bound}{unit(monitor)} cannot be excluded"
    if versus.p_value is not None and versus.p_value < versus.level:
        text += f"; alone it would count, among {versus.family} differences it does not"
    return text


def _where(comparison: Comparison, cell: str, matching: str) -> str:
    """Words before a colon; nothing where there is one place only."""
    parts = [f"at {cell}"] if cell else []
    if len(comparison.matchings) > 1:
        parts.append(matched_by(matching))
    text = ", ".join(parts)
    return f"{_capital(text)}: " if text else ""


def _place(result: ArmResult, comparison: Comparison) -> str:
    """An arm with its cell, and its matching where there are several."""
    text = f"{result.arm} at {result.cell}" if result.cell else result.arm
    if len(comparison.matchings) > 1 and result.against:
        text += f" {matched_by(result.matching)}"
    return text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _list(items: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(items))
