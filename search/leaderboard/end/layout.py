"""A page of at most 25 lines, at the console's width: the table gives way, nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hybrid_swin.errors.plain_text import unbroken
from hybrid_swin.system.console import Console

MOST_LINES = 25
FEWEST_ROWS = 3  # of the table, whatever else there is to say
NARROW = 96  # below so many columns, some columns are left out


@dataclass(frozen=True)
class EndPage:
    """What stands on the page.

    Args:
        answer: one sentence.
        table: the table with at most so many rows.
        rows: how many rows it could have.
        cautions: in their order.
        where: what to type or open for the rest; lines that are not broken.
    """

    answer: str
    table: Callable[[int], RenderableType]
    rows: int
    cautions: Sequence[str]
    where: Sequence[tuple[str, str]]

    def print(self, console: Console) -> None:
        """Print it, with as many rows as there is room for."""
        shown = self.rows
        while shown > FEWEST_ROWS and self._lines(console, shown) > MOST_LINES:
            shown -= 1
        console.print(self._body(shown))
        for name, text in self.where:
            line = Text.assemble((f"{name:<8}", "dim"), text)
            console.print(line, soft_wrap=True, highlight=False)

    def _body(self, shown: int) -> Group:
        parts: list[RenderableType] = [Text(unbroken(self.answer), "bold"), Text()]
        if self.rows:
            parts += [self.table(shown), Text()]
        cautions = Table.grid(padding=(0, 1, 0, 0))
        for caution in self.cautions:
            cautions.add_row("!", Text(unbroken(caution)))
        return Group(*parts, *([cautions] if self.cautions else []), Text())

    def _lines(self, console: Console, shown: int) -> int:
        body = console.render_lines(self._body(shown), pad=False)
        width = max(1, console.width)
        return len(body) + sum(-(-(8 + len(text)) // width) for _, text in self.where)


def small_table(title: str) -> Table:
    """An empty table with little around it."""
    return Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )


def left_out_text(columns: Sequence[str], wide: int) -> str:
    """What a narrow terminal does not show, and how to see it; empty if all is shown."""
    return f"left out below {wide} columns: {', '.join(columns)}; see --format csv" * bool(columns)
