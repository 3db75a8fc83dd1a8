"""The end of a comparison on one page: the answer, arms and differences, cautions, the rest."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from hybrid_swin.errors.plain_text import unbroken
from hybrid_swin.system.console import Console
from hybrid_swin.system.program import door
from search.comparison.report.end_cautions import top_cautions
from search.comparison.report.rows import KEPT_OUT, MARKS, Line, lines_of, percent
from search.comparison.results.answer import answer
from search.comparison.results.comparison import Comparison
from search.leaderboard.end.layout import NARROW, EndPage, left_out_text, small_table
from search.statistics.formatting import is_share, unit

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
    files = "comparison.md, .tex, .csv, .json, differences.svg, receipt.json"
    EndPage(
        answer(comparison),
        lambda count: _table(comparison, lines, count, width),
        len(lines),
        top_cautions(comparison),
        [
            ("all", f"{door()} leaderboard {shlex.quote(str(folder))} --all"),
            ("files", f"{folder}: {files}"),
        ],
    ).print(console)


def _table(comparison: Comparison, lines: Sequence[Line], count: int, width: int) -> RenderableType:
    wide = width >= NARROW
    shown = _chosen(lines, count)
    percents = " %" if is_share(comparison.monitor) else ""
    tested = any(r.test_mean is not None for r in comparison.results)
    places = any(line.place for line in shown)
    rest = percent(1 - comparison.level)
    table = small_table(
        f"{comparison.name}: {comparison.seeds} paired seeds, differences in"
        f"{unit(comparison.monitor) or ' ' + comparison.monitor.rpartition('/')[2]}"
    )
    table.add_column("arm", overflow="fold")
    if places:
        table.add_column("at", overflow="fold")
    split = "test" if tested else "validation"
    table.add_column(f"{split}{percents}", justify="right", no_wrap=True)
    table.add_column(f"difference ({rest} together)", justify="right", no_wrap=True)
    if wide:
        table.add_column("p (Holm)", justify="right", no_wrap=True)
    table.add_column("MACs", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for line in shown:
        table.add_row(
            Text(("  less " if line.control else "") + unbroken(line.arm)),
            *([Text(unbroken(line.place))] if places else []),
            f"{line.score} {line.interval}".strip(),
            f"{line.difference} {line.difference_interval}".strip(),
            *([line.p] if wide else []),
            line.macs.split()[0] if line.macs else "",
            line.marks,
            style="dim" if line.control or set(line.marks) & set(KEPT_OUT) else "",
        )
    marks = "".join(line.marks for line in shown)
    said = [f"{mark} {_SHORT.get(mark, text)}" for mark, text in MARKS.items() if mark in marks]
    more = len(lines) - len(shown)
    said += [f"{more} more line{'s' * (more > 1)}: --all"] if more else []
    hidden = [] if wide else ["p (Holm)"]
    below = ["; ".join(said), left_out_text(hidden, NARROW)]
    return Group(table, *(Text(text, "dim") for text in below if text))


def _chosen(lines: Sequence[Line], count: int) -> list[Line]:
    """As many lines as there is room for, arms before controls, in the order of the table."""
    by_weight = sorted(range(len(lines)), key=lambda place: (lines[place].control, place))
    return [lines[place] for place in sorted(by_weight[:count])]
