"""Published differences beside a comparison's own, in words: a summary, sentences, a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hybrid_swin.errors.plain_text import unbroken
from search.comparison.results.arm_result import matched_by
from search.comparison.results.claims import JudgedClaim
from search.comparison.results.comparison import Comparison
from search.comparison.results.verdicts import ClaimVerdict, Direction
from search.leaderboard.end.wording import NAMED, listed, more
from search.statistics.formatting import (
    counted,
    difference_phrase,
    interval_text,
    is_share,
    points,
    unit,
)
from search.statistics.needed_seeds import FEWEST, MOST

_MOST_IMAGES = 1_000_000
_SUMMARY: dict[ClaimVerdict, tuple[str, str]] = {
    "reproduced": ("is reproduced", "are reproduced"),
    "contradicted": ("is contradicted", "are contradicted"),
    "underpowered": ("cannot be told with these seeds", "cannot be told with these seeds"),
    "no verdict": ("has no verdict", "have no verdict"),
}
_SHORT: dict[Direction, str] = {
    "": "",
    "same, smaller": "same direction, smaller",
    "same, larger": "same direction, larger",
    "other": "other direction",
    "none shown": "no difference is shown",
    "too large": "beyond the margin",
    "equal": "shown equal",
}
_DIRECTIONS: dict[Direction, str] = {
    "same, smaller": "the direction is the same, the size smaller",
    "same, larger": "the direction is the same, the size larger",
    "other": "the direction is the other one",
    "none shown": "no difference is shown, and one of the published size is excluded",
    "too large": "the difference is larger than the margin",
    "equal": "the arms are shown equal",
}


@dataclass(frozen=True)
class ClaimLine:
    """One line of the table of published differences, as text."""

    place: str
    claim: str
    published: str
    own: str
    verdict: str
    source: str


HEADS = {
    "place": "at",
    "claim": "claim",
    "published": "published",
    "own": "here",
    "verdict": "verdict",
    "source": "source",
}


def claim_lines(comparison: Comparison) -> list[ClaimLine]:
    """Each published difference with the comparison's own and its verdict."""
    lines = []
    for judged in comparison.published:
        own = "-"
        if judged.difference is not None:
            own = points(judged.difference, comparison.monitor)
            own = f"{own} {interval_text(judged.low, judged.high, comparison.monitor)}".rstrip()
        beside = _SHORT[judged.direction]
        if judged.seeds_needed:
            beside = _roughly(judged)
        claim = judged.claim
        metric = f" ({claim.metric})" if claim.metric else ""
        lines.append(
            ClaimLine(
                _place(judged, comparison),
                judged.name,
                f"{claim.text}{_runs(judged)}{metric}",
                own,
                f"{judged.verdict} ({beside})" if beside else judged.verdict,
                claim.source,
            )
        )
    return lines


def claim_heads(lines: Sequence[ClaimLine]) -> dict[str, str]:
    """Columns of which there is anything to say."""
    return {n: head for n, head in HEADS.items() if n != "place" or any(x.place for x in lines)}


def claim_table(comparison: Comparison, most: int | None = None) -> Iterator[RenderableType]:
    """The table for a terminal, of the first ``most`` lines; nothing if nothing is published."""
    lines = claim_lines(comparison)
    if not lines:
        return
    heads = claim_heads(lines)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for head in heads.values():
        table.add_column(head, header_style="dim", overflow="fold")
    for line in lines[:most]:
        table.add_row(*(Text(unbroken(getattr(line, name))) for name in heads))
    yield table
    if most is not None and len(lines) > most:
        yield Text(f"{len(lines) - most} more published: --all", "dim")
    yield Text()


def summary(comparison: Comparison) -> str:
    """How many published differences have which verdict, in a sentence; empty if there are none."""
    if not comparison.published:
        return ""
    clauses = []
    for verdict, (one, several) in _SUMMARY.items():
        mine = [c for c in comparison.published if c.verdict == verdict]
        if mine:
            names = list(dict.fromkeys(_name(judged, comparison) for judged in mine))
            reasons = list(
                dict.fromkeys(f"{one.why}{_at(one, comparison)}" for one in mine if one.why)
            )
            since = f", since {listed(reasons[:2])}" if reasons else ""
            clauses.append(
                f"{len(mine)} {one if len(mine) == 1 else several} "
                f"({listed(names[:NAMED])}{more(names)}){since}"
            )
    count = len(comparison.published)
    if count == 1:
        clause = clauses[0].removeprefix("1 ")
        return f"The published difference {clause}."
    return f"Of {count} published differences {'; '.join(clauses)}."


def claim_sentences(comparison: Comparison) -> list[str]:
    """What each verdict rests on, one sentence per published difference."""
    return [_sentence(judged, comparison) for judged in comparison.published]


def _sentence(judged: JudgedClaim, comparison: Comparison) -> str:
    claim, monitor = judged.claim, comparison.monitor
    size = f" {'points' if is_share(monitor) else ''}".rstrip() if claim.difference else ""
    metric = f" on {claim.metric}" if claim.metric else ""
    published = f"{judged.name}: {claim.text}{size}{metric}{_runs(judged)}"
    head = f"{claim.source} ({published}): {judged.verdict}"
    if judged.why:
        return f"{head}, since {judged.why}{_at(judged, comparison)}."
    own = difference_phrase(judged.difference or 0.0, judged.low, judged.high, monitor)
    parts = [f"here {own}"]
    if judged.direction:
        parts.append(_DIRECTIONS[judged.direction])
    if judged.verdict == "underpowered":
        parts.append(_needed(judged, comparison))
    return f"{head}: {'; '.join(parts)} ({_conditions(judged, comparison)})."


def _needed(judged: JudgedClaim, comparison: Comparison) -> str:
    """What would have told."""
    claim, have = judged.claim, counted(judged.seeds, "seed")
    reaches = "the interval holds 0 and the published difference"
    if claim.order in ("better", "worse"):
        return "no difference is shown, and no size was published that would say how many seeds do"
    if claim.margin is not None:
        margin = f"{claim.margin:g}{unit(comparison.monitor)}"
        reaches = f"the interval reaches over the margin of {margin}"
    if judged.seeds < FEWEST:
        return f"{reaches}; {have} do not tell how many would show it"
    if judged.seeds_needed and judged.seeds_needed <= judged.seeds:
        return (
            f"{reaches}; {_roughly(judged)} would show it four times in five, and there are "
            f"{judged.seeds}: this may be the fifth time, or the difference is smaller here; add "
            "seeds"
        )
    if judged.seeds_needed:
        return f"{reaches}; {_roughly(judged)} would show it four times in five"
    images = (
        f"it takes {_about(judged.images_needed)} {_items(judged)}, and there are {judged.images:,}"
        if judged.images_needed
        else f"the {_items(judged)} are too few"
        if judged.images
        else "their spread is too large"
    )
    never = "no number of seeds would do"
    if judged.seeds_needed_low:
        never += f" at the spread seen (at the least that it may be, {judged.seeds_needed_low:,})"
    return f"{reaches}; {never}: {images}"


def _about(images: int) -> str:
    """A number that is known to a digit or so; none that nobody has."""
    return f"about {images:,}" if images <= _MOST_IMAGES else "more than a million"


def _roughly(judged: JudgedClaim) -> str:
    """Seeds that would do, from the least to the most that the doubt of the spread allows."""
    low, high = judged.seeds_needed_low, judged.seeds_needed_high
    ends = f" [{low:,}, {f'{high:,}' if high else f'more than {MOST:,}'}]" if low else ""
    return f"roughly {judged.seeds_needed:,}{ends} seeds"


def _items(judged: JudgedClaim) -> str:
    """What its interval covers beside seeds: ``test images``, ``groups of test images``."""
    return judged.unit.replace("images", f"{judged.measured_on} images")


def _conditions(judged: JudgedClaim, comparison: Comparison) -> str:
    """What the verdict is conditional on."""
    return ", ".join(
        filter(
            None,
            (
                judged.cell,
                judged.conditions,
                counted(judged.seeds, "seed"),
                f"{judged.images:,} {_items(judged)}" if judged.images else "",
                matched_by(judged.matching),
                "given these learning rates" if comparison.given_rates else "",
            ),
        )
    )


def _runs(judged: JudgedClaim) -> str:
    """The spread of the published number, if it was given."""
    claim = judged.claim
    parts = [
        f"sd {claim.sd:g}" if claim.sd is not None else "",
        counted(claim.n, "run") if claim.n is not None else "",
    ]
    text = ", ".join(filter(None, parts))
    return f" [{text}]" if text else ""


def _name(judged: JudgedClaim, comparison: Comparison) -> str:
    """The arm or the changed level, its place, and what it is compared with unless the baseline."""
    direction = _SHORT[judged.direction]
    subject = judged.claim.arm or judged.name.partition(" instead")[0]
    if judged.claim.arm and judged.against != comparison.baseline:
        subject = judged.name
    name = f"{subject}{_at(judged, comparison)} [{judged.claim.source}]"
    return f"{name}: {direction}" if direction else name


def _place(judged: JudgedClaim, comparison: Comparison) -> str:
    many = len(comparison.matchings) > 1
    return ", ".join(filter(None, (judged.cell, matched_by(judged.matching) * many)))


def _at(judged: JudgedClaim, comparison: Comparison) -> str:
    place = _place(judged, comparison)
    return f" ({place})" if place else ""
