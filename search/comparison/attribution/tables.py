"""Effects of blocks as tables: for a terminal, in Markdown, as CSV."""

import math
from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from hybrid_swin.errors.plain_text import markdown
from search.comparison.attribution.model import Attribution, Effect
from search.leaderboard.end.layout import listing, table_for
from search.leaderboard.row_table import RowTable
from search.statistics.formatting import difference_phrase, interval_text, p_text, points, unit

_SAME = ("low", "high", "confidence", "p_value", "holm_p")


def sentences(found: Attribution) -> list[str]:
    """What the table says, and no more."""
    of = unit(found.monitor)
    sign = 1 if found.mode == "max" else -1
    said = []
    shown = sorted((e for e in found.effects if e.shown), key=lambda e: -sign * e.estimate)
    for effect in shown:
        verb = "helps" if sign * effect.estimate > 0 else "hurts"
        said.append(
            f"{effect.stage[0]}: {effect.word[0]} {verb}, "
            f"{difference_phrase(effect.estimate, effect.low, effect.high, found.monitor)} against "
            "the mean of the blocks tried there."
        )
    if not shown:
        widest = max(max(abs(e.low), abs(e.high)) for e in found.effects)
        size = f"up to about {points(widest, found.monitor, sign=False)}{of}"
        if math.isinf(widest):
            size = "any size"  # no spread to judge by
        said.append(
            f"No block is shown to help or hurt in any stage (Holm, {100 * found.level:.3g}% over "
            f"the table); effects of {size} cannot be excluded."
        )
    for effect in (e for e in found.interactions if e.shown):
        said.append(
            f"{effect.word[0]} in {effect.stage[0]} with {effect.word[1]} in {effect.stage[1]}: "
            f"{points(effect.estimate, found.monitor)}{of} beyond the sum of their effects "
            f"{interval_text(effect.low, effect.high, found.monitor)}."
        )
    if found.interactions and not any(e.shown for e in found.interactions):
        said.append("No interaction of two stages is shown.")
    several = len({effect.stage for effect in found.effects}) > 1
    if found.whole and several and not found.interactions:
        said.append("An effect is a mean over what stood in the other stages as tried here.")
    return [*said, *found.notes]


def render(found: Attribution) -> Group:
    """Everything, for a console."""
    parts = [_table(_title(found), found.effects, found)]
    if found.interactions:
        parts.append(_table("together, beyond the sum of both", found.interactions, found))
    return Group(*parts, Text(), listing("-", sentences(found)))


def to_markdown(found: Attribution) -> str:
    """The same as Markdown."""
    parts = [f"**{markdown(_title(found))}**", "", *_markdown(found.effects, found)]
    if found.interactions:
        parts += ["", "Together, beyond the sum of both:", ""]
        parts += _markdown(found.interactions, found)
    parts += ["", *(f"- {markdown(sentence)}" for sentence in sentences(found))]
    return "\n".join(parts) + "\n"


def to_csv(found: Attribution) -> str:
    """One line an effect, every digit; of an interaction, stages and blocks joined by x."""
    rows = [
        {
            "stage": " x ".join(effect.stage),
            "blocks": " x ".join(effect.word),
            "effect": effect.estimate,
            **{name: getattr(effect, name) for name in _SAME},
            "shown": "true" if effect.shown else "false",
            "trials": effect.trials,
        }
        for effect in (*found.effects, *found.interactions)
    ]
    return RowTable(list(rows[0]), rows, ()).to_csv()


def _title(found: Attribution) -> str:
    model = f"; beside {', '.join(found.covariates)}" if found.covariates else ""
    return f"{found.study}: what blocks do to {found.monitor} by stage ({found.method}{model})"


def _cells(effect: Effect, found: Attribution) -> dict[str, str]:
    """By head; that of the intervals says that those of the table hold together."""
    return {
        "stage": " x ".join(effect.stage),
        "blocks": " x ".join(effect.word),
        "effect": points(effect.estimate, found.monitor),
        f"interval ({100 * (1 - found.level):.4g}% together)": interval_text(
            effect.low, effect.high, found.monitor
        ),
        "p (Holm)": p_text(effect.holm_p),
        "": "shown" if effect.shown else "not shown",
        "n": str(effect.trials),
    }


def _table(title: str, effects: Sequence[Effect], found: Attribution) -> Table:
    table = table_for(title, _cells(effects[0], found))
    stage = effects[0].stage
    for effect in effects:
        if effect.stage != stage:
            table.add_section()
            stage = effect.stage
        cells = _cells(effect, found).values()
        table.add_row(*map(Text, cells), style="" if effect.shown else "dim")
    return table


def _markdown(effects: Sequence[Effect], found: Attribution) -> list[str]:
    rows = [_cells(effect, found) for effect in effects]
    lines = [f"| {' | '.join(rows[0])} |", "|---|---|--:|---|--:|---|--:|"]
    return lines + [f"| {' | '.join(map(markdown, row.values()))} |" for row in rows]
