"""A comparison as tables: for a terminal, in Markdown and in LaTeX (booktabs)."""

import re
from collections.abc import Sequence

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from hybrid_swin.errors.plain_text import latex, markdown, unbroken
from hybrid_swin.system.console import Console
from search.comparison.report.rows import (
    KEPT_OUT,
    MARKS,
    Line,
    interval_note,
    lines_of,
    milestone_head,
    percent,
)
from search.comparison.results.answer import answer
from search.comparison.results.comparison import Comparison
from search.comparison.results.conclusions import conclusions
from search.leaderboard.end.layout import left_out_text
from search.statistics.formatting import is_share, unit

_NARROW, _WIDE = 120, 140  # below so many columns, some are left to the files


def render(comparison: Comparison, width: int = 120) -> Group:
    """Table and sentences for a console of ``width`` columns."""
    lines = lines_of(comparison)
    table = Table(
        title=Text(_title(comparison)),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("arm", overflow="fold")  # alone gives way: figures and marks are never cut
    names = ["score", "difference", "p"]
    heads = [_score_head(comparison), _difference_head(comparison), "p (Holm)"]
    if width >= _WIDE:
        names, heads = [*names, "better"], [*heads, "P(better)"]
    if width >= _NARROW:
        names, heads = [*names, "parameters", "macs"], [*heads, "params", "MACs"]
    if width >= _WIDE and any(line.rate for line in lines):
        names, heads = [*names, "rate"], [*heads, "lr"]
    if comparison.milestone is not None:
        names, heads = [*names, "milestone"], [*heads, milestone_head(comparison)]
    for head in heads:
        shown = re.sub(r" (?=to |\()", "\n", head)
        table.add_column(shown, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    place = None
    for line in lines:
        if line.place != place:
            if place is not None:
                table.add_section()
            place = line.place
            if place:
                table.add_row(Text(place, style="italic"), *[""] * (len(heads) + 1))
        cells = [_joined(line, name) for name in names]
        arm = Text(("  less " if line.control else "") + unbroken(line.arm))
        style = "dim" if line.control or set(line.marks) & set(KEPT_OUT) else ""
        table.add_row(arm, *cells, line.marks, style=style)
    gone = _gone(names, bool(any(line.rate for line in lines)))
    used = [f"{m} {text}" for m, text in MARKS.items() if any(m in line.marks for line in lines)]
    parts: list[Table | Text] = [table]
    if used:
        parts.append(Text("  " + ";  ".join(used), style="dim"))
    parts.append(Text("  " + interval_note(comparison, "better" in names), style="dim"))
    if gone:
        parts.append(Text(f"  {left_out_text(gone, _WIDE)}", style="dim"))
    said = Table.grid(padding=(0, 1, 0, 0))
    for sentence in conclusions(comparison):
        said.add_row("-", Text(unbroken(sentence)))
    return Group(Text(answer(comparison), style="bold"), Text(), *parts, Text(), said)


def _gone(names: Sequence[str], with_rates: bool) -> list[str]:
    """Columns that the console has no room for."""
    heads = {"better": "P(better)", "parameters": "params", "macs": "MACs"}
    heads |= {"rate": "lr"} if with_rates else {}
    return [head for name, head in heads.items() if name not in names]


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Print to a console, by default the terminal."""
    console = console or Console()
    console.print(render(comparison, console.width))


def to_markdown(comparison: Comparison) -> str:
    """Table and sentences as Markdown."""
    names, heads = _written_columns(comparison)
    rows = [[markdown(value) for value in row] for row in _written_rows(comparison, names)]
    table = [
        f"**{markdown(_title(comparison))}**",
        "",
        f"| {' | '.join(markdown(head) for head in heads)} |",
        "|"
        + "|".join("---" if name in ("place", "arm", "marks") else "--:" for name in names)
        + "|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    said = [f"- {markdown(sentence)}" for sentence in conclusions(comparison)]
    legend = _legend(rows_marks(comparison))
    marks = [f"Marks: {markdown(legend)}", ""] if legend else []  # not a list, though it has "+"
    note = [markdown(interval_note(comparison, True)), ""]
    return "\n".join([*table, "", *note, *marks, *said]) + "\n"


def to_latex(comparison: Comparison) -> str:
    r"""A table for LaTeX; needs \usepackage{booktabs}."""
    names, heads = _written_columns(comparison)
    columns = "".join("l" if name in ("place", "arm", "marks") else "r" for name in names)
    body = []
    place = None
    for line, row in zip(lines_of(comparison), _written_rows(comparison, names), strict=True):
        if place not in (None, line.place):
            body.append(r"\midrule")
        place = line.place
        body.append(" & ".join(latex(value) for value in row) + r" \\")
    return "\n".join(
        [
            f"% {_title(comparison)}".replace("\n", " "),
            r"% needs \usepackage{booktabs}",
            r"\begin{tabular}{" + columns + "}",
            r"\toprule",
            " & ".join(latex(head) for head in heads) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            rf"\multicolumn{{{len(names)}}}{{p{{.9\linewidth}}}}{{\footnotesize "
            f"{latex(interval_note(comparison, True))}}} \\\\",
            r"\end{tabular}",
            f"% {_legend(rows_marks(comparison))}",
            "",
        ]
    )


def rows_marks(comparison: Comparison) -> str:
    """All marks that occur."""
    return "".join(line.marks for line in lines_of(comparison))


def _written_columns(comparison: Comparison) -> tuple[list[str], list[str]]:
    """Names and heads for Markdown and LaTeX."""
    names = ["arm", "score", "difference", "p", "better", "parameters", "macs"]
    heads = ["arm", _score_head(comparison), _difference_head(comparison), "p (Holm)", "P(better)"]
    heads += ["params", "MACs"]
    if any(line.place for line in lines_of(comparison)):
        names, heads = ["place", *names], ["", *heads]
    if any(line.rate for line in lines_of(comparison)):
        names, heads = [*names, "rate"], [*heads, "lr"]
    if comparison.milestone is not None:
        names, heads = [*names, "milestone"], [*heads, milestone_head(comparison)]
    return [*names, "marks"], [*heads, ""]


def _written_rows(comparison: Comparison, names: Sequence[str]) -> list[list[str]]:
    rows, place = [], None
    for line in lines_of(comparison):
        row = [_joined(line, name) for name in names]
        if "place" in names:
            row[names.index("place")] = line.place if line.place != place else ""
        if line.control:
            row[names.index("arm")] = f"less {line.arm} ({line.cause})"
        place = line.place
        rows.append(row)
    return rows


def _joined(line: Line, name: str) -> str:
    """A cell; scores and differences with their interval."""
    value: str = getattr(line, name)
    more = {"score": line.interval, "difference": line.difference_interval}.get(name, "")
    return f"{value} {more}".strip()


def _score_head(comparison: Comparison) -> str:
    test = any(result.test_mean is not None for result in comparison.results)
    return ("test" if test else "validation") + (" %" if is_share(comparison.monitor) else "")


def _difference_head(comparison: Comparison) -> str:
    """The head says that the intervals below it hold together."""
    return f"difference ({percent(1 - comparison.level)} together)"


def _title(comparison: Comparison) -> str:
    metric = comparison.monitor.rpartition("/")[2]
    given = ", given these learning rates" if comparison.given_rates else ""
    return (
        f"{comparison.name}: {metric} over {comparison.seeds} paired seeds with intervals, "
        f"differences in{unit(comparison.monitor) or ' ' + metric}{given}"
    )


def _legend(marks: str) -> str:
    return "; ".join(f"{mark} {text}" for mark, text in MARKS.items() if mark in marks)
