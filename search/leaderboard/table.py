"""The whole leaderboard in a terminal or a picture: the answer, two tables, all sentences."""

import io
import shlex
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from hybrid_swin.errors.plain_text import harmless
from hybrid_swin.spec.run_reference import TRAINED
from hybrid_swin.system.console import Console
from hybrid_swin.system.program import door
from search.leaderboard.board import Leaderboard
from search.leaderboard.costs import FEW, HEADS, TRAIN, cost_text, on_front, shown_costs
from search.leaderboard.end.answer import answer
from search.leaderboard.end.layout import NARROW, left_out_text, listing, table_for
from search.leaderboard.rows.intervals import CONFIDENCE
from search.leaderboard.rows.row import Row
from search.leaderboard.sentences import sentences
from search.leaderboard.word_wrapping import Words
from search.statistics.formatting import is_share, percent, range_text, score_text

BEST_OF_SEARCH = 10  # single runs shown
_GIVES_WAY = ("#", "seeds", "epochs", *HEADS.values())
MARKS = {
    "*": "on the Pareto front of validation",
    "?": "may be the best on test (this set contains it with 95%)",
    "R": "the row that the files' column `difference` compares with",
    "^": "still improving when training ended",
    "~": "compared with row R without pairs of seeds",
    "B": "baseline",
    "!": "a seed was lost",
    "c": "interval over candidates of one seed each, others' over seeds",
}


def print_leaderboard(board: Leaderboard, console: Console | None = None) -> None:
    """Print to a console, by default the terminal, and how to look closer at the best row."""
    console = console or Console()
    console.print(render(board, console.width, ascii_only=console.options.ascii_only))
    run = best_run(board)
    if run is not None:
        command = f"{door()} inspect {shlex.quote(str(run))}"
        console.print(Text(f"\na closer look at the best: {command}", "dim"), soft_wrap=True)


def save_svg(board: Leaderboard, path: Path, width: int = 100) -> None:
    """Write the same as a picture."""
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(render(board, width))
    svg = console.export_svg(title=f"hybrid-swin: {board.study}")
    path.write_text(harmless(svg), encoding="utf-8")


def render(board: Leaderboard, width: int = 100, ascii_only: bool = False) -> Group:
    """Everything, for a console of ``width`` columns, which may know no ``±``."""
    plus_minus = "+-" if ascii_only else "±"
    parts: list[Table | Text] = [Text(answer(board), style="bold"), Text()]
    final = [row for row in board.rows if row.fidelity == "final" and row.rank is not None]
    if final:
        means = [row for row in board.rows if row.fidelity == "random"]
        marks = [*_marks(board, final), *("c" * (row.validation_low is not None) for row in means)]
        parts.append(_final_table(board, [*final, *means], marks, width, plus_minus))
        legend = [f"{m} {text}" for m, text in _legend(board).items() if m in "".join(marks)]
        if legend:
            parts.append(Text("  " + ";  ".join(legend), style="dim"))
        best = board.best
        if best is not None and (best.interval_confidence or 0) > CONFIDENCE:
            confidence = percent(best.interval_confidence or 0)
            text = f"  intervals: 95%; of #1 {confidence}, since it was chosen among the rows"
            parts.append(Text(text, style="dim"))
        reads = sorted({r.test_reads for r in final if r.test_mean is not None and r.test_reads})
        gone = _gone(board, width)
        if gone:
            parts.append(Text(f"  {left_out_text(gone, NARROW)}", style="dim"))
        if reads:
            times = " or ".join(map(str, reads))
            parts.append(Text(f"  times that the test split has been read: {times}", style="dim"))
        parts.append(Text())
    search = [row for row in board.rows if row.fidelity == "search" and row.rank is not None]
    references = [row for row in board.rows if row.fidelity == "reference"]
    if search or references:
        parts.append(_search_table(board, search[:BEST_OF_SEARCH], references, width))
        if not board.studies:
            parts.append(Text(f"  {_not_shown(board, len(search))}", style="dim"))
    parts.append(Text())
    return Group(*parts, listing("-", sentences(board)))


def best_run(board: Leaderboard) -> Path | None:
    """The first run folder with weights of the best retrained row."""
    best = next((row for row in board.rows if row.fidelity == "final" and row.rank), None)
    if best is None or not board.folders:
        return None
    folder = dict(zip(board.studies, board.folders, strict=False)).get(best.study, board.folders[0])
    runs = (folder / key for key in best.keys)
    return next((run for run in runs if any(run.glob(TRAINED))), None)


def _gone(board: Leaderboard, width: int) -> list[str]:
    """Columns that a console of this width has no room for."""
    if width >= NARROW:
        return []
    costs = shown_costs(board, False)
    gone = [HEADS[c].replace("\n", " ") for c in shown_costs(board, True) if c not in costs]
    gone += ["intervals on test"] * (len(costs) > FEW) + ["seeds"] * (len(costs) > FEW + 1)
    return gone


def _final_table(
    board: Leaderboard, rows: list[Row], marks: list[str], width: int, plus_minus: str
) -> Table:
    costs = shown_costs(board, width >= NARROW)
    with_range = width >= NARROW or len(costs) <= FEW
    with_seeds = width >= NARROW or len(costs) <= FEW + 1
    unit = " %" if is_share(board.monitor) else ""
    signed = plus_minus if _is_symmetric(rows, board.monitor) else ""
    lines: list[dict[str, str | Words]] = []
    for row, mark in zip(rows, marks, strict=True):
        span = range_text(row.test_low, row.test_high, board.monitor) if with_range else ""
        lines.append(
            {
                "#": str(row.rank or ""),
                **study_cell(board, row),
                "blocks": Words(row.label),
                "validation" + unit: _validation(row, board.monitor, signed, with_range),
                "test" + unit: f"{score_text(row.test_mean, board.monitor)} {span}".strip(),
                **({"seeds": _seeds(row)} if with_seeds else {}),
                **{HEADS[cost]: cost_text(row, cost) for cost in costs},
                "": mark,
            }
        )
    title = f"{board.study}: retrained with fresh seeds, ranked by {board.monitor}"
    table = table_for(title, lines[0], _GIVES_WAY, expand=True)
    for place, (row, line) in enumerate(zip(rows, lines, strict=True)):
        if place and row.fidelity != rows[place - 1].fidelity:
            table.add_section()
        table.add_row(*line.values(), style="bold" if row is board.best else "")
    return table


def _search_table(board: Leaderboard, rows: list[Row], references: list[Row], width: int) -> Table:
    costs = [cost for cost in shown_costs(board, width >= NARROW) if cost != TRAIN]
    costs = costs if width >= NARROW else costs[:FEW]
    unit = " %" if is_share(board.monitor) else ""
    retrained = {r.origin: r.rank for r in board.rows if r.fidelity == "final" and r.rank}
    lines: list[dict[str, str | Words]] = []
    for row in (*rows, *references):
        known, note, own = costs, "", row.origin
        if row.fidelity == "reference":
            known, own = ["parameters"], "reference"
            if row.test_mean is not None:
                note = f"test {score_text(row.test_mean, board.monitor)}"
        elif row.origin in retrained:
            note = f"now # {retrained[row.origin]}"
        if row.imported_from and row.fidelity == "search":
            note = ", ".join(filter(None, (note, _imported(row))))
        lines.append(
            {
                "#": str(row.rank or ""),
                **study_cell(board, row),
                "blocks": Words(row.label),
                "validation" + unit: score_text(row.validation_mean, board.monitor),
                "epochs": str(row.epochs) if row.fidelity == "search" else "",
                **{HEADS[c]: cost_text(row, c) if c in known else "" for c in costs},
                "run": own,
                "": note,
            }
        )
    what = "single runs of the search (one seed each: no evidence of a difference)"
    table = table_for("references" if board.studies else what, lines[0], _GIVES_WAY, expand=True)
    for place, line in enumerate(lines):
        if place == len(rows) > 0:
            table.add_section()
        table.add_row(*line.values())
    return table


def _imported(row: Row) -> str:
    return "taken over" if row.imported_from.endswith("(taken over)") else "imported"


def study_cell(board: Leaderboard, row: Row) -> dict[str, Words]:
    """The study that a row is of, where there are several."""
    return {"study": Words(row.study)} if board.studies else {}


def _is_symmetric(rows: list[Row], monitor: str) -> bool:
    """Whether all intervals on validation have sides that are equal as far as they are shown."""
    return all(
        score_text(row.validation_mean - row.validation_low, monitor)
        == score_text(row.validation_high - row.validation_mean, monitor)
        for row in rows
        if row.validation_mean is not None
        and row.validation_low is not None
        and row.validation_high is not None
    )


def _validation(row: Row, monitor: str, plus_minus: str, wide: bool) -> str:
    """Mean and interval: its half where sides are equal, else its ends, below it if need be."""
    text = score_text(row.validation_mean, monitor)
    if row.validation_low is None or row.validation_high is None:
        return text
    if plus_minus:
        half = score_text((row.validation_high - row.validation_low) / 2, monitor)
        return f"{text} {plus_minus}{half}"
    span = range_text(row.validation_low, row.validation_high, monitor)
    return f"{text}{' ' if wide else chr(10)}{span}"


def _seeds(row: Row) -> str:
    return str(row.seeds) if row.seeds == row.seeds_asked else f"{row.seeds}/{row.seeds_asked}"


def _marks(board: Leaderboard, rows: list[Row]) -> list[str]:
    front = {row.rank for row in on_front(board, rows)}
    return [
        "".join(
            mark
            for mark, holds in (
                ("*", row.rank in front),
                ("?", row.may_be_best),
                ("R", row.is_test_reference),
                ("~", row.difference_paired is False),
                ("^", row.undertrained),
                ("B", row.is_baseline),
                ("!", row.seeds < row.seeds_asked),
            )
            if holds
        )
        for row in rows
    ]


def _legend(board: Leaderboard) -> dict[str, str]:
    share = percent(1 - board.level)
    return (
        MARKS
        | {"?": MARKS["?"].replace("95%", share)}
        | {"*": f"{MARKS['*']} against {' and '.join(board.against)}"}
    )


def _not_shown(board: Leaderboard, finished: int) -> str:
    states = [r.state for r in board.rows if r.fidelity == "search" and r.rank is None]
    parts = [f"{finished} single runs finished"]
    early = ("stopped", "diverged", "infeasible", "failed")
    parts += [f"{states.count(s)} {s}" for s in early if s in states]
    return ", ".join(parts) + "; everything: leaderboard.csv"
