"""Effects of blocks as tables: for a terminal, in Markdown, as CSV."""

import csv
import io
import math
from collections.abc import Sequence

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from hybrid_swin.errors.plain_text import csv_cell, markdown
from search.comparison.attribution.model import Attribution, Effect
from search.statistics.formatting import difference_phrase, interval_text, p_text, points, unit

COLUMNS = (
    *("stage", "blocks", "effect", "low", "high", "confidence", "p_value", "holm_p", "shown"),
    "trials",
)
_HEADS = ("stage", "blocks", "effect", "interval", "p (Holm)", "", "n")


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
    parts: list[Table | Text] = [_table(_title(found), found.effects, found)]
    if found.interactions:
        parts.append(_table("together, beyond the sum of both", found.interactions, found))
    said = Table.grid(padding=(0, 1, 0, 0))
    for sentence in sentences(found):
        said.add_row("-", Text(sentence))
    return Group(*parts, Text(), said)


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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for effect in (*found.effects, *found.interactions):
        writer.writerow(
            [
                csv_cell(" x ".join(effect.stage)),
                csv_cell(" x ".join(effect.word)),
                *map(repr, (effect.estimate, effect.low, effect.high, effect.confidence)),
                *map(repr, (effect.p_value, effect.holm_p)),
                "true" if effect.shown else "false",
                effect.trials,
            ]
        )
    return text.getvalue()


def _title(found: Attribution) -> str:
    model = f"; beside {', '.join(found.covariates)}" if found.covariates else ""
    return f"{found.study}: what blocks do to {found.monitor} by stage ({found.method}{model})"


def _heads(found: Attribution) -> tuple[str, ...]:
    """The head of the intervals says that those of the table hold together."""
    together = f"interval ({100 * (1 - found.level):.4g}% together)"
    return tuple(together if head == "interval" else head for head in _HEADS)


def _cells(effect: Effect, found: Attribution) -> tuple[str, ...]:
    return (
        " x ".join(effect.stage),
        " x ".join(effect.word),
        points(effect.estimate, found.monitor),
        interval_text(effect.low, effect.high, found.monitor),
        p_text(effect.holm_p),
        "shown" if effect.shown else "not shown",
        str(effect.trials),
    )


def _table(title: str, effects: Sequence[Effect], found: Attribution) -> Table:
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for index, head in enumerate(_heads(found)):
        right = index in (2, 4, 6)
        table.add_column(head, justify="right" if right else "left", overflow="fold")
    stage = effects[0].stage
    for effect in effects:
        if effect.stage != stage:
            table.add_section()
            stage = effect.stage
        table.add_row(
            *(Text(cell) for cell in _cells(effect, found)), style="" if effect.shown else "dim"
        )
    return table


def _markdown(effects: Sequence[Effect], found: Attribution) -> list[str]:
    lines = [f"| {' | '.join(_heads(found))} |", "|---|---|--:|---|--:|---|--:|"]
    for effect in effects:
        lines.append(f"| {' | '.join(map(markdown, _cells(effect, found)))} |")
    return lines
