"""Effects of factors in words: is it the block, the recipe, or the stem?"""

from collections.abc import Iterator, Sequence
from typing import Literal

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hybrid_swin.errors.plain_text import unbroken
from search.comparison.results.arm_result import matched_by
from search.comparison.results.comparison import Comparison
from search.comparison.results.factor_effects import FactorEffect
from search.comparison.results.factor_questions import Question
from search.leaderboard.end.wording import NAMED, capital, listed, more
from search.statistics.formatting import (
    difference_phrase,
    interval_text,
    p_text,
    points,
    unit,
)

SECTIONS: dict[Question, str] = {
    "alone": "One change",
    "instead": "One change in place of another",
    "interaction": "Does one change depend on another?",
}
_MARKS = {"better": "+", "worse": "-", "equal": "≈", "tie": "=", "unknown": ""}


def effects_answer(comparison: Comparison) -> list[str]:
    """A clause on factors and arms: what each brings over all cells, the largest first."""
    first = comparison.matchings[0]
    alone = sorted(
        (e for e in comparison.effects if e.question == "alone" and e.matching == first),
        key=lambda e: -abs(e.versus.difference or 0.0),
    )
    clear = [e for e in alone if e.versus.verdict in ("better", "worse")]
    if clear:
        parts = [f"{_change(e)} brings {_size(e, comparison)}" for e in clear[:NAMED]]
        return [f"over all cells, {listed(parts)}{more([e.name for e in clear])}"]
    if not alone:
        return []
    return [
        "over all cells, no change is shown to matter (the largest: "
        f"{_change(alone[0])}, {_size(alone[0], comparison)})"
    ]


def _change(effect: FactorEffect) -> str:
    """The change with what it is averaged over, if that is not everything."""
    text = effect.changes[0].text
    return f"{text} (over {effect.over})" if effect.over else text


def effects_conclusions(comparison: Comparison) -> Iterator[str]:
    """Sentences on the questions whose answer is shown, and a count of the others."""
    if not comparison.effects:
        return
    many = len({e.matching for e in comparison.effects}) > 1
    for matching in dict.fromkeys(e.matching for e in comparison.effects):
        mine = [e for e in comparison.effects if e.matching == matching]
        where = f", {matched_by(matching)}" * many
        for question in SECTIONS:
            clear = [
                e
                for e in mine
                if e.question == question and e.versus.verdict in ("better", "worse")
            ]
            count = sum(e.question == question for e in mine)
            if count:
                yield _sentence(question, clear, count, where, comparison)
    if any(e.improving for e in comparison.effects):
        yield (
            "Some trainings behind the effects of factors were still improving when they ended: "
            "part of these effects may be the length of training."
        )
    if any(e.short for e in comparison.effects):
        yield (
            "Some trainings behind the effects of factors had too few epochs to tell whether they "
            "were still improving: these effects are marked ?."
        )
    if any(e.guessing for e in comparison.effects):
        yield (
            "Some networks behind the effects of factors are not shown to be better than a guess: "
            "these effects are marked ~, and say which training works at all."
        )


def effects_table(comparison: Comparison) -> list[list[str]]:
    """Rows of the table of effects, the head first; empty without effects.

    Their intervals hold together, apart from those of the arms.
    """
    if not comparison.effects:
        return []
    rows = [["question", "effect", "p (Holm)", "MACs", ""]]
    order = list(SECTIONS)
    for effect in sorted(comparison.effects, key=lambda e: (e.matching, order.index(e.question))):
        versus, monitor = effect.versus, comparison.monitor
        if versus.difference is None:
            continue
        many = len(comparison.matchings) > 1
        where = f" ({matched_by(effect.matching)})" * many
        size = points(versus.difference, monitor)
        same_cost = effect.question == "interaction"
        rows.append(
            [
                effect.name + where,
                f"{size} {interval_text(versus.low, versus.high, monitor)}".strip(),
                p_text(versus.holm_p),
                "" if same_cost else f"{effect.macs:+.0%}",
                _MARKS[versus.verdict]
                + "^" * effect.improving
                + "?" * effect.short
                + "~" * effect.guessing,
            ]
        )
    return rows


def effects_listing(comparison: Comparison, most: int | None = None) -> Iterator[RenderableType]:
    """The table for a terminal, of the first ``most`` effects; nothing if there are none."""
    head, *rows = effects_table(comparison) or [[]]
    if not rows or most == 0:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for place, name in enumerate(head):
        number = 0 < place < len(head) - 1
        justify: Literal["left", "right"] = "right" if number else "left"
        table.add_column(name, header_style="dim", justify=justify, no_wrap=number, overflow="fold")
    for row in rows[:most]:
        table.add_row(*(Text(unbroken(cell)) for cell in row))
    yield table
    if most is not None and len(rows) > most:
        yield Text(f"{len(rows) - most} more effects: --all", "dim")
    yield Text()


def effects_note(comparison: Comparison) -> str:
    """What the table of effects shows."""
    return (
        f"Effects of factors in{unit(comparison.monitor) or ' the metric'}. Each is averaged over "
        "all cells that its question does not name, and that its change makes another network or "
        "recipe. Their intervals hold together, apart from "
        "those of the arms. MACs: what the first side costs more."
    )


def _sentence(
    question: Question,
    clear: Sequence[FactorEffect],
    count: int,
    where: str,
    comparison: Comparison,
) -> str:
    head = f"{SECTIONS[question]}, over all cells{where}: ".replace("?,", ",")
    if not clear:
        return f"{head}none of {count} is shown."
    ordered = sorted(clear, key=lambda e: -abs(e.versus.difference or 0.0))
    parts = [f"{e.name} ({_size(e, comparison)}{_cost(e)})" for e in ordered]
    rest = count - len(clear)
    return f"{capital(head)}{'; '.join(parts)}{f'; {rest} not shown' * bool(rest)}."


def _cost(effect: FactorEffect) -> str:
    costs = effect.question != "interaction" and abs(effect.macs) >= 0.03
    return f", at {effect.macs:+.0%} MACs" if costs else ""


def _size(effect: FactorEffect, comparison: Comparison) -> str:
    versus = effect.versus
    return difference_phrase(versus.difference or 0.0, versus.low, versus.high, comparison.monitor)
