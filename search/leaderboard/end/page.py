"""The end of a study on one page: the answer, the retrained rows, three cautions, the rest."""

import shlex
from collections.abc import Sequence

from rich.console import Group, RenderableType

from hybrid_swin.system.console import Console
from hybrid_swin.system.program import door
from search.leaderboard.board import Leaderboard
from search.leaderboard.cautions import top_cautions
from search.leaderboard.costs import HEADS, TRAIN, cost_text, shown_costs
from search.leaderboard.end.answer import answer, base_of, beyond_text, usable
from search.leaderboard.end.layout import NARROW, NARROWEST, footnotes, print_page, table_for
from search.leaderboard.rows.questions import Question
from search.leaderboard.rows.row import Row
from search.leaderboard.table import best_run, study_cell
from search.leaderboard.word_wrapping import Words
from search.statistics.formatting import is_share, range_text, score_text

_SINGLE = 5  # runs of the search, where nothing is retrained
_FILES = "leaderboard.csv", "leaderboard.json", "figures", "receipt.json", "logs"
_MARKS = {
    "+": "ahead of {}",
    "-": "behind {}",
    "=": "not shown to differ from {}",
    "^": "still improving when training ended",
    "!": "a seed was lost",
}
_VERDICTS = {"ahead": "+", "behind": "-", "tie": "=", "unknown": ""}


def print_end(board: Leaderboard, console: Console | None = None) -> None:
    """Print the page to a console, by default the terminal."""
    console = console or Console()
    width = console.width
    rows = _rows(board)
    print_page(
        console,
        answer(board),
        lambda count: _table(board, rows, count, width),
        len(rows),
        top_cautions(board),
        _where(board),
    )


def _rows(board: Leaderboard) -> list[Row]:
    """Retrained rows; while there are none, the first single runs."""
    final = [row for row in board.rows if row.fidelity == "final" and row.rank is not None]
    return final or [row for row in board.rows if row.rank is not None][:_SINGLE]


def _where(board: Leaderboard) -> list[tuple[str, str]]:
    if not board.folders:
        return []
    folders = " ".join(shlex.quote(str(folder)) for folder in board.folders)
    places = [("all", f"{door()} leaderboard {folders} --all")]
    run = best_run(board)
    if run is not None:
        places.append(("closer", f"{door()} inspect {shlex.quote(str(run))}"))
    if len(board.folders) == 1:
        files = [name for name in _FILES if (board.folders[0] / name).exists()]
        places += [("files", f"{board.folders[0]}: {', '.join(files)}")] if files else []
    return places


def _table(board: Leaderboard, rows: Sequence[Row], count: int, width: int) -> RenderableType:
    retrained = any(row.fidelity == "final" for row in rows)
    base = base_of(board)
    visible_rows = _chosen(rows, base, count)
    wide = width >= NARROW
    questions = {q.row: q for q in board.questions if base is not None and q.against == base.keys}
    tested = any(row.test_mean is not None for row in visible_rows)
    costs = [cost for cost in shown_costs(board, wide) if cost != TRAIN]
    costs = costs if wide or board.against else ["macs"] * (width >= NARROWEST)
    validated = width >= NARROWEST or not tested
    unit = " %" if is_share(board.monitor) else ""
    what = "retrained with fresh seeds" if retrained else "single runs, one seed each"
    lines: list[dict[str, str | Words]] = []
    for row in visible_rows:
        cells: dict[str, str | Words] = {
            "#": str(row.rank or ""),
            **study_cell(board, row),
            "blocks": Words(row.label),
        }
        head = (
            "validation" if wide or not tested else "val."
        )  # its interval is left out where it is narrow
        if validated:
            cells[head + unit] = _score(row, board, "validation", wide)
        if tested:
            cells["test" + unit] = _score(row, board, "test", True)
        if wide and questions and base is not None:
            question = questions.get(row.keys)
            beyond = beyond_text(question, board.monitor) if question else ""
            cells[f"against #{base.rank}"] = beyond
        cells |= {HEADS[cost]: cost_text(row, cost) for cost in costs}
        lines.append({**cells, "": _marks(row, questions.get(row.keys), base)})
    title = f"{board.study}: {what}, ranked by validation"
    table = table_for(title, lines[0], show_edge=False)
    for line in lines:
        table.add_row(*line.values())
    marks = "".join(_marks(row, questions.get(row.keys), base) for row in visible_rows)
    hidden = [] if wide else _hidden(board, costs, validated, base if questions else None)
    name = f"#{base.rank}" if base is not None else ""
    legend = {mark: text.format(name) for mark, text in _MARKS.items()}
    return Group(table, *footnotes(legend, marks, len(rows) - len(visible_rows), "row", hidden))


def _hidden(
    board: Leaderboard, costs: Sequence[str], validated: bool, base: Row | None
) -> list[str]:
    """Columns that a narrow terminal has no room for."""
    full = [cost for cost in shown_costs(board, True) if cost != TRAIN]
    return [
        "intervals of validation" if validated else "validation",
        *([] if base is None else [f"against #{base.rank}"]),
        *(HEADS[cost].replace("-\n", "").replace("\n", " ") for cost in full if cost not in costs),
    ]


def _chosen(rows: Sequence[Row], base: Row | None, count: int) -> list[Row]:
    """The first rows; the row that others are compared with is always among them."""
    visible_rows = list(rows[:count])
    if base is not None and base in rows and base not in visible_rows:
        visible_rows[-1] = base
    return visible_rows


def _marks(row: Row, question: Question | None, base: Row | None) -> str:
    """What stands behind a row: a verdict only where the answer speaks of both rows."""
    judged = question is not None and base is not None and usable(row) and usable(base)
    return (
        (_VERDICTS[question.verdict] if question and judged else "")
        + "^" * bool(row.undertrained)
        + "!" * (row.seeds < row.seeds_asked)
    )


def _score(row: Row, board: Leaderboard, split: str, with_range: bool) -> str:
    mean, low, high = (getattr(row, f"{split}_{name}") for name in ("mean", "low", "high"))
    span = range_text(low, high, board.monitor) if with_range else ""
    return f"{score_text(mean, board.monitor)} {span}".strip()
