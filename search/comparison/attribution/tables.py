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


def sentences(attribution: Attribution) -> list[str]:
    """What the table says, and no more."""
    of = unit(attribution.monitor)
    sign = 1 if attribution.mode == "max" else -1
    lines = []
    shown_effects = [e for e in attribution.effects if e.is_shown]
    shown_effects.sort(key=lambda e: -sign * e.estimate)
    for effect in shown_effects:
        verb = "helps" if sign * effect.estimate > 0 else "hurts"
        lines.append(
            f"{effect.stage[0]}: {effect.word[0]} {verb}, "
            f"{difference_phrase(effect.estimate, effect.low, effect.high, attribution.monitor)} "
            "against the mean of the blocks tried there."
        )
    if not shown_effects:
        widest = max(max(abs(e.low), abs(e.high)) for e in attribution.effects)
        size = f"up to about {points(widest, attribution.monitor, sign=False)}{of}"
        if math.isinf(widest):
            size = "any size"  # no spread to judge by
        lines.append(
            "No block is shown to help or hurt in any stage (Holm, "
            f"{100 * attribution.level:.3g}% over the table); effects of {size} cannot be excluded."
        )
    for effect in (e for e in attribution.interactions if e.is_shown):
        lines.append(
            f"{effect.word[0]} in {effect.stage[0]} with {effect.word[1]} in {effect.stage[1]}: "
            f"{points(effect.estimate, attribution.monitor)}{of} beyond the sum of their effects "
            f"{interval_text(effect.low, effect.high, attribution.monitor)}."
        )
    if attribution.interactions and not any(e.is_shown for e in attribution.interactions):
        lines.append("No interaction of two stages is shown.")
    several = len({effect.stage for effect in attribution.effects}) > 1
    if attribution.whole and several and not attribution.interactions:
        lines.append("An effect is a mean over what stood in the other stages as tried here.")
    return [*lines, *attribution.notes]


def render(attribution: Attribution) -> Group:
    """Everything, for a console."""
    parts = [_table(_title(attribution), attribution.effects, attribution)]
    if attribution.interactions:
        title = "together, beyond the sum of both"
        parts.append(_table(title, attribution.interactions, attribution))
    return Group(*parts, Text(), listing("-", sentences(attribution)))


def to_markdown(attribution: Attribution) -> str:
    """The same as Markdown."""
    parts = [f"**{markdown(_title(attribution))}**", ""]
    parts += _markdown(attribution.effects, attribution)
    if attribution.interactions:
        parts += ["", "Together, beyond the sum of both:", ""]
        parts += _markdown(attribution.interactions, attribution)
    parts += ["", *(f"- {markdown(sentence)}" for sentence in sentences(attribution))]
    return "\n".join(parts) + "\n"


def to_csv(attribution: Attribution) -> str:
    """One line an effect, every digit; of an interaction, stages and blocks joined by x."""
    rows = [
        {
            "stage": " x ".join(effect.stage),
            "blocks": " x ".join(effect.word),
            "effect": effect.estimate,
            **{name: getattr(effect, name) for name in _SAME},
            "shown": "true" if effect.is_shown else "false",
            "trials": effect.trials,
        }
        for effect in (*attribution.effects, *attribution.interactions)
    ]
    return RowTable(list(rows[0]), rows, ()).to_csv()


def _title(attribution: Attribution) -> str:
    model = f"; beside {', '.join(attribution.covariates)}" if attribution.covariates else ""
    return (
        f"{attribution.study}: what blocks do to {attribution.monitor} by stage "
        f"({attribution.method}{model})"
    )


def _cells(effect: Effect, attribution: Attribution) -> dict[str, str]:
    """By head; that of the intervals says that those of the table hold together."""
    return {
        "stage": " x ".join(effect.stage),
        "blocks": " x ".join(effect.word),
        "effect": points(effect.estimate, attribution.monitor),
        f"interval ({100 * (1 - attribution.level):.4g}% together)": interval_text(
            effect.low, effect.high, attribution.monitor
        ),
        "p (Holm)": p_text(effect.holm_p),
        "": "shown" if effect.is_shown else "not shown",
        "n": str(effect.trials),
    }


def _table(title: str, effects: Sequence[Effect], attribution: Attribution) -> Table:
    table = table_for(title, _cells(effects[0], attribution))
    stage = effects[0].stage
    for effect in effects:
        if effect.stage != stage:
            table.add_section()
            stage = effect.stage
        cells = _cells(effect, attribution).values()
        table.add_row(*map(Text, cells), style="" if effect.is_shown else "dim")
    return table


def _markdown(effects: Sequence[Effect], attribution: Attribution) -> list[str]:
    rows = [_cells(effect, attribution) for effect in effects]
    lines = [f"| {' | '.join(rows[0])} |", "|---|---|--:|---|--:|---|--:|"]
    return lines + [f"| {' | '.join(map(markdown, row.values()))} |" for row in rows]
