"""Rows for people and for other libraries: `pandas.DataFrame(table)` takes one as it is."""

import csv
import html
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any, overload

from hybrid_swin.errors.plain_text import csv_cell, harmless

_MOST_SHOWN = 60  # rows, as in pandas


class RowTable(Sequence[dict[str, Any]]):
    """A sequence of rows, each a dict with the same columns; None if a value is unknown.

    A terminal shows the most important columns of the first rows, a notebook the same as HTML.

    Args:
        columns: names, in order.
        rows: one dict per row, with a value for each column.
        visible_columns: the columns that a terminal and a notebook show.
    """

    def __init__(
        self, columns: Sequence[str], rows: Sequence[dict[str, Any]], visible_columns: Sequence[str]
    ) -> None:
        self._columns, self._rows = tuple(columns), tuple(rows)
        self._visible = tuple(visible_columns)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return self._columns

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> "RowTable": ...

    def __getitem__(self, index: int | slice) -> "dict[str, Any] | RowTable":
        if isinstance(index, slice):
            return RowTable(self._columns, self._rows[index], self._visible)
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        cells = [list(self._visible), *self._cells()]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
        return "\n".join([*lines, self._summary()])

    def _repr_html_(self) -> str:
        def row(cells: Sequence[str], tag: str) -> str:
            return f"<tr>{''.join(f'<{tag}>{html.escape(c)}</{tag}>' for c in cells)}</tr>"

        head, body = row(self._visible, "th"), "".join(row(cells, "td") for cells in self._cells())
        return (
            f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
            f"<p>{html.escape(self._summary())}</p>"
        )

    def to_csv(self) -> str:
        """All columns; floats with every digit, unknown values empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(map(csv_cell, self._columns))
        for row in self._rows:
            writer.writerow([csv_cell(row[name]) for name in self._columns])
        return text.getvalue()

    def _cells(self) -> Iterator[list[str]]:
        for row in self._rows[:_MOST_SHOWN]:
            yield [_text(row[name]) for name in self._visible]

    def _summary(self) -> str:
        left = len(self) - _MOST_SHOWN
        more = f"{left:,} more rows; " if left > 0 else ""
        return f"[{more}{len(self):,} rows x {len(self._columns)} columns]"


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return " ".join(harmless(str(value)).split())
