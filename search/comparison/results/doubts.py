"""How sure a comparison is: arms that are left out, what could be found, and cautions.

The last page shows the first three cautions that hold, in the order of what they can do to the
answer; the full page shows all, and names every arm:

1. figures are incomplete: files cannot be read, or trainings have not ended;
2. arms are not alike: other images, splits or code, or batch norm over micro-batches;
3. differences may not be about mixing: not shown ahead of an arm that mixes no places;
4. arms may not be judged: still improving, too few epochs to tell, lost seeds, guesses;
5. size may explain a difference: costs were not matched;
6. the doubt is wide or understated: few seeds, skewed luck near the ceiling, unplanned looks;
7. the learning rates may decide: chosen at the edge of those tried, or one choice for all seeds;
8. what the intervals cover: seeds without images, validation in place of test;
9. only one way of matching costs was tried.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from hybrid_swin.errors import few
from search.comparison.report.rows import percent
from search.comparison.results.arm_result import ArmResult
from search.comparison.results.comparison import Comparison
from search.comparison.results.differences import Versus
from search.comparison.results.fresh_starts import fresh_starts
from search.comparison.results.mixing import not_about_mixing
from search.comparison.results.places import arms_at, place
from search.leaderboard.end.shared_cautions import (
    MOST_CAUTIONS,
    in_parts,
    incomplete,
    not_judged,
    unlike,
    wide_doubt,
)
from search.leaderboard.end.wording import NAMED, found_text, more
from search.leaderboard.rows.intervals import items_of
from search.statistics.formatting import counted, is_share, score_text
from search.statistics.skewed_luck import skewed_luck
from search.statistics.undertraining import FEWEST_EPOCHS

_FEW = 4  # arms that are named one by one


def top_cautions(comparison: Comparison) -> list[str]:
    """The first three that hold."""
    return list(islice(_in_order(comparison), MOST_CAUTIONS))


def _in_order(comparison: Comparison) -> Iterator[str]:
    yield from comparison.cut
    yield from incomplete(comparison.damaged, comparison.pending, "training", brief=True)
    yield from unlike("Arms", comparison.mixed)
    yield from in_parts(few(comparison.in_parts, NAMED))
    yield from not_about_mixing(comparison)
    yield from left_out(comparison, brief=True)
    yield from fresh_starts(comparison, brief=True)
    if "none" in comparison.matchings:
        yield "Costs were not matched, so size may explain any difference."
    yield from _wide(comparison, brief=True)
    yield from _rates(comparison, brief=True)
    yield from _coverage(comparison)
    if comparison.matchings in (("macs",), ("parameters",)):
        (only,) = comparison.matchings
        other = "parameters" if only == "macs" else "MACs"
        yield f"Costs were matched in one way: by {other} the answer may be another."


def left_out(comparison: Comparison, brief: bool = False) -> Iterator[str]:
    """Arms that no conclusion speaks of, and why."""
    results = comparison.results
    young = [r for r in results if r.undertrained]
    unknown = [r for r in results if r.whole and r.undertrained is None]
    lost = [r for r in results if r.seeds < r.seeds_asked == r.finished_trainings]
    short = f"Fewer than {FEWEST_EPOCHS} epochs do not tell whether training had ended, so left out"
    yield from not_judged(
        _names(young, comparison, brief),
        [f"{short}: {_names(unknown, comparison, brief)}."] if unknown else [],
        _names(lost, comparison, brief, [f"{r.seeds} of {r.seeds_asked}, {r.state}" for r in lost]),
    )
    at_chance = [r for r in results if r.at_chance]
    if at_chance:
        scores = {
            f"{r.chance_of} {score_text(r.chance, r.chance_of)}{'%' * is_share(r.chance_of)}"
            for r in at_chance
        }
        places = {(r.cell, r.matching, r.arm) for r in at_chance}
        pairs = ((r.cell, r.matching, v.against) for r in at_chance for v in _differences([r]))
        kept_out = any(pair in places for pair in pairs)
        yield (
            "Not shown to be better on test than a guess without looking "
            f"({listed(sorted(scores))}): {_names(at_chance, comparison, brief)}. "
            + (
                "What two such arms differ by says nothing, so it is left out."
                if kept_out
                else "Differences to arms that are better than a guess are not left out."
            )
        )


def waiting(comparison: Comparison) -> Iterator[str]:
    """Arms that have not come to their end."""
    pending = [r for r in comparison.results if r.finished_trainings < r.seeds_asked]
    if pending:
        counts = [f"{r.finished_trainings} of {r.seeds_asked}" for r in pending]
        yield f"Still training, so left out: {_names(pending, comparison, False, counts)}."


def doubt(comparison: Comparison) -> Iterator[str]:
    """How small a difference could have been found, what intervals cover, and cautions."""
    yield from _detectable(comparison)
    yield from _wide(comparison, brief=False)
    yield from _coverage(comparison)
    yield from _rates(comparison, brief=False)
    yield from comparison.cut
    yield from comparison.damaged
    if comparison.orphans:
        yield (
            f"{comparison.orphans} finished training(s) in the folder are of networks that are not "
            "in its plan, and are not shown."
        )
    shared = _shared_lines(comparison)
    if shared:
        yield (
            f"One and the same trainings stand in several lines of the table, so these are "
            f"not independent evidence for each other: {listed(shared)}."
        )
    yield from unlike("Arms", comparison.mixed)
    yield from in_parts(few(comparison.in_parts, NAMED))


def _detectable(comparison: Comparison) -> Iterator[str]:
    if not comparison.detectable:
        return
    size = found_text(comparison.detectable, comparison.monitor)
    power = f"a true difference of {size} would be found four times in five"
    family = comparison.family
    yield (
        f"With {_seeds(comparison)} seeds and the spread seen here, between an arm and what it "
        f"stands against, {power if size else 'no difference, however large, would be found'} "
        f"({counted(family, 'difference')}, Holm at {percent(comparison.level)})."
    )


def _wide(comparison: Comparison, brief: bool) -> Iterator[str]:
    """Few seeds, and arms near the ceiling whose seeds differ more than intervals can know."""
    monitor = comparison.monitor
    lucky = [
        r
        for r in comparison.results
        if r.usable and skewed_luck(r.test_scores, items_of(monitor, r.test_items) or 0)
    ]
    names = _names(lucky, comparison, brief)
    yield from wide_doubt(_seeds(comparison), names, comparison.level, brief)


def _rates(comparison: Comparison, brief: bool) -> Iterator[str]:
    edge = [r for r in comparison.results if r.rate_at_edge]
    if edge:
        which = _names(edge, comparison, brief, [r.rates_text for r in edge])
        yield (
            "The chosen learning rate is at the edge of those tried, so a wider choice may change "
            f"the result: {which}."
        )
    if comparison.given_rates:
        yield (
            "One choice of learning rates served all seeds, so no interval knows how else it could "
            "have come out: another may change the result. choose_rate: per_seed makes the choice "
            "part of what is measured."
        )


def _coverage(comparison: Comparison) -> Iterator[str]:
    differences = _differences(comparison.results)
    if any(v.covers == "seeds" for v in differences):
        yield "Intervals over seeds speak of new seeds on these images, not of new images."
    if any(v.measured_on == "validation" and v.seeds for v in differences):
        chose = ", which also chose the learning rates" * (comparison.choose_rate != "one")
        yield f"Where test was not read, differences are on validation{chose}."


def _seeds(comparison: Comparison) -> int:
    """The fewest shared seeds behind an interval."""
    return min((v.seeds for v in _differences(comparison.results) if v.low is not None), default=0)


def _differences(results: Iterable[ArmResult]) -> list[Versus]:
    return [v for r in results for v in (r.versus, *r.controls) if v is not None]


def _names(
    results: Sequence[ArmResult], comparison: Comparison, brief: bool, details: Sequence[str] = ()
) -> str:
    """Arms with their places, the first few; in full all, or how many if they are many."""
    if brief:
        names = arms_at(results, comparison)
        return _apart(names[:NAMED]) + more(names)
    if len(results) > _FEW:
        return f"{len(results)} of {len(comparison.results)} lines of the table, marked there"
    places = [place(result, comparison) for result in results]
    about = [f" ({detail})" for detail in details] or [""] * len(results)
    return _apart([name + text for name, text in zip(places, about, strict=True)])


def _apart(names: Iterable[str]) -> str:
    """Each once, with commas; with semicolons where places have commas of their own."""
    each = list(dict.fromkeys(names))
    return ("; " if any(", " in name for name in each) else ", ").join(each)


def _shared_lines(comparison: Comparison) -> list[str]:
    """Arms of which one set of trainings serves in several cells or ways of matching.

    The baseline under several ways of matching is meant to be one, and left out.
    """
    lines: dict[tuple[str, ...], list[ArmResult]] = {}
    for result in comparison.results:
        if result.keys:
            lines.setdefault(tuple(sorted(result.keys)), []).append(result)
    return [
        f"{group[0].arm} ({len(group)} lines)"
        for group in lines.values()
        if len(group) > 1 and (group[0].against or len({r.cell for r in group}) > 1)
    ]


def listed(items: Iterable[str]) -> str:
    """Each of them once, with commas."""
    return ", ".join(dict.fromkeys(items))
