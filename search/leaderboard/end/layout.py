"""A page of at most 25 lines, at the console's width: the table gives way first."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hybrid_swin.errors.plain_text import unbroken
from hybrid_swin.system.console import Console

MOST_LINES = 25
FEWEST_ROWS = 3  # of the table, whatever else there is to say
NARROW = 96  # below so many columns, some columns are left out
NARROWEST = 64  # below so many, all but the scores on test
_WORDS = ("study", "blocks", "arm", "at", "stage")  # heads of columns that fold


def print_page(
    console: Console,
    answer: str,
    table: Callable[[int], RenderableType],
    rows: int,
    cautions: Sequence[str],
    where: Sequence[tuple[str, str]],
) -> None:
    """Print the page, with as many rows, cautions and lines on the rest as there is room for.

    Args:
        console: where to.
        answer: one sentence.
        table: the table with at most so many rows.
        rows: how many rows it could have.
        cautions: in their order.
        where: what to type or open for the rest; lines that are not broken.
    """

    def body(row_count: int, caution_count: int) -> Group:
        parts: list[RenderableType] = [Text(unbroken(answer), "bold"), Text()]
        if rows:
            parts += [table(row_count), Text()]
        if cautions:
            rest = len(cautions) - caution_count
            more = [f"{rest} more caution{'s' * (rest > 1)}: --all"] if rest else []
            parts.append(listing("!", [*cautions[:caution_count], *more]))
        return Group(*parts, Text())

    def lines(row_count: int, caution_count: int, link_count: int) -> int:
        below = sum(-(-(8 + len(text)) // width) for _, text in where[:link_count])
        return len(console.render_lines(body(row_count, caution_count), pad=False)) + below

    width = max(1, console.width)
    row_count, caution_count, link_count = rows, len(cautions), len(where)
    while lines(row_count, caution_count, link_count) > MOST_LINES:
        if row_count > FEWEST_ROWS:
            row_count -= 1
        elif caution_count > 1:
            caution_count -= 1
        elif link_count > 1:
            link_count -= 1
        else:
            break
    console.print(body(row_count, caution_count))
    for name, text in where[:link_count]:
        console.say(Text.assemble((f"{name:<8}", "dim"), text))


def table_for(
    title: str, heads: Iterable[str], gives_way: Collection[str] = (), **options: Any
) -> Table:
    """An empty table: columns of words fold, figures and marks are never cut.

    Args:
        title: above it.
        heads: of its columns; the last one, of marks, may be empty.
        gives_way: heads of figures that are cut after all where there is no room.
        options: of `rich.table.Table`.
    """
    table = Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        **options,
    )
    for head in heads:
        if head in _WORDS:
            least, ratio = (12, 1) if head == "blocks" else (None, None)
            table.add_column(head, overflow="fold", min_width=least, ratio=ratio)
        else:
            left, whole = head in ("run", ""), head not in gives_way
            table.add_column(head, justify="left" if left else "right", no_wrap=whole)
    return table


def listing(sign: str, sentences: Iterable[str]) -> Table:
    """Sentences below each other behind a sign."""
    table = Table.grid(padding=(0, 1, 0, 0))
    for sentence in sentences:
        table.add_row(sign, Text(unbroken(sentence)))
    return table


def footnotes(
    legend: Mapping[str, str], marks: str, more: int, what: str, hidden: Sequence[str]
) -> list[Text]:
    """Below a table: what its marks mean, and which rows and columns are not there."""
    parts = [f"{mark} {text}" for mark, text in legend.items() if mark in marks]
    parts += [f"{more} more {what}{'s' * (more > 1)}: --all"] if more else []
    lines = ["; ".join(parts), left_out_text(hidden, NARROW)]
    return [Text(line, "dim") for line in lines if line]


def left_out_text(columns: Sequence[str], wide: int) -> str:
    """What a narrow terminal does not show; empty if all is shown."""
    return f"not shown below {wide} columns: {', '.join(columns)}" * bool(columns)
