"""The end of a comparison on one page: the answer, arms and differences, cautions, the rest."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from hybrid_swin.errors.plain_text import unbroken
from hybrid_swin.system.console import Console
from hybrid_swin.system.program import door
from search.comparison.report.claims import claim_table
from search.comparison.report.effects import effects_listing
from search.comparison.report.rows import MARKS, Line, heads_of, lines_of
from search.comparison.report.tables import arm_text
from search.comparison.results.answer import answer
from search.comparison.results.comparison import Comparison
from search.comparison.results.doubts import top_cautions
from search.leaderboard.end.layout import FEWEST_ROWS, NARROW, footnotes, print_page, table_for
from search.statistics.formatting import unit

_CLAIMS = 4  # published differences on the page
_EFFECTS = 4  # effects of factors on the page, at most
_COLUMNS = ("arm", "place", "score", "difference", "p", "macs", "marks")
_SHORT = {
    "^": "still improving: left out",
    "?": "too few epochs: left out",
    "!": "a seed is missing: left out",
    "~": "no better than a guess",
    "v": "on validation",
    "|": "learning rate at the edge",
}


def print_end(comparison: Comparison, folder: Path, console: Console | None = None) -> None:
    """Print the page to a console, by default the terminal."""
    console = console or Console()
    lines, width = lines_of(comparison), console.width
    figures = f"differences.svg{', effects.svg' * bool(comparison.effects)}"
    files = f"comparison.md, .tex, .csv, .json, {figures}, receipt.json"
    print_page(
        console,
        answer(comparison),
        lambda count: _table(comparison, lines, count, width),
        len(lines) + min(_EFFECTS, len(comparison.effects)),
        top_cautions(comparison),
        [
            ("all", f"{door()} leaderboard {shlex.quote(str(folder))} --all"),
            ("files", f"{folder}: {files}"),
        ],
    )


def _table(comparison: Comparison, lines: Sequence[Line], count: int, width: int) -> RenderableType:
    """Of so many rows the effects have what the arms leave, which give way to the fewest first."""
    effects = min(_EFFECTS, len(comparison.effects), max(0, count - FEWEST_ROWS))
    visible_lines = _chosen(lines, count - effects)
    heads = heads_of(comparison, visible_lines)
    names = [name for name in _COLUMNS if name in heads and (name != "p" or width >= NARROW)]
    table = table_for(
        f"{comparison.name}: {comparison.seeds} paired seeds, differences in"
        f"{unit(comparison.monitor) or ' ' + comparison.monitor.rpartition('/')[2]}",
        (heads[name] for name in names),
        show_edge=False,
    )
    for line in visible_lines:
        cells = {
            name: Text(unbroken(getattr(line, name))) if name == "place" else getattr(line, name)
            for name in names
        }
        cells |= {"arm": arm_text(line), "macs": line.macs.partition(" ")[0]}
        table.add_row(*cells.values(), style=line.style)
    marks = "".join(line.marks for line in visible_lines)
    hidden = ["p (Holm)"] * ("p" not in names)
    return Group(
        *claim_table(comparison, _CLAIMS),
        *effects_listing(comparison, effects),
        table,
        *footnotes(MARKS | _SHORT, marks, len(lines) - len(visible_lines), "line", hidden),
    )


def _chosen(lines: Sequence[Line], count: int) -> list[Line]:
    """As many lines as there is room for, arms before controls, in the order of the table."""
    by_weight = sorted(range(len(lines)), key=lambda place: (lines[place].control, place))
    return [lines[place] for place in sorted(by_weight[:count])]
