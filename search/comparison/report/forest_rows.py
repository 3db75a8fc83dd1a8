"""The rows of a forest plot: differences of arms, or effects of factors, with what is published."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from search.comparison.report.effects import SECTIONS
from search.comparison.results.claims import JudgedClaim
from search.comparison.results.comparison import Comparison
from search.comparison.results.differences import Versus

Kind = Literal["head", "arm", "control"]


@dataclass(frozen=True)
class Bar:
    """The difference of a row, by one way of matching.

    Args:
        versus: the difference.
        kept_out: whether no conclusion speaks of it.
        marked: whether the table marks an arm of it as guessing or as still improving.
        published: what papers report of it, in points for shares.
    """

    versus: Versus
    kept_out: bool = False
    marked: bool = False
    published: tuple[float, ...] = ()


@dataclass
class ForestRow:
    """One line of the plot: a head, an arm or an effect, or a control."""

    text: str
    kind: Kind
    by_matching: dict[str, Bar] = field(default_factory=dict)


def difference_rows(comparison: Comparison) -> list[ForestRow]:
    """An arm's rows together, whichever matching has them."""
    rows: dict[tuple[str, ...], ForestRow] = {}
    marked = {(r.cell, r.matching, r.arm) for r in comparison.results if r.marked}
    for cell in dict.fromkeys(r.cell for r in comparison.results):
        here = [r for r in comparison.results if r.cell == cell]
        if cell:
            rows[cell,] = ForestRow(cell, "head")
        arms = list(dict.fromkeys(r.arm for r in here))
        for result in sorted(here, key=lambda r: arms.index(r.arm)):
            if result.versus is None:
                continue
            against = result.versus.against
            text = result.arm if against == comparison.baseline else f"{result.arm} - {against}"
            lines: list[tuple[Kind, str, Versus]] = [("arm", text, result.versus)]
            lines += [("control", f"{c.cause}: against {c.against}", c) for c in result.controls]
            for kind, name, versus in lines:
                row = rows.setdefault((cell, result.arm, name), ForestRow(name, kind))
                row.by_matching[result.matching] = Bar(
                    versus,
                    not comparison.speaks_of(result, versus),
                    any(
                        (cell, result.matching, arm) in marked
                        for arm in (result.arm, versus.against)
                    ),
                    _sizes(
                        claim
                        for claim in comparison.published
                        if (claim.cell, claim.matching) == (cell, result.matching)
                        and (claim.claim.arm, claim.against) == (result.arm, versus.against)
                    ),
                )
    return list(rows.values())


def effect_rows(comparison: Comparison) -> list[ForestRow]:
    """The effects of factors, question by question."""
    rows: dict[tuple[str, ...], ForestRow] = {}
    for question, head in SECTIONS.items():
        effects = [e for e in comparison.effects if e.question == question]
        if effects:
            rows[question,] = ForestRow(head, "head")
        for effect in effects:
            row = rows.setdefault((question, effect.name), ForestRow(effect.name, "arm"))
            row.by_matching[effect.matching] = Bar(
                effect.versus,
                False,  # conclusions speak of all effects, and of what marks them
                effect.improving or effect.short or effect.guessing,
                _sizes(
                    claim
                    for claim in comparison.published
                    if claim.claim.factor
                    and (claim.name, claim.matching) == (effect.name, effect.matching)
                ),
            )
    return list(rows.values())


def _sizes(claims: Iterable[JudgedClaim]) -> tuple[float, ...]:
    """Each published size once; an order has none."""
    sizes = (one.claim.difference for one in claims)
    return tuple(dict.fromkeys(size for size in sizes if size is not None))
